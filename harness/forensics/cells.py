"""Granularity of every cell, and of rows as a whole: do the strata's counts add up to the total's?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.forensics.finding import Finding
from harness.forensics.granularity import (
    MAX_SAMPLES,
    attainable,
    attainable_share,
    count_range,
    smallest_samples,
)
from harness.forensics.model import Benchmark, Line, PublishedTable, grid_lines
from harness.forensics.printed import Printed, samples_drawn
from harness.forensics.sizes import Sizes

TOTAL = "all"


@dataclass(frozen=True, slots=True)
class CellResult:
    """One cell at one number of samples. ``share`` is how many printable values could occur there at all (pass@1)."""

    line: Line
    part: str
    printed: Printed
    problems: tuple[int, ...]
    samples: int
    stated: bool
    possible: bool
    share: float | None


@dataclass(frozen=True, slots=True)
class JointResult:
    """Whether a pass@1 line's stratum counts can sum to its total's count. ``miss`` is in successes, 0 if they can."""

    line: Line
    samples: int
    stated: bool
    miss: int
    cells_possible: bool


def stated_samples(line: Line, benchmark: Benchmark) -> int | None:
    """Samples per problem of a line: its table's own statement for the arm, else the benchmark's."""
    return line.samples or benchmark.samples


def parts(line: Line, benchmark: Benchmark, sizes: Sizes | None) -> Iterator[tuple[str, Printed, list[int]]]:
    """Printed cells of a line with the problem counts each may have."""
    if line.total is not None and benchmark.problems:
        yield TOTAL, line.total, [benchmark.problems]
    if sizes is not None and sizes.usable:
        for i, (name, value) in enumerate(zip(benchmark.strata, line.strata, strict=True)):
            if value is not None:
                yield name, value, sizes.of(i)


def cell_results(table: PublishedTable, sizes: dict[str, Sizes]) -> list[CellResult]:
    """Every cell, of sweeps too, at the stated number of samples and at the others the file asks about."""
    found = []
    for line in (*table.lines, *grid_lines(table)):
        benchmark = table.benchmark(line.benchmark)
        k = samples_drawn(line.metric)
        stated = stated_samples(line, benchmark)
        if k is None or stated is None:
            continue
        for samples in dict.fromkeys((stated, *benchmark.considered)):
            for part, printed, problems in parts(line, benchmark, sizes.get(line.benchmark)):
                possible = any(attainable(printed, count, samples, k) for count in problems)
                share = max(attainable_share(printed.rounding, c, samples) for c in problems) if k == 1 else None
                found.append(
                    CellResult(line, part, printed, tuple(problems), samples, samples == stated, possible, share)
                )
    return found


def joint_miss(line: Line, sizes: Sizes, samples: int) -> int:
    """Successes by which the strata's counts stay away from the total's, at best over the accepted splits.

    A stratum whose value cannot occur at all makes the count ranges empty; that is a miss of at least 1.
    """
    best = None
    if line.total is None:
        return 0
    for split in sizes.splits.tolist():
        low = high = 0
        empty = 0
        for size, value in zip(split, line.strata, strict=True):
            if value is None:
                return 0
            first, last = count_range(value, size * samples)
            empty += first > last
            low, high = low + first, high + last
        first, last = count_range(line.total, sum(split) * samples)
        gap = max(low - last, first - high, int(empty > 0 or first > last), 0)
        best = gap if best is None else min(best, gap)
        if best == 0:
            break
    return best or 0


def joint_results(table: PublishedTable, sizes: dict[str, Sizes], cells: list[CellResult]) -> list[JointResult]:
    """Joint feasibility of every complete pass@1 line at the stated and the considered numbers of samples."""
    impossible = {(id(c.line), c.samples) for c in cells if not c.possible}
    found = []
    for line in table.lines:
        known = sizes.get(line.benchmark)
        benchmark = table.benchmark(line.benchmark)
        stated = stated_samples(line, benchmark)
        if known is None or not known.usable or stated is None or not line.complete:
            continue
        if samples_drawn(line.metric) != 1:
            continue
        for samples in dict.fromkeys((stated, *benchmark.considered)):
            found.append(
                JointResult(
                    line,
                    samples,
                    samples == stated,
                    joint_miss(line, known, samples),
                    (id(line), samples) not in impossible,
                )
            )
    return found


def feasible_samples(line: Line, sizes: Sizes) -> list[int]:
    """All n up to MAX_SAMPLES with which a pass@1 line as a whole can occur."""
    return [n for n in range(1, MAX_SAMPLES + 1) if joint_miss(line, sizes, n) == 0]


@dataclass(frozen=True, slots=True)
class Unstated:
    """Which numbers of samples could have produced all cells of one column whose n is not stated.

    ``fits`` are all n up to MAX_SAMPLES that could; ``single`` are the cells that n = 1 cannot produce.
    """

    table: str
    benchmark: str
    metric: str
    cells: int
    fits: tuple[int, ...]
    single: tuple[str, ...]


def unstated_samples(table: PublishedTable) -> list[Unstated]:
    """For benchmarks with known problems and no stated samples: the n that fit all printed totals at once."""
    found = []
    groups: dict[tuple[str, str, str], list[Printed]] = {}
    for line in table.lines:
        benchmark = table.benchmark(line.benchmark)
        if line.total is None or benchmark.problems is None or samples_drawn(line.metric) is None:
            continue
        if stated_samples(line, benchmark) is None:
            groups.setdefault((line.table, line.benchmark, line.metric), []).append(line.total)
    for (name, bench, metric), cells in groups.items():
        problems, k = table.benchmark(bench).problems or 0, samples_drawn(metric) or 1
        fits = [n for n in range(k, MAX_SAMPLES + 1) if all(attainable(c, problems, n, k) for c in cells)]
        single = tuple(dict.fromkeys(c.text for c in cells if not attainable(c, problems, 1, k)))
        found.append(Unstated(name, bench, metric, len(cells), tuple(fits), single))
    return found


def check_cells(table: PublishedTable, sizes: dict[str, Sizes], cells: list[CellResult]) -> list[Finding]:
    """Cells that the stated number of samples cannot produce."""
    findings = []
    for cell in cells:
        if cell.possible or not cell.stated:
            continue
        k = samples_drawn(cell.line.metric) or 1
        known = sizes.get(cell.line.benchmark)
        problems = " or ".join(map(str, cell.problems))
        if cell.samples < k:
            text = (
                f"{cell.line.metric} is undefined with {cell.samples} samples a problem ({cell.printed.text} printed)."
            )
        else:
            near = "" if k > 1 or len(cell.problems) > 1 else _neighbours(cell)
            text = f"{cell.printed.text} cannot come from {problems} problems × {cell.samples} samples{near}."
        smallest = smallest_samples(cell.printed, list(cell.problems), k)
        text += f" Smallest n that can: {smallest}." if smallest else f" No n up to {MAX_SAMPLES} can."
        others = [c for c in cells if c.line is cell.line and c.part == cell.part and not c.stated]
        text += "".join(f" At n = {c.samples}: {'possible' if c.possible else 'impossible too'}." for c in others)
        assumes = ["rounding", "samples"]
        if cell.part != TOTAL and known is not None:
            assumes.append(known.assumption)
        findings.append(
            Finding(
                "granularity",
                "conditional",
                f"{cell.line.where} · {cell.part}",
                text,
                tuple(assumes),
                {
                    "part": cell.part,
                    "printed": cell.printed.value,
                    "problems": list(cell.problems),
                    "samples": cell.samples,
                    "smallest_samples": smallest,
                    "possible_at": {str(c.samples): c.possible for c in others},
                },
            )
        )
    return findings


def _neighbours(cell: CellResult) -> str:
    """The two possible values on either side of an impossible one."""
    trials = cell.problems[0] * cell.samples
    _, below = count_range(cell.printed, trials)
    unit = cell.printed.rounding.full / 10**cell.printed.rounding.decimals
    decimals = cell.printed.rounding.decimals + 2
    low, high = (f"{c}/{trials} = {unit * c / trials:.{decimals}f}" for c in (below, below + 1))
    return f" ({low}, {high})"


def check_joint(
    table: PublishedTable, sizes: dict[str, Sizes], joint: list[JointResult], failing: set[int]
) -> list[Finding]:
    """Lines whose cells are possible one by one, and whose total fits its strata, but not in whole successes.

    Lines that another check already reports (``failing``, by identity) are left to it.
    """
    findings = []
    for result in joint:
        line = result.line
        if not result.stated or result.miss == 0 or not result.cells_possible or id(line) in failing or not line.total:
            continue
        known = sizes[line.benchmark]
        trials = int(known.splits[0].sum()) * result.samples
        smallest = next(iter(feasible_samples(line, known)), None)
        others = [j for j in joint if j.line is line and not j.stated]
        text = (
            f"The strata's successes cannot add up to the total's at n = {result.samples}: they miss by {result.miss} "
            f"of {trials:,}."
        )
        text += f" Smallest n that works: {smallest}." if smallest else f" No n up to {MAX_SAMPLES} works."
        text += "".join(f" At n = {j.samples}: {'possible' if j.miss == 0 else 'impossible too'}." for j in others)
        findings.append(
            Finding(
                "joint counts",
                "marginal" if result.miss == 1 else "conditional",
                line.where,
                text,
                ("rounding", "samples", known.assumption, "same problems"),
                {
                    "samples": result.samples,
                    "miss_successes": result.miss,
                    "trials": trials,
                    "smallest_samples": smallest,
                },
            )
        )
    return findings
