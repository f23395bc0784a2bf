"""A fast version of ``make calibrate``: the promises of docs/statistics.md on a few cells.

Tolerances are four Monte Carlo standard errors around what the full simulation found; seeds are fixed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.stats.calibration.__main__ import simulate
from harness.stats.calibration.judge import Results, promises
from harness.stats.calibration.report import write
from harness.stats.calibration.studies import run_paired

REPLICATES = 2_000


@pytest.fixture(scope="module")
def results() -> Results:
    return simulate(REPLICATES, 400, seed=1, fast=True, progress=lambda _: None)


def around(share: float) -> object:
    return pytest.approx(share, abs=4 * (share * (1 - share) / REPLICATES) ** 0.5)


def rates(results: Results, study: str, shape: str, k: int = 1) -> dict[str, float]:
    (row,) = [r for r in results.paired if r.study == study and r.cell.shape == shape and r.k == k]
    return row.rates


@pytest.mark.parametrize("k", [1, 5])
def test_coverage_and_type_one_error_in_the_paper_s_regime(results, k):
    paired = rates(results, "contrast", "50 %", k)
    assert paired["recommended"] == around(0.95)
    assert rates(results, "mean", "50 %", k)["recommended"] == around(0.95)
    assert paired["reject t"] == around(0.05)
    assert paired["reject sign flip"] < 0.055 + 0.02


def test_where_t_covers_a_quarter_the_conservative_interval_holds(results):
    arm = rates(results, "mean", "1 %")
    assert arm["t"] == around(0.267)
    assert arm["recommended"] >= 0.98
    assert rates(results, "contrast", "1 %")["recommended"] >= 0.95


def test_equivalence_is_not_declared_too_often_for_skewed_differences(results):
    skewed = rates(results, "contrast", "5 %")
    assert skewed["reject TOST"] <= 0.055
    assert skewed["reject plain TOST"] > 0.06


def test_the_interval_over_seeds_holds_whatever_the_seeds_do(results):
    for row in results.seeds:
        assert row.rates["over seeds"] >= 0.95 - 4 * 0.005
    quiet, loud = results.seeds
    assert quiet.rates["these models"] == around(0.95)
    assert loud.rates["these models"] < 0.5


def test_what_goes_wrong_otherwise_goes_wrong(results):
    assert results.nesting["crossed"] == around(0.95)
    assert results.nesting["nested"] < 0.82
    assert results.nesting["noise added twice"] > 0.98
    for row in results.clusters:
        assert row["t over clusters"] == around(0.95)
        assert row["t over problems"] < 0.9
    for row in results.strata:
        rejects = float(row["rejects"])
        assert rejects > 0.4 if row["strata"] == "tested" else rejects < 0.055 + 0.02


def test_every_promise_is_judged_on_some_cell(results):
    judged = promises(results)
    assert len(judged) >= 10
    assert all(p.values for p in judged)


def test_the_report_is_the_same_bytes_for_the_same_results(results, tmp_path: Path):
    for name in ("a", "b"):
        write(results, tmp_path / name)
    first, second = (sorted((tmp_path / n).rglob("*.*")) for n in ("a", "b"))
    assert {p.name for p in first} >= {"calibration.md", "calibration.csv", "calibration_coverage.svg"}
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_simulation_is_bit_identical_for_a_seed():
    one, two = (run_paired(250, 99, 7, True, lambda _: None) for _ in range(2))
    assert one == two
    assert run_paired(250, 99, 8, True, lambda _: None) != one
