"""Statuses follow from records, whatever anybody types."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making_records import CLAIMS, make_record
from making_records import DESIGN as SMALL

from harness.claims import statuses
from harness.claims.catalogue import load
from harness.claims.status import combine, read_contrast
from harness.claims.table import render
from harness.ledger.publish import publish, withdraw
from harness.spec import Contrast
from harness.stats import paired_contrast

DESIGN = tuple(
    {"task.starter.limit=12": "task.starter.limit=40", "task.starter.samples=5": "task.starter.samples=3"}.get(o, o)
    for o in SMALL
)
"""Enough problems for a t interval; below that the interval is a conservative one."""


def lab(tmp_path, rates=None, commit="a" * 40, dirty=False, overrides=DESIGN, claims=CLAIMS):
    results = tmp_path / "results"
    results.mkdir(exist_ok=True)
    (results / "claims.yaml").write_text(claims)
    record = make_record(tmp_path / "runs", commit, dirty, overrides=overrides, rates=rates)
    publish(record, results, allow_dirty=True)
    return results, record


def by_id(results):
    return {s.claim.id: s for s in statuses(results)}


def test_a_large_gain_supports_the_claim_and_refutes_the_counter_claim(tmp_path):
    results, record = lab(tmp_path)
    found = by_id(results)
    assert found["gain"].status == "supported"
    assert found["decoding-explains"].status == "refuted"
    assert found["elsewhere"].status == "untested"
    (result,) = found["gain"].results
    assert (result.run, result.task, result.planned) == (record.run_id, "starter", True)
    text = render(list(found.values()))
    assert "4 claims: 2 supported, 1 refuted, 1 untested." in text
    assert record.run_id[:12] in text


def test_no_gain_leaves_it_open(tmp_path):
    results, _ = lab(tmp_path, rates={"ssd@eval": 0.45})
    assert by_id(results)["gain"].status == "inconclusive"


def test_a_loss_refutes_it(tmp_path):
    results, _ = lab(tmp_path, rates={"ssd@eval": 0.02, "base": 0.95})
    assert by_id(results)["gain"].status == "refuted"


@pytest.mark.parametrize(("commit", "dirty"), [("a" * 40, True), (None, None)])
def test_exploratory_records_decide_nothing(tmp_path, commit, dirty):
    results, _ = lab(tmp_path, commit=commit, dirty=dirty)
    assert {s.status for s in statuses(results)} == {"untested"}


def test_smoke_records_decide_nothing(tmp_path):
    results, _ = lab(tmp_path, overrides=tuple(o.replace("scale=quick", "scale=smoke") for o in DESIGN))
    assert {s.status for s in statuses(results)} == {"untested"}


def test_withdrawn_records_decide_nothing(tmp_path):
    results, record = lab(tmp_path)
    withdraw(record, results, "a defect")
    assert {s.status for s in statuses(results)} == {"untested"}


def test_two_records_that_disagree_are_inconclusive(tmp_path):
    results, _ = lab(tmp_path)
    lab(tmp_path, rates={"ssd@eval": 0.02, "base": 0.95}, overrides=(*DESIGN, "seed=5"))
    gain = by_id(results)["gain"]
    assert {r.status for r in gain.results} == {"supported", "refuted"}
    assert gain.status == "inconclusive"
    assert gain.disagree


def test_strata_and_quoted_numbers(tmp_path):
    entry = """
- id: {name}
  side: paper
  group: g
  statement: s
  source: x
  tests:
  - {{ablation: matched_decoding, treatment: ssd@eval, control: base, stratum: {stratum}, quoted: {quoted}}}
"""
    extra = entry.format(name="easy", stratum="easy", quoted=0.3) + entry.format(
        name="huge", stratum="''", quoted=0.999
    )
    extra += entry.format(name="nowhere", stratum="impossible", quoted=0.1)
    results, _ = lab(tmp_path, claims=CLAIMS + extra.lstrip("\n"))
    found = by_id(results)
    assert found["easy"].status == "supported"
    assert not found["easy"].results[0].planned
    assert found["huge"].status == "refuted"
    assert found["nowhere"].status == "untested"


def test_there_is_nothing_to_type(tmp_path):
    results, _ = lab(tmp_path)
    path = results / "claims.yaml"
    path.write_text(path.read_text().replace("  side: critic", "  side: critic\n  status: supported"))
    from harness.errors import BadInput

    with pytest.raises(BadInput, match="typed by hand"):
        load(path)


def result(values, test="superiority", margin=0.0):
    values = np.asarray(values, dtype=float)
    return paired_contrast(values, np.zeros_like(values), test=test, margin=margin, seed=1, resamples=200)


GAIN = Contrast("t", "c")
UP = np.concatenate([np.full(60, 0.5), np.full(60, 0.3)])
NOISE = np.tile([0.5, -0.5], 60)


@pytest.mark.parametrize(
    ("values", "quoted", "equivalent", "status"),
    [
        (UP, None, False, "supported"),
        (UP, 0.4, False, "supported"),
        (UP, 0.3, False, "supported"),
        (UP, 0.9, False, "refuted"),
        (UP, -0.4, False, "refuted"),
        (-UP, None, False, "refuted"),
        (-UP, -0.4, False, "supported"),
        (-UP, -0.9, False, "refuted"),
        (NOISE, None, False, "inconclusive"),
        (NOISE, 0.05, False, "inconclusive"),
        (NOISE, 0.5, False, "refuted"),
        (NOISE, None, True, "equivalent"),
        (NOISE, 0.5, True, "equivalent"),
    ],
)
def test_how_a_gain_is_read(values, quoted, equivalent, status):
    assert read_contrast(result(values), GAIN, quoted, equivalent) == status


@pytest.mark.parametrize(
    ("values", "test", "status"),
    [
        (np.tile([0.01, -0.01], 60), "equivalence", "supported"),
        (UP, "equivalence", "refuted"),
        (-UP, "equivalence", "refuted"),
        (NOISE, "equivalence", "inconclusive"),
        (UP, "noninferiority", "supported"),
        (-UP, "noninferiority", "refuted"),
        (NOISE, "noninferiority", "inconclusive"),
    ],
)
def test_how_a_margin_is_read(values, test, status):
    contrast = Contrast("t", "c", test=test, margin=0.05)
    assert read_contrast(result(values, test, 0.05), contrast, None, False) == status


DECIDED = ("supported", "refuted", "equivalent")


@given(st.lists(st.sampled_from([*DECIDED, "inconclusive"])))
def test_a_claim_takes_the_status_on_which_its_results_agree(found):
    decided = {s for s in found if s in DECIDED}
    expected = "untested" if not found else next(iter(decided)) if len(decided) == 1 else "inconclusive"
    assert combine(found) == expected
