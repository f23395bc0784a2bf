"""Half-widths for every published delta, and which deltas are inside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.forensics.cells import stated_samples
from harness.forensics.gains import Pair, cells_of, pairs
from harness.forensics.model import Line, PublishedTable
from harness.forensics.noise import (
    HalfWidths,
    Variance,
    fit_rates,
    half_widths,
    problem_variance,
    standard_errors,
)
from harness.forensics.printed import samples_drawn
from harness.forensics.sizes import Sizes

Reading = Literal["inside", "depends", "outside", "not computed"]


@dataclass(frozen=True, slots=True)
class DeltaNoise:
    """One delta against its noise, in the table's unit. ``widths`` is None where problems or samples are unknown."""

    pair: Pair
    part: str
    delta: float
    problems: int | None
    widths: HalfWidths | None
    reading: Reading
    samples_assumed: bool


@dataclass(frozen=True, slots=True)
class ArmNoise:
    """Standard errors of one printed total, in the table's unit: decoding alone, and with the drawing of problems."""

    line: Line
    decoding: float
    total: float


def _companion(table: PublishedTable, line: Line) -> tuple[int, Line] | None:
    """The same arm's line with the largest printed k above 1, to pin the spread of solve rates."""
    same = [
        (samples_drawn(x.metric) or 0, x)
        for x in table.lines
        if (x.table, x.row, x.arm, x.benchmark) == (line.table, line.row, line.arm, line.benchmark)
    ]
    return max(((k, x) for k, x in same if k > 1), default=None, key=lambda pair: pair[0])


def _first(table: PublishedTable, line: Line) -> Line | None:
    """The same arm's pass@1 line."""
    for x in table.lines:
        same = (x.table, x.row, x.arm, x.benchmark) == (line.table, line.row, line.arm, line.benchmark)
        if same and samples_drawn(x.metric) == 1:
            return x
    return None


def variance_of(table: PublishedTable, line: Line, part: str, samples: int | None) -> Variance | None:
    """One problem's variance for one cell; None where there is too little to go on.

    With ``samples`` unknown, each problem counts as solved always or never.
    """
    k, names = samples_drawn(line.metric), table.benchmark(line.benchmark).strata
    first, companion = _first(table, line), _companion(table, line)
    if k is None or first is None or part not in cells_of(first, names):
        return None
    mean = cells_of(first, names)[part].share
    if samples is None:
        return Variance(mean * (1 - mean), 0.0) if k == 1 else None
    if samples < k:
        return None
    k_high, above = companion if companion else (1, line)
    spread = cells_of(above, names).get(part) if companion else None
    return problem_variance(fit_rates(mean, spread.share if spread else None, k_high), samples, k)


def _reading(delta: float, widths: HalfWidths, scale: float) -> Reading:
    size = abs(delta) / scale
    return "inside" if size <= widths.low else ("outside" if size > widths.high else "depends")


def delta_noise(table: PublishedTable, sizes: dict[str, Sizes]) -> list[DeltaNoise]:
    """Every difference of two printed cells, in table order."""
    found = []
    for pair in pairs(table):
        benchmark = table.benchmark(pair.treatment.benchmark)
        known = sizes.get(benchmark.name)
        counts: dict[str, int | None] = {"all": benchmark.problems}
        if known is not None and known.usable and known.unique:
            counts |= dict(zip(benchmark.strata, known.unique, strict=True))
        top, bottom = cells_of(pair.treatment, benchmark.strata), cells_of(pair.control, benchmark.strata)
        for part in (p for p in top if p in bottom):
            rounding = top[part].rounding
            delta = (top[part].ticks - bottom[part].ticks) / 10**rounding.decimals
            problems = counts.get(part)
            drawn = [stated_samples(x, benchmark) for x in (pair.treatment, pair.control)]
            both = [variance_of(table, x, part, n) for x, n in zip((pair.treatment, pair.control), drawn, strict=True)]
            widths = None
            reading: Reading = "not computed"
            if problems and both[0] is not None and both[1] is not None:
                widths = half_widths(both[1], both[0], problems, table.correlations)
                reading = _reading(delta, widths, rounding.full / 10**rounding.decimals)
                if widths.high * rounding.full < 0.5:
                    # Less than half a printed digit: both cells sit at 0 or 1, where the fit says nothing.
                    widths, reading = None, "not computed"
            found.append(DeltaNoise(pair, part, delta, problems, widths, reading, None in drawn))
    return found


def arm_noise(table: PublishedTable) -> list[ArmNoise]:
    """Standard errors of the totals whose problems and samples are stated."""
    found = []
    for line in table.lines:
        benchmark = table.benchmark(line.benchmark)
        samples = stated_samples(line, benchmark)
        if line.total is None or benchmark.problems is None or samples is None:
            continue
        variance = variance_of(table, line, "all", samples)
        if variance is None:
            continue
        scale = line.total.rounding.full / 10**line.total.rounding.decimals
        decoding, total = standard_errors(variance, benchmark.problems)
        found.append(ArmNoise(line, decoding * scale, total * scale))
    return found


def detectable(widths: HalfWidths) -> tuple[float, float]:
    """Gains detected with 80 % power by a two-sided 5 % test, for the two correlations (1.43 × the half-width)."""
    factor = 1 + 0.8416212335729143 / 1.959963984540054
    return math.fsum([widths.low * factor]), math.fsum([widths.high * factor])
