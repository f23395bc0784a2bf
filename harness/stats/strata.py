"""Does the gain differ between difficulty strata? One pre-declared interaction test, not a hunt through subgroups.

Strata made from solve rates must come from *other samples* than those being compared. A problem called "hard" because
its tested samples happened to fail will look improved by any second look at it. This regression to the mean makes the
interaction test reject in most null experiments (docs/calibration.md). :func:`split_samples` and :func:`rate_strata`
make strata from one part of the base model's samples and leave the other part for the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.stats._arrays import Floats, Interval, Ints, as_matrix
from harness.stats._scipy import f_tail
from harness.stats.contrast import paired_contrast
from harness.stats.multiplicity import holm

SMALLEST_STRATUM = 10
"""Problems a stratum needs to enter the interaction test."""


def split_samples(
    n: ArrayLike, c: ArrayLike, share: float = 0.5, *, seed: int = 0
) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Divide each problem's samples at random into two disjoint parts, from counts alone.

    Samples of a problem are exchangeable, so the passes in a random part are hypergeometric and no individual verdicts
    are needed.

    Returns:
        ``((n1, c1), (n2, c2))`` with ``n1 ≈ share · n``.
    """
    samples, passed = np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64)
    if not 0 < share < 1:
        raise BadInput(f"share={share}: must be between 0 and 1")
    first = np.floor(samples * share + 0.5).astype(np.int64)
    rng = np.random.default_rng([seed, 3])
    taken = rng.hypergeometric(passed, samples - passed, first)
    return (first, taken), (samples - first, passed - taken)


def rate_strata(
    n: ArrayLike,
    c: ArrayLike,
    edges: Sequence[float] = (1 / 3, 2 / 3),
    names: Sequence[str] = ("hard", "medium", "easy"),
) -> NDArray[Any]:
    """Stratum of each problem by its observed solve rate: ``names[i]`` between successive ``edges``."""
    if len(names) != len(edges) + 1:
        raise BadInput(f"{len(edges)} edges make {len(edges) + 1} strata, but {len(names)} names were given")
    rates = np.asarray(c, dtype=np.float64) / np.asarray(n, dtype=np.float64)
    return np.asarray(names)[np.searchsorted(np.asarray(edges), rates, side="left")]


@dataclass(frozen=True, slots=True)
class StratumEffect:
    """Mean difference within one stratum. ``p_holm`` is adjusted over the strata."""

    stratum: str
    n_problems: int
    difference: float
    interval: Interval
    p_value: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class Interaction:
    """Whether the difference varies between strata.

    ``p_value`` is the larger of two: ``p_permutation`` of the permutation test with Welch's statistic and ``p_welch``
    of Welch's F itself (Biometrika 1951); each fails in its own small-sample way, seldom both.
    ``effects`` describe the strata; read them only if the interaction was declared beforehand.
    """

    p_value: float
    p_permutation: float
    p_welch: float
    statistic: float
    effects: tuple[StratumEffect, ...]
    notes: tuple[str, ...]


def welch_statistic(values: Floats, codes: Ints, groups: int) -> tuple[Floats, Floats]:
    """Welch's F and its second degrees of freedom for ``codes`` and ``values [..., problems]``."""
    member = (codes[..., None] == np.arange(groups)).astype(np.float64)
    counts = member.sum(axis=-2)
    means = np.einsum("...pg,...p->...g", member, values) / counts
    squares = np.einsum("...pg,...p->...g", member, values**2)
    variances = (squares - counts * means**2) / (counts - 1)
    # A stratum whose differences are all equal would get infinite weight: a floor of a small part of the whole spread.
    variances = np.maximum(variances, 1e-3 * np.var(values, axis=-1)[..., None] + 1e-300)
    weights = counts / variances
    total = weights.sum(axis=-1, keepdims=True)
    centre = (weights * means).sum(axis=-1, keepdims=True) / total
    lack = ((1.0 - weights / total) ** 2 / (counts - 1)).sum(axis=-1)
    between = (weights * (means - centre) ** 2).sum(axis=-1) / (groups - 1)
    statistic = between / (1.0 + 2.0 * (groups - 2) / (groups**2 - 1) * lack)
    return statistic, (groups**2 - 1) / (3.0 * lack)


def strata_interaction(
    treatment: ArrayLike,
    control: ArrayLike,
    strata: Sequence[str] | NDArray[Any],
    *,
    level: float = 0.95,
    permutations: int = 10_000,
    seed: int = 0,
    describe: bool = True,
) -> Interaction:
    """Test whether ``treatment − control`` has the same mean in every stratum.

    The statistic is Welch's F, which allows strata to differ in variance; its null distribution comes from shuffling
    stratum labels over problems. Studentising makes the shuffle hold, in large samples, when variances differ
    (Chung & Romano, Annals of Statistics 2013).

    Args:
        treatment: ``[problems]`` or ``[seeds, problems]`` (seeds are averaged: inference about these trained models).
        control: likewise.
        strata: one label per problem, made without looking at the samples compared here.
        level: level of the strata's intervals.
        permutations: random shuffles.
        seed: seeds the shuffles and the strata's own contrasts.
        describe: whether to work out each stratum's effect as well (``effects`` is empty otherwise).

    Strata with fewer than :data:`SMALLEST_STRATUM` defined problems are left out and noted: with a handful of problems
    no test of an interaction keeps its level. Fewer than two strata left raise ``BadInput``.
    """
    left, right = as_matrix(treatment, "treatment"), as_matrix(control, "control")
    labels = np.asarray(strata)
    if labels.shape != (left.shape[1],) or left.shape[1] != right.shape[1]:
        raise BadInput("strata: one label per problem, with treatment and control over the same problems")
    defined = np.flatnonzero(~(np.isnan(left).any(axis=0) | np.isnan(right).any(axis=0)))
    names, codes, counts = np.unique(labels[defined], return_inverse=True, return_counts=True)
    small = [str(name) for name, count in zip(names, counts, strict=True) if count < SMALLEST_STRATUM]
    notes = [f"stratum {name} left out: fewer than {SMALLEST_STRATUM} problems" for name in small]
    keep = defined[counts[codes] >= SMALLEST_STRATUM]
    names, codes = np.unique(labels[keep], return_inverse=True)
    if names.size < 2:
        raise BadInput(f"an interaction needs at least two strata with {SMALLEST_STRATUM} problems each")
    values = left[:, keep].mean(axis=0) - right[:, keep].mean(axis=0)
    rng = np.random.default_rng([seed, 4])
    if np.ptp(values) <= 1e-13:
        p_value, statistic, p_welch = 1.0, 0.0, 1.0
        notes.append("the difference is the same on every problem")
    else:
        observed, degrees = welch_statistic(values, codes, names.size)
        statistic = float(observed)
        p_welch = f_tail(statistic, names.size - 1, float(degrees))
        reached = 0
        rows = max(1, 1_000_000 // values.size)
        for start in range(0, permutations, rows):
            shuffled = rng.permuted(np.tile(codes, (min(rows, permutations - start), 1)), axis=1)
            reached += int(
                np.count_nonzero(welch_statistic(values, shuffled, names.size)[0] >= statistic * (1 - 1e-10))
            )
        p_value = (1 + reached) / (1 + permutations)
    contrasts = []
    for name in names if describe else ():
        chosen = keep[labels[keep] == name]
        contrasts.append(paired_contrast(left[:, chosen], right[:, chosen], level=level, seed=seed, resamples=2_000))
    adjusted = holm([c.p_value for c in contrasts])
    effects = tuple(
        StratumEffect(str(name), c.n_problems, c.difference, c.interval, c.p_value, float(p))
        for name, c, p in zip(names if describe else (), contrasts, adjusted, strict=True)
    )
    return Interaction(max(p_value, p_welch), p_value, p_welch, statistic, effects, tuple(notes))
