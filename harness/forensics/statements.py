"""Sentences and captions held against the numbers they are about."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal

from harness.forensics.finding import Finding
from harness.forensics.gains import cells_of, pairs
from harness.forensics.model import Comparison, PublishedTable, Statement
from harness.forensics.printed import signed


@dataclass(frozen=True, slots=True)
class Outcome:
    """A statement and the comparisons that do not bear it out; ``checked`` is how many there were (0 for a note)."""

    statement: Statement
    checked: int
    exceptions: tuple[str, ...]


def _same(comparison: Comparison) -> str | None:
    """None if one number is the other with fewer digits; else how they differ."""
    first, second = comparison.first, comparison.second
    short, long = sorted((first, second), key=_decimals)
    step = Decimal(1).scaleb(-_decimals(short))
    if short in {long.quantize(step, mode) for mode in (ROUND_HALF_UP, ROUND_HALF_DOWN)}:
        return None
    cut = " (cutting off instead of rounding would give it)" if short == long.quantize(step, ROUND_DOWN) else ""
    return f"{comparison.what}: {first} and {second}{cut}"


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _larger(comparison: Comparison) -> str | None:
    if comparison.first > comparison.second:
        return None
    relation = "equals" if comparison.first == comparison.second else "is below"
    return f"{comparison.what}: {comparison.first} {relation} {comparison.second}"


def _largest_gain(table: PublishedTable, statement: Statement) -> tuple[int, list[str]]:
    checked, exceptions = 0, []
    for pair in pairs(table):
        line = pair.treatment
        if line.table != statement.table or line.metric != statement.metric:
            continue
        names = table.benchmark(line.benchmark).strata
        top, bottom = cells_of(line, names), cells_of(pair.control, names)
        gains = {n: top[n].ticks - bottom[n].ticks for n in names if n in top and n in bottom}
        if not gains:
            continue
        checked += 1
        best = max(gains.values())
        winners = [n for n, g in gains.items() if g == best]
        if not set(winners) & set(statement.strata):
            decimals = table.rounding.decimals
            shown = ", ".join(f"{n} {signed(g / 10**decimals, decimals)}" for n, g in gains.items())
            exceptions.append(f"{line.row}: {shown}")
    return checked, exceptions


def outcomes(table: PublishedTable) -> list[Outcome]:
    """Every statement of the file against its numbers."""
    found = []
    for statement in table.statements:
        if statement.kind == "largest_gain":
            checked, exceptions = _largest_gain(table, statement)
        else:
            test = _same if statement.kind == "same" else _larger
            checked = len(statement.comparisons)
            exceptions = [why for c in statement.comparisons if (why := test(c))]
        found.append(Outcome(statement, checked, tuple(exceptions)))
    return found


def check_statements(results: list[Outcome]) -> list[Finding]:
    """Statements with exceptions."""
    return [
        Finding(
            "statement",
            "reading",
            r.statement.source,
            f"{r.statement.says} {len(r.exceptions)} of {r.checked} comparisons do not bear it out: "
            f"{'; '.join(r.exceptions)}.",
            (),
            {"kind": r.statement.kind, "checked": r.checked, "exceptions": list(r.exceptions)},
        )
        for r in results
        if r.exceptions
    ]


def check_captions(table: PublishedTable) -> list[Finding]:
    """Sweeps that print the same numbers under captions that differ."""
    findings = []
    for i, first in enumerate(table.grids):
        for second in table.grids[i + 1 :]:
            same = (first.metric, first.benchmark, first.rows, first.columns, first.cells)
            if same != (second.metric, second.benchmark, second.rows, second.columns, second.cells):
                continue
            one, other = dict(first.settings), dict(second.settings)
            differing = [k for k in one if k in other and one[k] != other[k]]
            if not differing:
                continue
            count = sum(c is not None for row in first.cells for c in row)
            words = "; ".join(f"{k}: {one[k]!r} and {other[k]!r}" for k in differing)
            findings.append(
                Finding(
                    "captions",
                    "reading",
                    f"{first.name} ({first.source}) and {second.name} ({second.source})",
                    f"All {count} values are the same, and the captions differ: {words}.",
                    (),
                    {"grids": [first.name, second.name], "settings": differing, "cells": count},
                )
            )
    return findings
