"""Stratum sizes: stated, or recovered by searching every split of the problems.

A total is the size-weighted mean of its strata. A split *explains* a line if some values that print as the strata
average to some value that prints as the total. The splits that explain the most lines are accepted, all of them:
checks that need sizes report only what fails under every accepted split, so a table that is consistent under its true
sizes is never reported, however many other splits fit it too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.forensics.model import Benchmark, Line, PublishedTable

MAX_SPLITS = 3_000_000
_CHUNK = 20_000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Search:
    """How well the problems' splits explain a table.

    Attributes:
        splits: How many were tried (every one into non-empty strata).
        lines: How many different complete lines they were tried on.
        explained: Lines explained by each accepted split.
        next_best: The split that explains most lines among the others, and how many it explains (None if no others).
            Among equals, the one with the smallest summed gap.
        next_best_count: How many splits explain that many.
    """

    splits: int
    lines: int
    explained: int
    next_best: tuple[tuple[int, ...], int] | None
    next_best_count: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Accepted sizes of a benchmark's strata, shape (number of splits, strata). ``search`` is None if they were stated.

    ``usable`` is False where the search explains too little to lean on: then no check uses the sizes.
    """

    splits: Ints
    search: Search | None
    usable: bool

    @property
    def unique(self) -> tuple[int, ...] | None:
        """The sizes, where only one split is accepted."""
        return tuple(int(x) for x in self.splits[0]) if len(self.splits) == 1 else None

    @property
    def assumption(self) -> str:
        return "stated sizes" if self.search is None else "recovered sizes"

    def of(self, stratum: int) -> list[int]:
        """Distinct accepted sizes of one stratum."""
        return [int(x) for x in np.unique(self.splits[:, stratum])]


def all_splits(total: int, parts: int) -> Ints | None:
    """Every ordered split of ``total`` into ``parts`` positive sizes; None if there are more than MAX_SPLITS."""
    if parts < 1 or total < parts or math.comb(total - 1, parts - 1) > MAX_SPLITS:
        return None
    if parts == 1:
        return np.array([[total]], dtype=np.int64)
    heads = np.stack(
        [axis.ravel() for axis in np.meshgrid(*[np.arange(1, total - parts + 2)] * (parts - 1), indexing="ij")], axis=1
    )
    last = total - heads.sum(axis=1)
    splits: Ints = np.concatenate([heads, last[:, None]], axis=1)[last >= 1].astype(np.int64)
    return splits


def distinct(lines: list[Line]) -> list[Line]:
    """Lines that print different numbers: a row quoted twice is one piece of evidence."""
    return list({(line.total, line.strata): line for line in lines}.values())


def bounds(lines: list[Line]) -> tuple[Ints, Ints, Ints, Ints]:
    """Half-tick bounds of complete lines: strata low and high, shape (lines, strata), total low and high, (lines,)."""
    strata = np.array([[s.bounds() for s in line.strata if s is not None] for line in lines], dtype=np.int64)
    totals = np.array([line.total.bounds() for line in lines if line.total is not None], dtype=np.int64)
    return strata[..., 0], strata[..., 1], totals[:, 0], totals[:, 1]


def miss(splits: Ints, lines: list[Line]) -> Ints:
    """How far each split's implied total stays from each printed one, in half-ticks × problems; 0 if they meet.

    Shape (splits, lines).
    """
    low, high, total_low, total_high = bounds(lines)
    problems = splits.sum(axis=1, keepdims=True)
    over = splits @ low.T - problems * total_high
    under = problems * total_low - splits @ high.T
    apart: Ints = np.maximum(np.maximum(over, under), 0)
    return apart


def search_sizes(benchmark: Benchmark, lines: list[Line]) -> Sizes | None:
    """Search all splits; None where there is nothing to search with or too much to search."""
    lines = distinct([line for line in lines if line.complete])
    if benchmark.problems is None or not lines:
        return None
    splits = all_splits(benchmark.problems, len(benchmark.strata))
    if splits is None:
        return None
    explained = np.concatenate(
        [(miss(splits[i : i + _CHUNK], lines) == 0).sum(axis=1) for i in range(0, len(splits), _CHUNK)]
    )
    best = int(explained.max())
    accepted = splits[explained == best]
    others = explained < best
    next_best = None
    ties = 0
    if others.any():
        score = int(explained[others].max())
        rivals = splits[explained == score]
        ties = len(rivals)
        middle = np.array([[s.ticks for s in line.strata if s is not None] for line in lines], dtype=np.int64)
        totals = np.array([line.total.ticks for line in lines if line.total is not None], dtype=np.int64)
        gaps = np.abs(rivals @ middle.T - benchmark.problems * totals).sum(axis=1)
        next_best = (tuple(int(x) for x in rivals[int(gaps.argmin())]), score)
    search = Search(len(splits), len(lines), best, next_best, ties)
    # A few lines can be explained by chance or bent by one misprint; demand a clear majority and some to spare.
    usable = 4 * best >= 3 * len(lines) and best >= len(benchmark.strata) + 2
    return Sizes(accepted, search, usable)


def find_sizes(table: PublishedTable) -> dict[str, Sizes]:
    """Sizes of every benchmark that has strata: stated ones as they are, the others recovered where possible."""
    found: dict[str, Sizes] = {}
    for benchmark in table.benchmarks:
        if benchmark.sizes:
            found[benchmark.name] = Sizes(np.array([benchmark.sizes], dtype=np.int64), None, True)
        elif len(benchmark.strata) > 1:
            searched = search_sizes(benchmark, [x for x in table.lines if x.benchmark == benchmark.name])
            if searched is not None:
                found[benchmark.name] = searched
    return found
