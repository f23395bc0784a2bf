"""Standard errors of a mean over problems and training seeds, crossed.

The model of a value is ``μ + problem + seed + (problem × seed and sampling noise)``. Every seed is evaluated on the
same problems, so a mean's variance is *not* that of seeds × problems independent values: the problem part does not
shrink with more seeds, and the seed part does not shrink with more problems.

With two to four seeds no interval is exact for every size of the seed part (its variance has one to three degrees of
freedom); :meth:`MeanSpread.half_width` is built to cover at least the stated level, and ``docs/calibration.md`` shows
what that costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.stats._arrays import Floats, Ints, cluster_sums
from harness.stats._scipy import find_root, t_tail, t_upper


def problem_variance(values: Floats, codes: Ints | None = None) -> tuple[float, int]:
    """Variance of the mean of per-problem ``values`` over a population of problems, and its degrees of freedom.

    With clusters: the cluster-robust form with the finite-cluster correction G/(G − 1), on G − 1 degrees of freedom.
    Returns ``(nan, 0)`` with fewer than two independent units.
    """
    residual = cluster_sums(values - values.mean(), codes)
    units = residual.size
    if units < 2:
        return float("nan"), 0
    return float(np.sum(residual**2)) * units / (units - 1) / values.size**2, units - 1


def seed_variance(values: Floats, codes: Ints | None = None) -> tuple[float, float, int]:
    """Seed part of the variance of the grand mean of ``[seeds, problems]``.

    Returns:
        ``(own, raw, degrees)``: the seed part alone with problem × seed noise subtracted and cut off at zero (the
        ANOVA estimator), the uncorrected variance of the seed means divided by the number of seeds, and its degrees of
        freedom. All zero for one seed.
    """
    seeds, problems = values.shape
    if seeds < 2:
        return 0.0, 0.0, 0
    raw = float(np.var(values.mean(axis=1), ddof=1)) / seeds
    residual = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    sums = cluster_sums(residual, codes)
    units = sums.shape[1]
    if units < 2:
        return raw, raw, seeds - 1
    noise = float(np.sum(sums**2)) / problems**2 / (seeds - 1) * units / (units - 1) / seeds
    return max(raw - noise, 0.0), raw, seeds - 1


@dataclass(frozen=True, slots=True)
class MeanSpread:
    """How uncertain a mean is.

    ``problems`` is the variance due to which problems were drawn (it contains the samples' noise), with
    ``problem_degrees`` degrees of freedom. ``seeds`` is the part due to which training seeds were drawn, ``seeds_raw``
    the same before the noise is subtracted, with ``seed_degrees`` (0 for one seed).
    """

    problems: float
    problem_degrees: int
    seeds: float = 0.0
    seeds_raw: float = 0.0
    seed_degrees: int = 0

    @property
    def standard_error(self) -> float:
        """Square root of the estimated total variance."""
        return float(np.sqrt(self.problems + self.seeds))

    def half_width(self, tail: float, over_seeds: bool = True) -> float:
        """Half-width of an interval with probability ``tail`` left out on each side.

        For one seed this is Student's t. Over seeds it is the larger of ``√(t²_P·V_P + t²_S·V_S)``, each part with its
        own t quantile, and ``t_S·√(V_S,raw)``, the plain t interval over seed means: the first is right while problems
        dominate, the second when seeds do.
        """
        if self.problem_degrees < 1:
            return float("nan")
        square = t_upper(tail, self.problem_degrees) ** 2 * self.problems
        if over_seeds and self.seed_degrees:
            quantile = t_upper(tail, self.seed_degrees) ** 2
            square = max(square + quantile * self.seeds, quantile * self.seeds_raw)
        return float(np.sqrt(square))

    def tail_probability(self, distance: float, over_seeds: bool = True) -> float:
        """One-sided p-value of an estimate ``distance`` above its null value: :meth:`half_width` inverted."""
        if self.problem_degrees < 1 or np.isnan(distance):
            return float("nan")
        if distance < 0:
            return 1.0 - self.tail_probability(-distance, over_seeds)
        if not (over_seeds and self.seed_degrees):
            if self.problems == 0.0:
                return 0.0 if distance > 0 else 0.5
            return t_tail(distance / float(np.sqrt(self.problems)), self.problem_degrees)
        smallest = 1e-100  # its t quantile on one degree of freedom, 1e99, can still be squared
        if distance == 0.0 or self.half_width(0.5 - 1e-12) >= distance:
            return 0.5
        if self.half_width(smallest) <= distance:
            return smallest

        def excess(log_tail: float) -> float:
            return self.half_width(float(np.exp(log_tail))) - distance

        return float(np.exp(find_root(excess, float(np.log(smallest)), float(np.log(0.5 - 1e-12)))))


def spread_of(values: Floats, codes: Ints | None = None) -> MeanSpread:
    """:class:`MeanSpread` of the grand mean of ``[seeds, problems]``."""
    variance, degrees = problem_variance(values.mean(axis=0), codes)
    return MeanSpread(variance, degrees, *seed_variance(values, codes))


def spread_of_difference(treatment: Floats, control: Floats, codes: Ints | None = None) -> MeanSpread:
    """:class:`MeanSpread` of ``treatment.mean() − control.mean()``, problems paired.

    With equally many seeds in both arms, seeds are paired by position (valid also when they are unrelated). Otherwise
    each arm with two or more seeds adds its own seed part, with Welch–Satterthwaite degrees of freedom rounded down.
    """
    if treatment.shape[0] == control.shape[0]:
        return spread_of(treatment - control, codes)
    variance, degrees = problem_variance(treatment.mean(axis=0) - control.mean(axis=0), codes)
    parts = [seed_variance(arm, codes) for arm in (treatment, control) if arm.shape[0] > 1]
    own = sum(p[0] for p in parts)
    raw = sum(p[1] for p in parts)
    if len(parts) == 1 or raw == 0.0:
        seed_degrees = min(p[2] for p in parts)
    else:
        seed_degrees = max(1, int(raw**2 / sum(p[1] ** 2 / p[2] for p in parts)))
    return MeanSpread(variance, degrees, own, raw, seed_degrees)
