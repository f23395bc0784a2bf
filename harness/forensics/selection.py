"""How far the best cell of a sweep lies above a typical one when every cell is equally good.

The maximum of M noisy scores exceeds their common mean although nothing is better than anything else. The noise used
here is decoding noise alone (same problems, other samples), fitted to the grid's own median scores as in
:mod:`harness.forensics.noise`; noise is taken to be normal and independent between cells. Shared seeds would make
cells move together and the inflation smaller; differences between training runs would make it larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.forensics._scipy import Floats, binomial_tail, log_normal_cdf
from harness.forensics.model import Cell, Grid, PublishedTable
from harness.forensics.noise import fit_rates, problem_variance
from harness.forensics.printed import Printed, samples_drawn

_EDGES = np.linspace(-12.0, 12.0, 24_001)
_MIDDLES = (_EDGES[1:] + _EDGES[:-1]) / 2


def _cdf_of_maximum(count: int, points: Floats) -> Floats:
    cdf: Floats = np.exp(count * log_normal_cdf(points))
    return cdf


def expected_maximum(count: int) -> float:
    """E[max] of ``count`` independent standard normals, by quadrature of its distribution function."""
    cdf = _cdf_of_maximum(count, _MIDDLES)
    return float(np.where(_MIDDLES >= 0, 1.0 - cdf, -cdf).sum() * (_EDGES[1] - _EDGES[0]))


def sd_of_maximum(count: int) -> float:
    """Standard deviation of the maximum of ``count`` independent standard normals."""
    mass = np.diff(_cdf_of_maximum(count, _EDGES))
    mean = float((_MIDDLES * mass).sum())
    return math.sqrt(float(((_MIDDLES - mean) ** 2 * mass).sum()))


def chance_of_maximum(mean: float, sd: float, selected_over: int, cells: int, threshold: float, at_least: int) -> float:
    """Chance that ``at_least`` of ``cells`` independent cells reach ``threshold``.

    Each cell is the maximum of ``selected_over`` normals whose maximum has the given ``mean`` and ``sd``.
    """
    scale = sd / sd_of_maximum(selected_over)
    centre = mean - scale * expected_maximum(selected_over)
    single = -math.expm1(selected_over * float(log_normal_cdf((threshold - centre) / scale)))
    return binomial_tail(at_least, cells, single)


@dataclass(frozen=True, slots=True)
class Region:
    """The grid's flat part, where the product of the axes is at most a limit.

    ``chance_one`` and ``chance_all`` say how often one of the region's cells, or as many as do in the whole grid
    (``at_maximum``), would reach the grid's maximum by the scatter seen in the region alone.
    """

    limit: float
    cells: int
    mean: float
    sd: float
    at_maximum: int
    chance_one: float
    chance_all: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A quadratic in the product of the axes, refitted to the printed cells."""

    r_squared: float
    peak: float


@dataclass(frozen=True, slots=True)
class GridSummary:
    """A grid in figures, in its own unit; ``standard_error`` and what follows it are None without stated samples."""

    grid: Grid
    cells: int
    maximum: float
    at_maximum: tuple[Cell, ...]
    median: float
    mean: float
    above: tuple[tuple[str, float, float], ...]
    row_means: tuple[tuple[str, float], ...]
    reported: tuple[tuple[Cell, float, int, float | None], ...]
    standard_error: float | None
    inflation_cell: float | None
    inflation_grid: float | None
    inflation_all: float | None
    region: Region | None
    fit: Fit | None


def _values(grid: Grid) -> Floats:
    return np.array([[np.nan if c is None else c.value for c in row] for row in grid.cells], dtype=np.float64)


def _products(grid: Grid) -> Floats | None:
    try:
        rows, columns = np.array([float(r) for r in grid.rows]), np.array([float(c) for c in grid.columns])
    except ValueError:
        return None
    return np.asarray(rows[:, None] * columns[None, :], dtype=np.float64)


def _printed(grid: Grid) -> list[Printed]:
    return [c for row in grid.cells for c in row if c is not None]


def decoding_error(table: PublishedTable, grid: Grid) -> float | None:
    """Decoding-only standard error of a typical cell, from the group's median pass@1 and pass@k, in the grid's unit."""
    benchmark, k = table.benchmark(grid.benchmark), samples_drawn(grid.metric)
    group = {samples_drawn(g.metric): g for g in table.grids if g.group == grid.group and g.benchmark == grid.benchmark}
    if k is None or 1 not in group or benchmark.problems is None or benchmark.samples is None or k > benchmark.samples:
        return None
    highest = max(key for key in group if key is not None)
    if highest == 1:
        return None
    medians = {key: float(np.median([p.share for p in _printed(g)])) for key, g in group.items() if key is not None}
    variance = problem_variance(fit_rates(medians[1], medians[highest], highest), benchmark.samples, k)
    unit = table.rounding.full / 10**table.rounding.decimals
    return float(math.sqrt(variance.within / benchmark.problems) * unit)


def _region(grid: Grid, values: Floats, maximum: float) -> Region | None:
    products = _products(grid)
    if grid.region is None or products is None:
        return None
    # A product such as 0.6 × 2.0 may exceed 1.2 in binary by a rounding error.
    inside = (products <= grid.region + 1e-9) & ~np.isnan(values)
    cells = values[inside]
    if len(cells) < 3 or cells.std() == 0:
        return None
    hits = int((values == maximum).sum())
    half = 0.5 * 10.0 ** -_printed(grid)[0].rounding.decimals
    args = (float(cells.mean()), float(cells.std(ddof=1)), grid.selected_over, len(cells), maximum - half)
    return Region(
        grid.region, len(cells), args[0], args[1], hits, chance_of_maximum(*args, 1), chance_of_maximum(*args, hits)
    )


def _fit(grid: Grid, values: Floats) -> Fit | None:
    products = _products(grid)
    there = ~np.isnan(values)
    if products is None or there.sum() < 4:
        return None
    x, y = products[there], values[there]
    a, b, c = np.polyfit(x, y, 2)
    residual = y - (a * x**2 + b * x + c)
    total = float(((y - y.mean()) ** 2).sum())
    return Fit(1.0 - float((residual**2).sum()) / total, float(-b / (2 * a))) if total > 0 and a != 0 else None


def summarise(table: PublishedTable, grid: Grid) -> GridSummary:
    """Everything the report says about one grid."""
    values = _values(grid)
    flat = values[~np.isnan(values)]
    maximum = float(flat.max())
    error = decoding_error(table, grid)
    reported = []
    for cell in grid.reported:
        i, j = grid.rows.index(cell.row), grid.columns.index(cell.column)
        around = [
            values[a, b]
            for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
            if 0 <= a < len(grid.rows) and 0 <= b < len(grid.columns) and not np.isnan(values[a, b])
        ]
        rank = 1 + int((flat > values[i, j]).sum())
        reported.append((cell, float(values[i, j]), rank, float(np.mean(around)) if around else None))
    count = len(flat)
    return GridSummary(
        grid=grid,
        cells=count,
        maximum=maximum,
        at_maximum=tuple(Cell(grid.rows[i], grid.columns[j]) for i, j in np.argwhere(values == maximum).tolist()),
        median=float(np.median(flat)),
        mean=float(flat.mean()),
        above=tuple((name, b.value, float((flat > b.value).mean())) for name, b in grid.baselines),
        row_means=tuple(
            (name, float(np.nanmean(row)))
            for name, row in zip(grid.rows, values, strict=True)
            if not np.isnan(row).all()
        ),
        reported=tuple(reported),
        standard_error=error,
        inflation_cell=None if error is None else error * expected_maximum(grid.selected_over),
        inflation_grid=None if error is None else error * expected_maximum(count),
        inflation_all=None if error is None else error * expected_maximum(count * grid.selected_over),
        region=_region(grid, values, maximum),
        fit=_fit(grid, values),
    )
