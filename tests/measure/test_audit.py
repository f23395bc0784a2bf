"""What an audit says of measures: honest ones hold, and each kind of lie is found and named."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.audit.finding import Findings
from harness.audit.records import check_record
from harness.canonical import to_plain
from harness.ledger.record import Record, load_record, write_record
from harness.measure.branching import PrefixTree
from harness.measure.groups import summed, text_row, to_parquet
from harness.measure.metrics import SUMMED
from harness.spec import Measurement, Stage

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))

from making_records import make_record

DESIGN = (
    "ablation=locks_and_forks",
    "scale=smoke",
    "task=starter",
    "task.starter.limit=3",
    "task.starter.samples=3",
)
MEASUREMENT = to_plain(Measurement(("base", "ssd"), ("base",), "base", Stage(1.5, 20, 0.8)))


def forced_rows(arm: str) -> list[dict[str, Any]]:
    """Sums over two hand-made answers whose Equation 4 adds up."""
    tree = PrefixTree([[1, 2, 3]])
    visits, branches = tree.counts([1, 2, 3])
    numbers = {q: [0.5, 0.25, 0.125] for q in SUMMED} | {"cross_entropy": [2.0, 1.0, 0.5]}
    answer = {
        "context": "base",
        "token_ids": [1, 2, 3],
        "classes": ["choice", "bracket", "outside"],
        "visits": visits,
        "branches": branches,
        "reference_entropy": [0.02, 0.3, 4.0],
        "values": [numbers],
    }
    where = {"arm": arm, "seed": 0, "task": "starter"}
    problems = ("starter/001", "starter/002")
    return summed([{**answer, "problem": p} for p in problems], 0, where, (2, 3))


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A record made by hand, with the measures that its samples give."""
    from harness.pipeline.measure import sample_measures
    from harness.pipeline.replay import load_task_of

    made = make_record(tmp_path_factory.mktemp("audited") / "runs", "a" * 40, overrides=DESIGN)
    loaded = load_task_of(made, "starter")
    rows = [r for arm in MEASUREMENT["arms"] for r in forced_rows(arm)]
    for arm in MEASUREMENT["arms"]:
        for p in loaded.problems:
            mine = [s for s in made.samples() if (s["arm"], s["problem"]) == (arm, p.id)]
            where = {"arm": arm, "seed": 0, "task": "starter"}
            rows.append(text_row(where, p.id, len(mine), sample_measures(loaded, p, mine)))
    return rewritten(made, made.path, rows)


def rewritten(record: Record, folder: Path, rows: list[dict[str, Any]]) -> Record:
    head = {k: v for k, v in record.head.items() if k not in ("files", "schema")} | {"measurement": MEASUREMENT}
    return write_record(folder, head, record.verdicts(), record.samples(), [], to_parquet(rows) if rows else b"")


def audited(record: Record) -> Findings:
    found = Findings()
    check_record(record, None, found)
    return found


def about_measures(record: Record, level: Any) -> list[str]:
    return [f.text for f in audited(record).of(level) if f.check == "measures"]


def test_honest_measures_hold_and_the_rest_is_said_to_be_unchecked(honest: Record) -> None:
    assert audited(honest).of("fault") == []
    holds = about_measures(honest, "holds")
    assert any("6 text-level rows follow from the samples" in t for t in holds)
    assert any("Equation 4" in t for t in holds)
    (unchecked,) = about_measures(honest, "unchecked")
    assert "12 positions could not be checked here" in unchecked


def change(name: str, value: Any, **where: Any) -> Callable[[list[dict[str, Any]]], None]:
    def apply(rows: list[dict[str, Any]]) -> None:
        row = next(r for r in rows if all(r[k] == v for k, v in where.items()))
        row[name] = value

    return apply


def drop(**where: Any) -> Callable[[list[dict[str, Any]]], None]:
    def apply(rows: list[dict[str, Any]]) -> None:
        rows.remove(next(r for r in rows if all(r[k] == v for k, v in where.items())))

    return apply


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (change("distinct_programs", 0.9, group="text", arm="ssd"), "distinct_programs is 0.9"),
        (change("distinct_ngrams", None, group="text", arm="base"), "distinct_ngrams is undefined"),
        (change("length", 3.0, group="text"), "length is 3,"),
        (change("positions", 9, group="text"), "no row of 3 samples"),
        (drop(group="text"), "no text-level row"),
        (change("entropy", 9.0, group="class:choice"), "entropy over the groups class:"),
        (change("tail_mass", 0.0, group="bin:1"), "tail_mass over the groups bin:"),
        (drop(group="bin:1"), "do not cover"),
        (change("alignment", 7.0, group="lock"), "Equation 4"),
        (change("probability", 55.0, group="fork"), "outside its range"),
        (drop(group="all"), "no row over all positions"),
    ],
)
def test_a_changed_row_is_found(
    honest: Record, tmp_path: Path, lie: Callable[[list[dict[str, Any]]], None], words: str
) -> None:
    rows = honest.measures()
    lie(rows)
    forged = rewritten(honest, tmp_path / honest.path.name, rows)
    assert any(words in t for t in about_measures(forged, "fault")), about_measures(forged, "fault")


def test_missing_measures_are_a_fault(honest: Record, tmp_path: Path) -> None:
    bare = rewritten(honest, tmp_path / honest.path.name, [])
    assert about_measures(bare, "fault") == ["the design asks for measures, and the record has none"]


def test_without_samples_the_text_rows_are_unchecked(honest: Record, tmp_path: Path) -> None:
    target = tmp_path / honest.path.name
    shutil.copytree(honest.path, target)
    (target / "samples.jsonl.zst").unlink()
    assert any("the samples are not here" in t for t in about_measures(load_record(target), "unchecked"))


def test_rows_survive_the_file(honest: Record) -> None:
    rows = honest.measures()
    assert rows == honest.measures()
    assert to_parquet(rows) == (honest.path / "measures.parquet").read_bytes()
    assert {r["group"] for r in rows} >= {"all", "lock", "fork", "class:choice", "bin:1", "bin:9", "text"}
