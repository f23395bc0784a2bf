"""A published table as frozen values: what was printed and where. Read by :mod:`harness.forensics.load`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from harness.forensics.printed import Printed, Rounding


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named list of problems.

    Attributes:
        problems: Their number, or None where the publication does not say.
        samples: Samples per problem as stated, or None.
        considered: Other sample counts worth testing (the default of released code, say).
        strata: Names of the classes the problems are split into, in the order used everywhere.
        sizes: Problems in each stratum as stated, or None: then they are recovered by search.
    """

    name: str
    title: str
    problems: int | None
    samples: int | None
    considered: tuple[int, ...] = ()
    strata: tuple[str, ...] = ()
    sizes: tuple[int, ...] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One arm's printed values of one metric on one benchmark: the total and, in benchmark order, the strata."""

    table: str
    row: str
    arm: str
    metric: str
    benchmark: str
    total: Printed | None
    strata: tuple[Printed | None, ...] = ()
    samples: int | None = None

    @property
    def where(self) -> str:
        return f"{self.table} · {self.row} · {self.arm} · {self.benchmark} {self.metric}"

    @property
    def complete(self) -> bool:
        """Whether the total and at least two strata, and all of them, are printed."""
        return self.total is not None and len(self.strata) > 1 and all(s is not None for s in self.strata)


@dataclass(frozen=True, slots=True)
class Gain:
    """Printed differences, treatment − control, beside or instead of the two arms' own lines."""

    table: str
    row: str
    treatment: str
    control: str
    metric: str
    benchmark: str
    total: Printed | None
    strata: tuple[Printed | None, ...] = ()

    @property
    def where(self) -> str:
        return f"{self.table} · {self.row} · {self.treatment} − {self.control} · {self.benchmark} {self.metric}"


@dataclass(frozen=True, slots=True)
class Table:
    """A printed table: lines of its arms, and the gains it prints."""

    name: str
    title: str
    source: str
    control: str
    arms: tuple[str, ...]
    lines: tuple[Line, ...]
    gains: tuple[Gain, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A position in a grid that the publication singles out."""

    row: str
    column: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProductFit:
    """A published quadratic fit of a grid in the product of its two axes."""

    r_squared: float
    peak: float
    source: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A printed sweep: one metric over two axes.

    Attributes:
        cells: Row-major; None where nothing is printed.
        settings: What the caption says was held fixed.
        selected_over: Candidates of which each cell shows the best (checkpoints, say); 1 if none were chosen.
        baselines: Named values the grid is compared with.
        region: Largest product of the two axes for which cells count as the flat part, if that is asked for.
        group: Grids of the same runs in several metrics share a group.
    """

    name: str
    title: str
    source: str
    metric: str
    benchmark: str
    row_name: str
    rows: tuple[str, ...]
    column_name: str
    columns: tuple[str, ...]
    cells: tuple[tuple[Printed | None, ...], ...]
    settings: tuple[tuple[str, str], ...] = ()
    selected_over: int = 1
    baselines: tuple[tuple[str, Printed], ...] = ()
    reported: tuple[Cell, ...] = ()
    region: float | None = None
    fit: ProductFit | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Part of a statement: two numbers with the digits they were printed with, and the words that name them."""

    what: str
    first: Decimal
    second: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of the publication that its numbers can be held against.

    ``kind`` is ``same`` (each comparison's two numbers are one quantity), ``larger`` (the first exceeds the second),
    ``largest_gain`` (in every row of ``table``, the largest gain of ``metric`` is in one of ``strata``) or ``note``
    (recorded, not computed).
    """

    kind: Literal["same", "larger", "largest_gain", "note"]
    says: str
    source: str
    comparisons: tuple[Comparison, ...] = ()
    table: str = ""
    metric: str = ""
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings of one row: named stages (arms, or training), each a list of key and printed value."""

    row: str
    stages: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings table: which stages are compared, and from where."""

    source: str
    compare: tuple[str, ...]
    product: tuple[str, ...]
    rows: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A printed number that belongs to no table or grid; kept for readers, not checked."""

    what: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """All that was entered from one publication. ``digest`` is the SHA-256 of the YAML file."""

    title: str
    source: str
    caveats: tuple[str, ...]
    rounding: Rounding
    correlations: tuple[float, float]
    benchmarks: tuple[Benchmark, ...]
    tables: tuple[Table, ...]
    grids: tuple[Grid, ...]
    settings: Settings | None
    statements: tuple[Statement, ...]
    recorded: tuple[Recorded, ...]
    digest: str = ""
    name: str = ""

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark called ``name``."""
        return next(b for b in self.benchmarks if b.name == name)

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for table in self.tables for line in table.lines)


def grid_lines(table: PublishedTable) -> list[Line]:
    """Every cell of every sweep as a line of its own, so that what is checked for lines is checked for sweeps."""
    return [
        Line(
            table=grid.group,
            row=f"{grid.row_name} {row}, {grid.column_name} {column}",
            arm="sweep",
            metric=grid.metric,
            benchmark=grid.benchmark,
            total=cell,
            strata=(None,) * len(table.benchmark(grid.benchmark).strata),
        )
        for grid in table.grids
        for row, cells in zip(grid.rows, grid.cells, strict=True)
        for column, cell in zip(grid.columns, cells, strict=True)
        if cell is not None
    ]
