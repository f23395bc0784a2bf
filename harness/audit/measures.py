"""A record's measures: text-level ones are worked out again from the samples, teacher-forced ones held to their laws.

What this cannot show: that a model with these weights has these distributions. That needs the weights and the hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness.audit.finding import Findings
from harness.errors import HarnessError
from harness.ledger.record import Record, Row
from harness.measure.metrics import SUMMED, TEXT_GROUP, TEXTUAL

FILE = "measures.parquet"
CHECK = "measures"

ROUNDING = 1e-4
"""Sums are stored as float32, and Equation 4 is a difference of large ones."""

COVERING = ("class:", "bin:")
"""Kinds of groups of which each position is in exactly one."""


def check_measures(record: Record, present: set[str], found: Findings) -> None:
    """Check ``measures.parquet``, where the design asks for measures."""
    path = record.path / FILE
    if record.head.get("measurement") is None and FILE not in record.head["files"]:
        return
    if FILE not in record.head["files"]:
        found.add("fault", CHECK, path, "the design asks for measures, and the record has none")
        return
    if FILE not in present:
        return
    rows = record.measures()
    texts = [r for r in rows if r["group"] == TEXT_GROUP]
    forced = [r for r in rows if r["group"] != TEXT_GROUP]
    _check_laws(path, forced, found)
    if "samples.jsonl.zst" in present:
        _check_texts(record, texts, found)
    else:
        found.add("unchecked", CHECK, path, f"{len(texts)} text-level rows: the samples are not here")
    positions = sum(r["positions"] for r in forced if r["group"] == "all")
    found.add(
        "unchecked",
        CHECK,
        path,
        f"the teacher-forced values of {positions} positions could not be checked here: that needs the models' weights",
    )


def _check_laws(path: Any, rows: Sequence[Row], found: Findings) -> None:
    """What must hold among sums whatever the models are: groups that cover all positions, Equation 4, ranges."""
    by_answer: defaultdict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for r in rows:
        by_answer[tuple(r[k] for k in ("task", "arm", "seed", "problem", "context"))][r["group"]] = r
    wrong = [text for key, groups in by_answer.items() if (text := _breach(key, groups))]
    for text in wrong[:10]:
        found.add("fault", CHECK, path, text)
    if len(wrong) > 10:
        found.add("fault", CHECK, path, f"and {len(wrong) - 10} more")
    if not wrong:
        text = "sums over groups agree with those over all positions, and Equation 4 with the cross-entropy"
        found.add("holds", CHECK, path, text)


def _breach(key: tuple[Any, ...], groups: Mapping[str, Row]) -> str:
    name = " / ".join(map(str, key))
    whole = groups.get("all")
    if whole is None:
        return f"{name}: no row over all positions"
    n = whole["positions"]
    for kind in COVERING:
        parts = [r for g, r in groups.items() if g.startswith(kind)]
        if sum(r["positions"] for r in parts) != n:
            return f"{name}: the groups {kind}… do not cover its {n} positions"
        for quantity in ("entropy", "tail_mass", "cross_entropy"):
            if not _near(sum(r[quantity] for r in parts), whole[quantity], n):
                return f"{name}: {quantity} over the groups {kind}… is not that over all positions"
    for group, r in groups.items():
        terms = sum(r[q] for q in ("support_compression", "reshaping", "alignment", "constant"))
        if not _near(terms, r["cross_entropy"], r["positions"]):
            return f"{name}, {group}: Equation 4's terms do not sum to the cross-entropy"
        shares = [r[q] for q in ("tail_mass", "probability")]
        if not all(-ROUNDING <= x <= r["positions"] * (1 + ROUNDING) for x in shares) or r["entropy"] < -ROUNDING:
            return f"{name}, {group}: a value outside its range"
    return ""


def _near(a: float, b: float, positions: int) -> bool:
    return abs(a - b) <= ROUNDING * (abs(a) + abs(b) + positions)


def _check_texts(record: Record, rows: Sequence[Row], found: Findings) -> None:
    from harness.pipeline.replay import load_task_of

    path = record.path / FILE
    samples: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    arms = set(record.head["measurement"]["arms"])
    for s in record.samples():
        if s["arm"] in arms:
            samples[s["task"], s["arm"], s["seed"], s["problem"]].append(s)
    wrong, compared = [], 0
    for task in [t["name"] for t in record.head["tasks"]]:
        mine = [r for r in rows if r["task"] == task]
        wanted = {k: v for k, v in samples.items() if k[0] == task}
        try:
            loaded = load_task_of(record, task)
        except HarnessError as error:
            found.add("unchecked", CHECK, path, f"{len(mine)} text-level rows of {task}: {error}")
            continue
        compared += len(mine)
        wrong += _text_faults(loaded, mine, wanted)
    for text in wrong[:10]:
        found.add("fault", CHECK, path, text)
    if len(wrong) > 10:
        found.add("fault", CHECK, path, f"and {len(wrong) - 10} more")
    if not wrong and compared:
        found.add("holds", CHECK, path, f"{compared} text-level rows follow from the samples")


def _text_faults(loaded: Any, rows: Sequence[Row], samples: Mapping[tuple[Any, ...], list[Row]]) -> list[str]:
    import numpy as np

    from harness.pipeline.measure import sample_measures

    problems = {p.id: p for p in loaded.problems}
    there = {(r["task"], r["arm"], r["seed"], r["problem"]): r for r in rows}
    wrong = [f"{' / '.join(map(str, k))}: no text-level row" for k in samples if k not in there]
    wrong += [f"{' / '.join(map(str, k))}: a row without samples" for k in there if k not in samples]
    for key in samples.keys() & there.keys():
        row = there[key]
        values = sample_measures(loaded, problems[key[3]], sorted(samples[key], key=lambda s: int(s["index"])))
        for name in TEXTUAL:
            again, stored = values[name], row[name]
            same = again is stored if again is None or stored is None else np.float32(again) == np.float32(stored)
            if not same:
                wrong.append(f"{' / '.join(map(str, key))}: {name} is {_text(stored)}, the samples give {_text(again)}")
        if row["positions"] != len(samples[key]) or any(row[q] is not None for q in SUMMED):
            wrong.append(f"{' / '.join(map(str, key))}: no row of {len(samples[key])} samples")
    return wrong


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"
