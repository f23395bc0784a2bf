"""The methods of :mod:`harness.stats`, vectorised over simulated experiments.

These restate formulas that the library applies to one experiment at a time; :func:`spot_check` runs the library itself
on some experiments of every cell and fails if it decides differently, so the two cannot drift apart.

A bootstrap interval covers a value exactly when the value's bootstrap distribution function, transformed as BCa does,
lies between the tails; so no quantiles are needed, and the experiments of a block share one matrix of resampling
weights (each experiment's result is that of an ordinary bootstrap; only Monte Carlo errors are shared, within a block).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.stats._arrays import Floats, Ints, effective_count
from harness.stats._scipy import normal_quantile, t_upper
from harness.stats.bootstrap import resampling_weights
from harness.stats.bounds import clopper_pearson, log_wealth
from harness.stats.contrast import ENOUGH_EFFECTIVE, ENOUGH_INFORMATIVE, paired_contrast
from harness.stats.interval import ENOUGH_INTERIOR, mean_interval
from harness.stats.onesided import SKEWNESS_FACTOR

Bools = NDArray[np.bool_]
LEVEL = 0.95
TAIL = (1.0 - LEVEL) / 2.0


@dataclass(frozen=True, slots=True)
class Draws:
    """Resampling weights and sign patterns shared by a small block of experiments (single precision)."""

    weights: NDArray[np.float32]
    signs: NDArray[np.float32]

    @classmethod
    def make(cls, problems: int, resamples: int, rng: np.random.Generator) -> Draws:
        weights = np.concatenate(list(resampling_weights(rng, resamples, problems))) / problems
        # One fewer than a round number of random flips, so that (1 + count)/(1 + flips) can equal 5 % exactly.
        signs = rng.integers(0, 2, (problems, resamples - 1)) * 2 - 1
        return cls(np.ascontiguousarray(weights.T, dtype=np.float32), signs.astype(np.float32))


def _ndtri(p: Floats) -> Floats:
    from scipy.special import ndtri  # type: ignore[import-untyped]

    out: Floats = np.asarray(ndtri(p), dtype=np.float64)
    return out


def bootstrap_covers(values: Floats, truth: float, draws: Draws) -> tuple[Bools, Bools]:
    """Whether BCa and percentile intervals of the mean of ``values [replicates, problems]`` cover ``truth``."""
    means = values.mean(axis=1)
    centred = values - means[:, None]
    resampled = centred.astype(np.float32) @ draws.weights
    size = resampled.shape[1]

    def share(level: Floats) -> Floats:
        slack = 1e-5 * np.abs(resampled).max(axis=1, keepdims=True) + 1e-9
        below = np.count_nonzero(resampled < level[:, None] - slack, axis=1)
        upto = np.count_nonzero(resampled <= level[:, None] + slack, axis=1)
        middle: Floats = np.clip((below + upto) / (2.0 * size), 0.5 / size, 1.0 - 0.5 / size)
        return middle

    spread = np.sum(centred**2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        accel = np.where(spread > 0, np.sum(centred**3, axis=1) / (6.0 * spread**1.5), 0.0)
    bias = _ndtri(share(np.zeros_like(means)))
    at = share(truth - means)
    shifted = _ndtri(at) - bias
    z = shifted / (1.0 + accel * shifted) - bias
    # With no spread at all the interval is the point estimate.
    degenerate = spread <= 1e-20
    hit = np.abs(means - truth) <= 1e-12
    bca: Bools = np.where(degenerate, hit, np.abs(z) <= -normal_quantile(TAIL))
    percentile: Bools = np.where(degenerate, hit, (at >= TAIL) & (at <= 1.0 - TAIL))
    return bca, percentile


def sign_flip_rejects(values: Floats, draws: Draws) -> Bools:
    """Whether the sign-flip test of mean zero rejects at 5 %."""
    observed = np.abs(values.sum(axis=1))
    slack = 1e-5 * np.abs(values).sum(axis=1) + 1e-9
    sums = np.abs(values.astype(np.float32) @ draws.signs)
    reached = np.count_nonzero(sums >= (observed - slack)[:, None], axis=1)
    rejected: Bools = (1.0 + reached) / (1.0 + sums.shape[1]) <= 1.0 - LEVEL
    return rejected


def standard_errors(values: Floats) -> Floats:
    """Standard error of each replicate's mean over problems."""
    out: Floats = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    return out


def betting_tails(values: Floats, truth: float, low: float, high: float) -> tuple[Floats, Floats]:
    """Betting p-values of "mean ≤ truth" and "mean ≥ truth" for each replicate."""
    unit, m = (values - low) / (high - low), (truth - low) / (high - low)
    out = []
    for x, mean in ((unit, m), (1.0 - unit, 1.0 - m)):
        out.append(np.minimum(1.0, np.exp(-log_wealth(np.clip(x, 0.0, 1.0), mean))))
    return out[0], out[1]


@dataclass(slots=True)
class ContrastTally:
    """Counts over the replicates of one cell for one paired contrast with one seed."""

    replicates: int = 0
    enough: int = 0
    counted: int = 0
    hits: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, flags: Bools) -> None:
        self.hits[name] = self.hits.get(name, 0) + int(np.count_nonzero(flags))

    def rate(self, name: str) -> float:
        return self.hits.get(name, 0) / self.replicates

    @property
    def shares(self) -> tuple[float, float]:
        """Shares of experiments with enough to go by, and with 20 informative problems whatever their weight."""
        return self.enough / self.replicates, self.counted / self.replicates


def tally_contrast(tally: ContrastTally, differences: Floats, truth: float, draws: Draws) -> None:
    """Add a block of paired differences ``[replicates, problems]`` to a tally."""
    problems = differences.shape[1]
    means, errors = differences.mean(axis=1), standard_errors(differences)
    critical, critical_one = t_upper(TAIL, problems - 1), t_upper(2.0 * TAIL, problems - 1)
    informative = np.count_nonzero(np.abs(differences) > 1e-13, axis=1)
    counted = informative >= ENOUGH_INFORMATIVE
    sparse = ~counted | (effective_count(differences) < ENOUGH_EFFECTIVE)
    by_t = np.abs(means - truth) <= critical * errors + 1e-15
    recommended = by_t.copy()
    below, above = np.ones(means.size), np.ones(means.size)
    if sparse.any():
        below[sparse], above[sparse] = betting_tails(differences[sparse], truth, -1.0, 1.0)
        recommended[sparse] = np.minimum(below[sparse], above[sparse]) > TAIL
    bca, percentile = bootstrap_covers(differences, truth, draws)
    tally.replicates += means.size
    tally.enough += int(np.count_nonzero(~sparse))
    tally.counted += int(np.count_nonzero(counted))
    for name, flags in (("recommended", recommended), ("t", by_t), ("bca", bca), ("percentile", percentile)):
        tally.add(name, flags)
    if truth == 0.0:
        tally.add("reject sign flip", sign_flip_rejects(differences, draws))
        tally.add("reject t", ~recommended)
        tally.add("reject plain t", ~by_t & (np.abs(means) > 0))
    else:
        # Equivalence with the margin at the true difference: every rejection is an error.
        inside = guarded_below(differences, means, errors, informative, abs(truth)) <= 2.0 * TAIL
        inside[sparse] = above[sparse] <= 2.0 * TAIL
        tally.add("reject TOST", inside)
        tally.add("reject plain TOST", means + critical_one * errors < abs(truth))


def guarded_below(differences: Floats, means: Floats, errors: Floats, informative: Ints, null: float) -> Floats:
    """p-values of "the mean is at least ``null``", as :meth:`~harness.stats.onesided.SkewGuard.p_below`."""
    from scipy.special import stdtr

    centred = differences - means[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.mean(centred**3, axis=1) / np.mean(centred**2, axis=1) ** 1.5
        t = (means - null) / errors
    scaled = SKEWNESS_FACTOR * skewness / np.sqrt(differences.shape[1])
    a, b = scaled / 3.0, scaled / 6.0
    transformed = t + a * t**2 + a**2 * t**3 / 3.0 + b
    p: Floats = stdtr(np.maximum(informative - 1.0, 1.0), np.maximum(t, transformed))
    return p


def mcnemar_rejects(differences: Floats) -> Bools:
    """Exact McNemar at 5 % for differences of single samples (−1, 0 or 1)."""
    from scipy.special import bdtr

    gained, lost = (differences > 0).sum(axis=1), (differences < 0).sum(axis=1)
    p = np.minimum(1.0, 2.0 * bdtr(np.minimum(gained, lost).astype(np.float64), gained + lost, 0.5))
    rejected: Bools = p <= 1.0 - LEVEL
    return rejected


def score_covers(means: Floats, half: Floats, truth: float) -> Bools:
    """Whether the score interval covers: ``|m − μ| ≤ h·√(μ(1 − μ)/(m(1 − m)))``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(truth * (1.0 - truth) / (means * (1.0 - means)))
    inner = (means > 0.0) & (means < 1.0)
    return np.where(inner, np.abs(means - truth) <= half * np.where(inner, scale, 1.0), np.abs(means - truth) <= half)


def tally_mean(tally: ContrastTally, values: Floats, truth: float, draws: Draws) -> None:
    """Add a block of one arm's values ``[replicates, problems]`` to a tally."""
    problems = values.shape[1]
    means, errors = values.mean(axis=1), standard_errors(values)
    half = t_upper(TAIL, problems - 1) * errors
    interior = np.count_nonzero((values > 0.0) & (values < 1.0), axis=1)
    counted = interior >= ENOUGH_INTERIOR
    sparse = ~counted | (effective_count(values) < ENOUGH_EFFECTIVE)
    recommended = score_covers(means, half, truth)
    tally.add("score", recommended)
    binary = sparse & ((values == 0.0) | (values == 1.0)).all(axis=1)
    if binary.any():
        ends = np.array([clopper_pearson(c, problems, LEVEL) for c in range(problems + 1)])
        passed = np.rint(values[binary].sum(axis=1)).astype(np.int64)
        recommended[binary] = (ends[passed, 0] <= truth) & (truth <= ends[passed, 1])
    rest = sparse & ~binary
    if rest.any():
        below, above = betting_tails(values[rest], truth, 0.0, 1.0)
        recommended[rest] = np.minimum(below, above) > TAIL
    bca, percentile = bootstrap_covers(values, truth, draws)
    tally.replicates += means.size
    tally.enough += int(np.count_nonzero(~sparse))
    tally.counted += int(np.count_nonzero(counted))
    by_t = np.abs(means - truth) <= half + 1e-15
    for name, flags in (("recommended", recommended), ("t", by_t), ("bca", bca), ("percentile", percentile)):
        tally.add(name, flags)


def spot_check(treatment: Floats, control: Floats, truth: float, control_truth: float, count: int = 3) -> None:
    """Run the library on the first few experiments and compare its decisions with the vectorised ones.

    Raises:
        AssertionError: if coverage by a recommended interval, or rejection by the t test, differs.
    """
    for one, other in zip(treatment[:count, 0], control[:count, 0], strict=True):
        draws = Draws(np.full((one.size, 1), 1.0 / one.size, np.float32), np.ones((one.size, 1), np.float32))
        ours, single = ContrastTally(), ContrastTally()
        tally_contrast(ours, (one - other)[None], truth, draws)
        tally_mean(single, other[None], control_truth, draws)
        theirs = paired_contrast(one, other, resamples=2)
        low, high = theirs.interval
        if (low - 1e-9 <= truth <= high + 1e-9) != bool(ours.hits["recommended"]):
            raise AssertionError(f"paired interval {theirs.interval} and its vectorised form disagree about {truth}")
        upper = theirs.equivalence.interval[1]
        if truth > 0.0 and abs(upper - truth) > 1e-9 and (upper < truth) != bool(ours.hits["reject TOST"]):
            raise AssertionError(f"equivalence interval {theirs.equivalence.interval} and its vectorised form disagree")
        low, high = mean_interval(other).interval
        if (low - 1e-9 <= control_truth <= high + 1e-9) != bool(single.hits["recommended"]):
            raise AssertionError(f"mean interval {(low, high)} and its vectorised form disagree about {control_truth}")
