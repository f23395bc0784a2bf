"""Bootstrap over problems by weights: one matrix product resamples a whole table.

A resample of problems is a vector of counts that sum to the number of problems. Writing all resamples as one matrix
of counts turns "resample every arm and every contrast together" into a matrix product, which keeps arms paired, costs
no index copies, and is the same random resample for everything in the table. Clusters are drawn whole. Training
seeds, when resampled, are *crossed* with problems: one draw of problems serves all seeds and both arms.

Intervals: percentile, and BCa (Efron, JASA 1987; DiCiccio & Efron, Statistical Science 1996), with ties counted half
because pass rates live on a lattice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.errors import BadInput
from harness.stats._arrays import Floats, Interval, Ints, cluster_sums
from harness.stats._scipy import normal_cdf, normal_quantile

_CHUNK_CELLS = 200_000
"""Cells of the weight matrix made at a time (1.6 MB), small enough to stay in the cache: a third faster than 16 MB."""


def resampling_weights(rng: np.random.Generator, resamples: int, size: int) -> Iterator[Floats]:
    """Multinomial counts of bootstrap resamples in chunks ``[rows, size]``, each row summing to ``size``.

    The chunks partition the resamples; their size depends only on ``size``, so the draws depend only on the generator.
    """
    if resamples < 1:
        raise BadInput(f"resamples={resamples}: must be at least 1")
    rows = max(1, min(resamples, _CHUNK_CELLS // max(size, 1)))
    offsets = (np.arange(rows, dtype=np.uint64) * np.uint64(size))[:, None]
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        cells = count * size
        # Two 32-bit numbers from each raw word, scaled to 0…size−1. The scaling favours some problems by at most
        # size/2³², which is far below Monte Carlo error, and is twice as fast as drawing bounded integers.
        words = rng.integers(0, 2**64, size=(cells + 1) // 2, dtype=np.uint64).view(np.uint32)
        drawn = words[:cells].reshape(count, size).astype(np.uint64)
        drawn *= np.uint64(size)
        drawn >>= np.uint64(32)
        drawn += offsets[:count]
        counts = np.bincount(drawn.view(np.int64).ravel(), minlength=cells)
        yield counts.reshape(count, size).astype(np.float64)


def bootstrap_means(
    values: Floats,
    *,
    resamples: int,
    rng: np.random.Generator,
    codes: Ints | None = None,
) -> Floats:
    """Bootstrap distribution of column means over problems.

    Args:
        values: ``[problems, columns]``; every column is resampled with the same problems.
        resamples: number of bootstrap resamples.
        rng: seeded generator.
        codes: cluster of each problem (0…G−1); clusters are then drawn whole and a mean is over the problems drawn.

    Returns:
        ``[resamples, columns]``.
    """
    problems = values.shape[0]
    out = np.empty((resamples, values.shape[1]))
    if codes is None:
        units, sizes = values, None
    else:
        groups = int(codes.max()) + 1
        units = np.zeros((groups, values.shape[1]))
        np.add.at(units, codes, values)
        sizes = np.bincount(codes, minlength=groups).astype(np.float64)
    start = 0
    for weights in resampling_weights(rng, resamples, units.shape[0]):
        stop = start + weights.shape[0]
        np.matmul(weights, units, out=out[start:stop])
        out[start:stop] /= problems if sizes is None else (weights @ sizes)[:, None]
        start = stop
    return out


def percentile_interval(draws: Floats, level: float) -> Interval:
    """The central ``level`` share of the bootstrap distribution."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)


def acceleration(influence: Floats) -> float:
    """BCa acceleration from empirical influence values: ``Σ l³ / (6 (Σ l²)^{3/2})``.

    Influences of several independent factors (problems and seeds) are simply concatenated (DiCiccio & Efron 1996, §6).
    """
    spread = float(np.sum(influence**2))
    return 0.0 if spread <= 0.0 else float(np.sum(influence**3)) / (6.0 * spread**1.5)


def bca_interval(draws: Floats, estimate: float, accel: float, level: float) -> Interval:
    """Bias-corrected and accelerated interval from bootstrap ``draws`` of one statistic.

    A degenerate distribution (all draws equal) gives the point interval at the estimate.
    """
    scale = float(np.max(np.abs(draws - estimate), initial=0.0))
    if scale <= 1e-13 * max(abs(estimate), 1.0):
        return estimate, estimate
    # Matrix products leave rounding noise of ~1e-16 that would break exact ties.
    slack = 1e-12 * max(scale, abs(estimate))
    below = np.count_nonzero(draws < estimate - slack)
    at = np.count_nonzero(np.abs(draws - estimate) <= slack)
    share = (below + 0.5 * at) / draws.size
    bias = normal_quantile(min(max(share, 0.5 / draws.size), 1.0 - 0.5 / draws.size))
    tails = []
    for z in (normal_quantile((1.0 - level) / 2.0), normal_quantile((1.0 + level) / 2.0)):
        shifted = bias + z
        tails.append(normal_cdf(bias + shifted / (1.0 - accel * shifted)))
    low, high = np.quantile(draws, tails)
    return float(low), float(high)


SEEDS_TO_RESAMPLE = 5
"""Training seeds below which a bootstrap does not resample them: too few for their spread to be seen that way."""


def crossed_bootstrap(
    arms: Sequence[Floats],
    *,
    resamples: int,
    rng: np.random.Generator,
    codes: Ints | None = None,
    resample_seeds: bool | None = None,
) -> tuple[Floats, list[Floats]]:
    """Bootstrap arms together: one draw of problems for all arms and seeds, one draw of seeds for arms of equal count.

    Args:
        arms: each ``[seeds, problems]``, all over the same problems.
        resamples: number of resamples.
        rng: seeded generator.
        codes: cluster of each problem.
        resample_seeds: whether seeds are drawn too; ``None`` means where there are at least five.

    Returns:
        Draws of the arms' means, ``[resamples, arms]``, and each arm's empirical influence values: over problems (or
        clusters), followed by those over seeds if they are resampled.
    """
    counts = [arm.shape[0] for arm in arms]
    drawn = [
        count > 1 and (count >= SEEDS_TO_RESAMPLE if resample_seeds is None else resample_seeds) for count in counts
    ]
    rows = [arm if d else arm.mean(axis=0, keepdims=True) for arm, d in zip(arms, drawn, strict=True)]
    means = bootstrap_means(np.concatenate(rows).T, resamples=resamples, rng=rng, codes=codes)
    picks = {
        count: np.concatenate(list(resampling_weights(rng, resamples, count))) / count
        for count in sorted({c for c, d in zip(counts, drawn, strict=True) if d})
    }
    draws = np.empty((resamples, len(arms)))
    influences = []
    start = 0
    for i, (arm, row) in enumerate(zip(arms, rows, strict=True)):
        block = means[:, start : start + row.shape[0]]
        start += row.shape[0]
        draws[:, i] = np.einsum("bs,bs->b", block, picks[counts[i]]) if drawn[i] else block[:, 0]
        of_problems = arm.mean(axis=0)
        influence = [cluster_sums(of_problems - of_problems.mean(), codes) / of_problems.size]
        if drawn[i]:
            of_seeds = arm.mean(axis=1)
            influence.append((of_seeds - of_seeds.mean()) / counts[i])
        influences.append(np.concatenate(influence))
    return draws, influences


def difference_influence(influences: Sequence[Floats], draws_shared: int) -> Floats:
    """Influence values of the first arm minus the second: the first ``draws_shared`` (problems) are common to both."""
    left, right = influences
    shared = left[:draws_shared] - right[:draws_shared]
    if left.size == right.size:
        return left - right
    return np.concatenate([shared, left[draws_shared:], -right[draws_shared:]])
