"""The simulated worlds: beta-distributed solve rates, binomial samples, and differences with known mean.

Every world's true mean difference is known in closed form. In the *null* worlds it is zero in three ways: the arms
have the same rate on every problem; rates exchangeable between arms but different problem by problem; and a weak null
where few problems gain much and many lose a little, so that differences are skewed. In the *effect* worlds the failure
rate of a problem is multiplied by a random factor m, so that ``E pass@k = 1 − E(1 − p)^k · E m^k``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats._arrays import Floats
from harness.stats.passk import beta_pass_at_k, pass_at_k

World = Literal["same rates", "exchangeable", "weak null", "rare gain", "broad gain"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A Beta(a, b) distribution of solve rates over problems."""

    name: str
    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)


SHAPES = {
    s.name: s
    for s in (Shape("1 %", 0.1, 9.9), Shape("5 %", 0.2, 3.8), Shape("50 %", 0.5, 0.5), Shape("95 %", 3.8, 0.2))
}
"""Solve rates near 0, ½ and 1, spread out as benchmarks are: most problems are solved nearly always or never."""

BLOCK = 250
"""Experiments simulated at a time; each block has its own resampling weights and sign patterns."""

RARE_SHARE, RARE_FACTOR = 0.1, 0.4
BROAD_LOWEST = 0.5


@dataclass(frozen=True, slots=True)
class Cell:
    """One simulated design. ``seed_sd`` and ``interaction_sd`` are on the logit scale, per arm."""

    world: World
    shape: str
    problems: int
    samples: int
    seeds: int = 1
    seed_sd: float = 0.0
    interaction_sd: float = 0.0

    @property
    def ks(self) -> tuple[int, ...]:
        """The k of pass@k evaluated on this cell's samples."""
        return (1, 5) if self.samples >= 10 and self.world != "weak null" else (1,)

    def truth(self, k: int) -> float:
        """True mean difference of pass@k over the population of problems."""
        if self.world in ("same rates", "exchangeable", "weak null"):
            return 0.0
        miss = 1.0 - self.control_truth(k)
        if self.world == "rare gain":
            return miss * RARE_SHARE * (1.0 - RARE_FACTOR**k)
        return miss * (1.0 - (1.0 - BROAD_LOWEST ** (k + 1)) / ((k + 1) * (1.0 - BROAD_LOWEST)))

    def control_truth(self, k: int) -> float:
        """True mean pass@k of the control arm (without seed effects)."""
        shape = SHAPES[self.shape]
        return beta_pass_at_k(shape.a, shape.b, k)


def _treated(cell: Cell, rates: Floats, rng: np.random.Generator) -> Floats:
    shape = SHAPES[cell.shape]
    if cell.world == "same rates":
        return rates
    if cell.world == "exchangeable":
        return rng.beta(shape.a, shape.b, rates.shape)
    chosen = rng.random(rates.shape) < RARE_SHARE
    if cell.world == "rare gain":
        return np.where(chosen, 1.0 - (1.0 - rates) * RARE_FACTOR, rates)
    if cell.world == "broad gain":
        return 1.0 - (1.0 - rates) * rng.uniform(BROAD_LOWEST, 1.0, rates.shape)
    # Weak null: the chosen few gain a share g of their failures, the others lose a share of their successes, and the
    # two balance on average: RARE_SHARE · g · (1 − μ) = (1 − RARE_SHARE) · loss · μ.
    gain = min(0.6, (1.0 - RARE_SHARE) * 0.5 * shape.mean / (RARE_SHARE * (1.0 - shape.mean)))
    loss = RARE_SHARE * gain * (1.0 - shape.mean) / ((1.0 - RARE_SHARE) * shape.mean)
    return np.where(chosen, rates + (1.0 - rates) * gain, rates * (1.0 - loss))


def _seeded(cell: Cell, rates: Floats, rng: np.random.Generator) -> Floats:
    """Rates ``[replicates, seeds, problems]`` after each training seed's own shift and jitter on the logit scale."""
    replicates, problems = rates.shape
    if cell.seeds == 1 and cell.seed_sd == 0.0 and cell.interaction_sd == 0.0:
        return rates[:, None, :]
    shift = cell.seed_sd * rng.standard_normal((replicates, cell.seeds, 1))
    shift = shift + cell.interaction_sd * rng.standard_normal((replicates, cell.seeds, problems))
    p = rates[:, None, :]
    # expit(logit p + shift) without forming logits, which overflow for rates of nearly 0.
    factor = np.exp(shift)
    out: Floats = p * factor / (p * factor + (1.0 - p))
    return out


def draw(cell: Cell, replicates: int, rng: np.random.Generator) -> Iterator[dict[int, tuple[Floats, Floats]]]:
    """Simulated experiments in blocks: for each k, values of both arms ``[replicates, seeds, problems]``."""
    rows = min(replicates, BLOCK)
    shape = SHAPES[cell.shape]
    tables = {k: pass_at_k(cell.samples, np.arange(cell.samples + 1), k) for k in cell.ks}
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        rates = rng.beta(shape.a, shape.b, (count, cell.problems))
        treated = _treated(cell, rates, rng)
        counts = [rng.binomial(cell.samples, _seeded(cell, p, rng)) for p in (treated, rates)]
        yield {k: (table[counts[0]], table[counts[1]]) for k, table in tables.items()}


def paired_grid(fast: bool = False) -> list[Cell]:
    """Cells with one training seed, for paired contrasts and single arms."""
    if fast:
        return [
            Cell("same rates", "50 %", 131, 10),
            Cell("rare gain", "5 %", 131, 10),
            Cell("same rates", "1 %", 31, 1),
        ]
    cells = [
        Cell("same rates", shape, problems, samples)
        for problems in (31, 131, 374, 1055)
        for samples in ((1, 4, 10, 64) if problems <= 131 else (1, 10, 64))
        for shape in SHAPES
    ]
    worlds: tuple[World, ...] = ("exchangeable", "weak null", "rare gain", "broad gain")
    for world in worlds:
        for problems in (31, 131, 374):
            for samples in (1, 10):
                for shape in ("5 %", "50 %", "95 %"):
                    cells.append(Cell(world, shape, problems, samples))
    return cells


def seed_grid(fast: bool = False) -> list[Cell]:
    """Cells with several training seeds per arm: no seed effect, a moderate one, and one that dominates."""
    if fast:
        return [Cell("same rates", "50 %", 131, 10, 3, sd, 0.5) for sd in (0.0, 0.5)]
    cells = [
        Cell("same rates", shape, problems, samples, seeds, sd, 0.5)
        for seeds in (2, 3, 5)
        for problems in (31, 131)
        for samples in (1, 10)
        for shape in ("5 %", "50 %")
        for sd in (0.0, 0.1, 0.5)
    ]
    cells += [Cell("same rates", "50 %", 1055, 10, seeds, sd, 0.5) for seeds in (2, 3, 5) for sd in (0.0, 0.1, 0.5)]
    return cells
