"""All checks of one published table, gathered. Rendering is elsewhere; nothing here is random."""

from __future__ import annotations

from dataclasses import dataclass

from harness.forensics import cells as _cells
from harness.forensics import gains as _gains
from harness.forensics.design import ArmNoise, DeltaNoise, arm_noise, delta_noise
from harness.forensics.finding import Finding
from harness.forensics.model import PublishedTable
from harness.forensics.passk import check_pairs
from harness.forensics.selection import GridSummary, summarise
from harness.forensics.sizes import Sizes, find_sizes
from harness.forensics.statements import Outcome, check_captions, check_statements, outcomes
from harness.forensics.totals import TotalRow, check_totals, weighted_rows

CHECKS = {
    "total": "a total is the size-weighted mean of its strata",
    "total range": "a total lies between its smallest and its largest stratum",
    "granularity": "a cell is a whole number of successes over problems × samples",
    "joint counts": "the strata's successes add up to the total's",
    "pass@k pair": "pass@j ≤ pass@k ≤ (k/j)·pass@j, and what n allows",
    "gain weighting": "the overall gain is a weighted mean of the strata's gains",
    "delta": "a printed delta is treatment − control",
    "captions": "sweeps with the same numbers have the same captions",
    "statement": "a sentence agrees with the numbers it is about",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checks found, and what they looked at (``looked`` counts by check)."""

    sizes: dict[str, Sizes]
    totals: tuple[TotalRow, ...]
    cells: tuple[_cells.CellResult, ...]
    joint: tuple[_cells.JointResult, ...]
    deltas: _gains.Deltas
    statements: tuple[Outcome, ...]
    looked: dict[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Findings, and what the published design could have detected."""

    table: PublishedTable
    checked: Findings
    arms: tuple[ArmNoise, ...]
    noise: tuple[DeltaNoise, ...]
    grids: tuple[GridSummary, ...]
    unstated: tuple[_cells.Unstated, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.checked.findings


def find(table: PublishedTable) -> Findings:
    """Run the checks alone."""
    sizes = find_sizes(table)
    totals = weighted_rows(table, sizes)
    about_totals = check_totals(table, sizes, totals)
    cells = _cells.cell_results(table, sizes)
    joint = _cells.joint_results(table, sizes, cells)
    reported = {id(row.line) for row in totals if row.miss}
    deltas, about_deltas = _gains.check_deltas(table)
    weightings, about_weightings = _gains.check_weightings(table, sizes)
    pairs, about_pairs = check_pairs(table, sizes)
    statements = outcomes(table)
    captions = check_captions(table)
    grids = len(table.grids)
    return Findings(
        sizes=sizes,
        totals=tuple(totals),
        cells=tuple(cells),
        joint=tuple(joint),
        deltas=deltas,
        statements=tuple(statements),
        looked={
            "total": len(totals),
            "total range": sum(line.complete for line in table.lines),
            "granularity": sum(c.stated for c in cells),
            "joint counts": sum(j.stated for j in joint),
            "pass@k pair": pairs,
            "gain weighting": weightings,
            "delta": deltas.printed,
            "captions": grids * (grids - 1) // 2,
            "statement": sum(s.checked for s in statements),
        },
        findings=(
            *about_totals,
            *_cells.check_cells(table, sizes, cells),
            *_cells.check_joint(table, sizes, joint, reported),
            *about_pairs,
            *about_weightings,
            *about_deltas,
            *captions,
            *check_statements(statements),
        ),
    )


def report(table: PublishedTable) -> Report:
    """Everything there is to say about a published table."""
    checked = find(table)
    seen: set[tuple[object, ...]] = set()
    grids = []
    for grid in table.grids:
        # A sweep printed twice is summarised once.
        key = (grid.metric, grid.benchmark, grid.rows, grid.columns, grid.cells)
        if key not in seen:
            seen.add(key)
            grids.append(summarise(table, grid))
    return Report(
        table=table,
        checked=checked,
        arms=tuple(arm_noise(table)),
        noise=tuple(delta_noise(table, checked.sizes)),
        grids=tuple(grids),
        unstated=tuple(_cells.unstated_samples(table)),
    )
