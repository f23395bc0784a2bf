"""Gains: printed deltas against their rows, and overall gains that no weighting of the strata's gains can give."""

from __future__ import annotations

from dataclasses import dataclass

from harness.forensics._md import plural
from harness.forensics.finding import Finding, certainty_of
from harness.forensics.model import Gain, Line, PublishedTable
from harness.forensics.printed import Printed, signed
from harness.forensics.sizes import Sizes

Interval = tuple[int, int]
"""Lowest and highest value in half-ticks."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Treatment and control lines of one row and metric."""

    treatment: Line
    control: Line

    @property
    def where(self) -> str:
        t = self.treatment
        return f"{t.table} · {t.row} · {t.arm} − {self.control.arm} · {t.benchmark} {t.metric}"


@dataclass(frozen=True, slots=True)
class Deltas:
    """How printed deltas compare with their rows: exactly equal, or off by no more than rounding can explain."""

    printed: int
    exact: int
    near: int


def pairs(table: PublishedTable) -> list[Pair]:
    """Every non-control line with its control line."""
    found = []
    for t in table.tables:
        control = {(x.row, x.metric, x.benchmark): x for x in t.lines if x.arm == t.control}
        for line in t.lines:
            partner = control.get((line.row, line.metric, line.benchmark))
            if line.arm != t.control and partner is not None:
                found.append(Pair(line, partner))
    return found


def cells_of(line: Line | Gain, names: tuple[str, ...]) -> dict[str, Printed]:
    """Printed cells by part."""
    named = zip(("all", *names), (line.total, *line.strata), strict=True)
    return {name: value for name, value in named if value is not None}


def _difference(treatment: Printed, control: Printed) -> Interval:
    low_t, high_t = treatment.bounds()
    low_c, high_c = control.bounds()
    return low_t - high_c, high_t - low_c


def _printed_gain(gain: Printed) -> Interval:
    """A printed gain's interval. Taken after rounding, it is off by as much as two printed values may be together."""
    return 2 * gain.ticks - gain.rounding.width, 2 * gain.ticks + gain.rounding.width


def check_deltas(table: PublishedTable) -> tuple[Deltas, list[Finding]]:
    """Printed deltas that cannot be the difference of the printed arms, even of their unrounded values."""
    lookup = {(p.treatment.table, p.treatment.row, p.treatment.metric, p.treatment.benchmark): p for p in pairs(table)}
    printed = exact = near = 0
    findings = []
    for gain in (g for t in table.tables for g in t.gains):
        pair = lookup.get((gain.table, gain.row, gain.metric, gain.benchmark))
        if pair is None:
            continue
        names = table.benchmark(gain.benchmark).strata
        top, bottom = cells_of(pair.treatment, names), cells_of(pair.control, names)
        for part, value in cells_of(gain, names).items():
            if part not in top or part not in bottom:
                continue
            printed += 1
            difference = top[part].ticks - bottom[part].ticks
            off = abs(value.ticks - difference)
            exact += off == 0
            # Two arms' roundings (one unit together) and the delta's own: less than two units, or three if either way.
            slack = value.rounding.width - 1
            near += 0 < off <= slack
            if off <= slack:
                continue
            decimals = value.rounding.decimals
            right = signed(difference / 10**decimals, decimals)
            findings.append(
                Finding(
                    "delta",
                    "unconditional",
                    f"{gain.where} · {part}",
                    f"{top[part].text} − {bottom[part].text} = {right}; {value.signed} is printed. Rounding can move a "
                    f"delta by {plural(slack, 'unit')} of the last digit at most.",
                    ("rounding",),
                    {"part": part, "printed": value.value, "difference": difference / 10**decimals},
                )
            )
    return Deltas(printed, exact, near), findings


def check_weightings(table: PublishedTable, sizes: dict[str, Sizes]) -> tuple[int, list[Finding]]:
    """Overall gains outside the range of the strata's gains; and, for rows of gains alone, outside what sizes imply.

    Returns:
        The number of rows looked at, and the findings.
    """
    findings, looked = [], 0
    covered: set[tuple[str, str, str, str]] = set()
    for pair in pairs(table):
        line, names = pair.treatment, table.benchmark(pair.treatment.benchmark).strata
        if not (line.complete and pair.control.complete):
            continue
        covered.add((line.table, line.row, line.metric, line.benchmark))
        top, bottom = cells_of(line, names), cells_of(pair.control, names)
        intervals = {part: _difference(top[part], bottom[part]) for part in top}
        shown = {part: top[part].ticks - bottom[part].ticks for part in top}
        looked += 1
        findings += _outside(pair.where, intervals, shown, line.total, names)
    for gain in (g for t in table.tables for g in t.gains):
        names = table.benchmark(gain.benchmark).strata
        cells = cells_of(gain, names)
        key = (gain.table, gain.row, gain.metric, gain.benchmark)
        if key in covered or len(names) < 2 or len(cells) != len(names) + 1:
            continue
        intervals = {part: _printed_gain(value) for part, value in cells.items()}
        shown = {part: value.ticks for part, value in cells.items()}
        looked += 1
        found = _outside(gain.where, intervals, shown, gain.total, names)
        findings += found or _against_sizes(gain, intervals, names, sizes.get(gain.benchmark))
    return looked, findings


def _outside(
    where: str, intervals: dict[str, Interval], shown: dict[str, int], total: Printed | None, names: tuple[str, ...]
) -> list[Finding]:
    low, high = intervals["all"]
    most = max(intervals[n][1] for n in names)
    least = min(intervals[n][0] for n in names)
    if total is None or (low <= most and high >= least):
        return []
    decimals = total.rounding.decimals
    unit = 10**decimals
    gains = ", ".join(f"{n} {signed(shown[n] / unit, decimals)}" for n in names)
    limit = (
        f"at most {signed(most / 2 / unit, decimals)}"
        if low > most
        else f"at least {signed(least / 2 / unit, decimals)}"
    )
    return [
        Finding(
            "gain weighting",
            certainty_of(max(low - most, least - high) / 2, conditional=False),
            where,
            f"The strata gain {gains}, so whatever their sizes the overall gain is {limit} with all rounding in its "
            f"favour; the totals give {signed(shown['all'] / unit, decimals)}.",
            ("rounding", "same problems", "both arms"),
            {"overall": shown["all"] / unit, "strata": {n: shown[n] / unit for n in names}},
        )
    ]


def implied_gain(gain: Gain, sizes: Sizes) -> float | None:
    """What the strata's printed gains imply overall, where the sizes are unique."""
    split = sizes.unique
    if split is None or any(s is None for s in gain.strata):
        return None
    return sum(w * s.value for w, s in zip(split, gain.strata, strict=True) if s is not None) / sum(split)


def _against_sizes(
    gain: Gain, intervals: dict[str, Interval], names: tuple[str, ...], sizes: Sizes | None
) -> list[Finding]:
    if sizes is None or not sizes.usable or gain.total is None:
        return []
    low, high = intervals["all"]
    misses = []
    for split in sizes.splits.tolist():
        weighted = [sum(w * intervals[n][i] for w, n in zip(split, names, strict=True)) for i in (0, 1)]
        misses.append(max(weighted[0] - sum(split) * high, sum(split) * low - weighted[1], 0) / sum(split))
    if min(misses) == 0:
        return []
    implied = implied_gain(gain, sizes)
    said = (
        f" imply {signed(implied, gain.total.rounding.decimals + 2)}" if implied is not None else " imply another gain"
    )
    return [
        Finding(
            "gain weighting",
            certainty_of(min(misses) / 2, conditional=True),
            gain.where,
            f"The strata's gains{said}; {gain.total.signed} is printed.",
            ("rounding", sizes.assumption, "same problems", "both arms"),
            {"printed": gain.total.value, "implied": implied},
        )
    ]
