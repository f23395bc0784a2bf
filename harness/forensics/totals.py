"""Totals against their strata: a mean of strata lies between them, and at known sizes it is one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.forensics.finding import Finding, certainty_of
from harness.forensics.model import Line, PublishedTable
from harness.forensics.printed import signed
from harness.forensics.sizes import Sizes, miss


@dataclass(frozen=True, slots=True)
class TotalRow:
    """One line's total against what its strata imply, in the table's unit.

    ``implied`` and ``gap`` (printed − implied) are for the accepted split that comes closest; ``miss`` is how far the
    two stay apart once every printed number may take any value that prints so.
    """

    line: Line
    implied: float
    gap: float
    miss: float


def weighted_rows(table: PublishedTable, sizes: dict[str, Sizes]) -> list[TotalRow]:
    """All complete lines whose stratum sizes are known well enough."""
    rows = []
    for line in table.lines:
        known = sizes.get(line.benchmark)
        if known is None or not known.usable or not line.complete or line.total is None:
            continue
        problems = int(known.splits[0].sum())
        ticks = np.array([s.ticks for s in line.strata if s is not None], dtype=np.int64)
        misses = miss(known.splits, [line])[:, 0]
        gaps = problems * line.total.ticks - known.splits @ ticks
        pick = int(np.lexsort((np.abs(gaps), misses))[0])
        unit = 10**line.total.rounding.decimals
        rows.append(
            TotalRow(
                line,
                implied=float(known.splits[pick] @ ticks) / problems / unit,
                gap=float(gaps[pick]) / problems / unit,
                miss=float(misses[pick]) / (2 * problems) / unit,
            )
        )
    return rows


def _needed(line: Line, split: tuple[int, ...], names: tuple[str, ...]) -> list[str]:
    """Values that one stratum alone would need for the printed total, where such a value exists."""
    if line.total is None:
        return []
    problems, found = sum(split), []
    ticks = [s.ticks for s in line.strata if s is not None]
    for i, name in enumerate(names):
        rest = sum(w * t for j, (w, t) in enumerate(zip(split, ticks, strict=True)) if j != i)
        needed = (problems * line.total.ticks - rest) / split[i]
        if 0 <= needed <= line.total.rounding.full:
            decimals = line.total.rounding.decimals
            found.append(
                f"{name} {needed / 10**decimals:.{decimals}f} (printed {ticks[i] / 10**decimals:.{decimals}f})"
            )
    return found


def _outside(line: Line) -> tuple[float, str] | None:
    """Ticks by which a total lies outside the range of its strata, and on which side."""
    if line.total is None or not line.complete:
        return None
    low, high = line.total.bounds()
    lows, highs = zip(*(s.bounds() for s in line.strata if s is not None), strict=True)
    if low > max(highs):
        return (low - max(highs)) / 2, "above the largest"
    if high < min(lows):
        return (min(lows) - high) / 2, "below the smallest"
    return None


def _implied_gain(rows: list[TotalRow], failing: TotalRow, table: PublishedTable) -> str:
    """What the strata imply for the gain over (or of) the failing line, if its partner is in the same row."""
    line = failing.line
    control = next(t.control for t in table.tables if t.name == line.table)
    for other in rows:
        same = (other.line.table, other.line.row, other.line.metric, other.line.benchmark)
        if same != (line.table, line.row, line.metric, line.benchmark) or other.line.arm == line.arm:
            continue
        if control not in (line.arm, other.line.arm) or line.total is None or other.line.total is None:
            continue
        sign = 1 if other.line.arm != control else -1
        gain = sign * (other.implied - failing.implied)
        printed = sign * (other.line.total.value - line.total.value)
        decimals = line.total.rounding.decimals
        return (
            f" The strata of both arms imply an overall gain of {signed(gain, decimals + 1)}; "
            f"the printed totals differ by {signed(printed, decimals)}."
        )
    return ""


def check_totals(table: PublishedTable, sizes: dict[str, Sizes], rows: list[TotalRow]) -> list[Finding]:
    """Totals outside their strata's range (whatever the weights), then totals that the sizes rule out."""
    findings = []
    outside = {id(line): found for line in table.lines if (found := _outside(line))}
    for line in table.lines:
        if id(line) not in outside or line.total is None:
            continue
        ticks, side = outside[id(line)]
        strata = ", ".join(s.text for s in line.strata if s is not None)
        findings.append(
            Finding(
                "total range",
                certainty_of(ticks, conditional=False),
                line.where,
                f"The total {line.total.text} lies {side} of its strata ({strata}): no weighting gives it.",
                ("rounding", "same problems"),
                {"printed": line.total.value, "strata": [s.value for s in line.strata if s is not None]},
            )
        )
    for row in rows:
        line = row.line
        if row.miss == 0 or id(line) in outside or line.total is None:
            continue
        known = sizes[line.benchmark]
        decimals = line.total.rounding.decimals
        split = known.unique
        text = (
            f"The strata imply {row.implied:.{decimals + 2}f}; {line.total.text} is printed "
            f"(gap {signed(row.gap, decimals + 2)}, of which rounding cannot account for {row.miss:.{decimals + 2}f})."
        )
        if split and (needed := _needed(line, split, table.benchmark(line.benchmark).strata)):
            text += f" One changed cell would close it: {' or '.join(needed)}."
        text += _implied_gain(rows, row, table)
        findings.append(
            Finding(
                "total",
                certainty_of(row.miss * 10**decimals, conditional=True),
                line.where,
                text,
                ("rounding", known.assumption, "same problems"),
                {"printed": line.total.value, "implied": row.implied, "gap": row.gap, "miss": row.miss},
            )
        )
    return findings
