"""A whole run that measures, with a tiny random model: what it records, and that a resumed one records the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.config import resolve
from harness.errors import BadInput
from harness.ledger.record import Record, load_record
from harness.measure.groups import EDGES
from harness.measure.metrics import SUMMED, TEXTUAL, measured_matrix
from harness.pipeline.measure import CONTEXT_SAMPLES, OUTPUT, read_output
from harness.pipeline.run import run

SMALL = (
    "ablation=locks_and_forks",
    "scale=smoke",
    "scale.train_steps=2",
    "scale.train_prompts=6",
    "scale.train_max_new_tokens=16",
    "task.starter.max_new_tokens=64",
    "task.starter.limit=5",
    "task.starter.samples=3",
    "engine.threads=1",
    "engine.device=cpu",
)
PROBLEMS, SAMPLES = 5, 3


@pytest.fixture(scope="module")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    run(resolve([*SMALL, f"model={tiny_model}"]), folder)
    return folder


@pytest.fixture(scope="module")
def record(runs: Path) -> Record:
    (found,) = [load_record(p.parent) for p in runs.glob("*/record.json")]
    return found


def rows_of(record: Record, **wanted: Any) -> list[dict[str, Any]]:
    return [r for r in record.measures() if all(r[k] == v for k, v in wanted.items())]


def test_every_arm_reads_the_same_positions(record: Record) -> None:
    by_arm = {}
    for arm in record.head["measurement"]["arms"]:
        mine = rows_of(record, arm=arm)
        by_arm[arm] = sorted((r["problem"], r["context"], r["group"], r["positions"]) for r in mine)
    first, *others = by_arm.values()
    assert first
    assert all(o == first for o in others)
    assert {r["context"] for r in rows_of(record, group="all")} == {"base", "ssd", "reference"}


@pytest.mark.parametrize("kinds", ["class:", "bin:"])
def test_classes_and_bins_each_cover_every_position_once(record: Record, kinds: str) -> None:
    for whole in rows_of(record, group="all"):
        key = {k: whole[k] for k in ("arm", "problem", "context")}
        parts = [r for r in rows_of(record, **key) if r["group"].startswith(kinds)]
        assert sum(r["positions"] for r in parts) == whole["positions"]
        assert sum(r["entropy"] for r in parts) == pytest.approx(whole["entropy"], rel=1e-5)


def test_equation_4_holds_in_the_record(record: Record) -> None:
    for r in rows_of(record, group="all"):
        total = r["support_compression"] + r["reshaping"] + r["alignment"] + r["constant"]
        assert total == pytest.approx(r["cross_entropy"], rel=1e-4)


def test_the_base_differs_from_itself_in_nothing_and_is_surer_when_sharpened(record: Record) -> None:
    rows = record.measures()
    assert measured_matrix(rows, "base", "kl") == pytest.approx(np.zeros((1, PROBLEMS)), abs=1e-9)
    assert (measured_matrix(rows, "ssd", "kl") > 0).all()
    base, sharp = (measured_matrix(rows, a, "entropy") for a in ("base", "base@sharp"))
    assert (sharp < base).all()
    kept = measured_matrix(rows, "base", "kept_mass")
    np.testing.assert_allclose(kept + measured_matrix(rows, "base", "tail_mass"), 1.0)


def test_bins_are_of_the_bases_entropy(record: Record) -> None:
    edges = [0.0, *EDGES, np.inf]
    for r in rows_of(record, arm="base"):
        if r["group"].startswith("bin:"):
            low, high = edges[int(r["group"][4:])], edges[int(r["group"][4:]) + 1]
            assert low - 1e-6 <= r["entropy"] / r["positions"] <= high + 1e-6


def test_a_difference_of_groups_is_taken_problem_by_problem(record: Record) -> None:
    rows = record.measures()
    fork, lock = (measured_matrix(rows, "ssd", f"tail_mass@{g}") for g in ("fork", "lock"))
    np.testing.assert_array_equal(measured_matrix(rows, "ssd", "tail_mass@fork-lock"), fork - lock)
    assert np.isfinite(fork - lock).any(), "the reference solutions have locks and forks"
    assert measured_matrix(rows, "ssd", "tail_mass@fork-lock:b2").shape == (1, PROBLEMS)
    assert np.isnan(measured_matrix(rows, "ssd", "tail_mass@class:nothing")).all()


def test_text_rows_count_the_samples(record: Record) -> None:
    texts = rows_of(record, group="text")
    assert len(texts) == 3 * PROBLEMS
    assert {r["positions"] for r in texts} == {SAMPLES}
    tokens = {(c["arm"], c["problem"]): c["tokens"] for c in record.counts()}
    for r in texts:
        assert r["length"] == pytest.approx(tokens[r["arm"], r["problem"]] / SAMPLES)
        assert all(r[q] is None for q in SUMMED)
    assert measured_matrix(record.measures(), "base", "length").shape == (1, PROBLEMS)


def test_an_arm_that_was_not_measured_is_refused(record: Record) -> None:
    with pytest.raises(BadInput, match="not measured"):
        measured_matrix(record.measures(), "nobody", "entropy")
    with pytest.raises(BadInput, match="no such measure"):
        measured_matrix(record.measures(), "base", "pass@1")


def test_positions_are_kept_in_the_store(runs: Path, record: Record) -> None:
    """Means over the store's positions are the record's sums."""
    total: dict[str, float] = {}
    for done in (runs / "store" / "measure").glob("*/done.json"):
        step = _Step(done.parent)
        for row in read_output(step):  # type: ignore[arg-type]
            n = len(row["token_ids"])
            assert {len(row[k]) for k in ("classes", "visits", "branches", "reference_entropy")} == {n}
            assert all(len(v) == n for values in row["values"] for v in values.values())
            assert row["index"] < CONTEXT_SAMPLES
            for values in row["values"]:
                total["entropy"] = total.get("entropy", 0.0) + sum(values["entropy"])
    assert total["entropy"] == pytest.approx(sum(r["entropy"] for r in rows_of(record, group="all")), rel=1e-5)


class _Step:
    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes:
        assert name == OUTPUT
        return (self.path / name).read_bytes()


def test_a_missing_part_is_measured_again_to_the_same_bytes(runs: Path, record: Record, tiny_model: Path) -> None:
    done = sorted((runs / "store" / "measure").glob("*/done.json"))[0]
    part = done.parent / "parts" / "00001.jsonl"
    wanted, measures = part.read_bytes(), (record.path / "measures.parquet").read_bytes()
    outputs = done.read_text()
    done.unlink()
    part.unlink()
    (record.path / "record.json").unlink()
    again = run(resolve([*SMALL, f"model={tiny_model}"]), runs)
    assert part.read_bytes() == wanted
    assert done.read_text() == outputs
    assert (again.path / "measures.parquet").read_bytes() == measures
    assert set(TEXTUAL) <= again.measures()[0].keys()
