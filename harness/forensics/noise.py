"""What a published design could have detected, under stated assumptions about solve rates.

Nothing here uses per-problem data, which publications rarely print. Solve rates are taken to be beta-distributed over
problems. The beta's mean is the printed pass@1 and its spread is whatever makes its pass@k the printed one; without a
printed pass@k the widest spread is taken (each problem is solved always or never). Correlation of the two arms' rates
over problems is assumed, not known. Training-seed variance is left out, so real half-widths are larger. All variances
are closed forms, so nothing is simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.forensics._scipy import Floats, beta_binomial_pmf, binomial_pmf

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal."""

_LIMIT = 1e-9
"""Concentrations below this, or above its inverse, are treated as the two limits."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Beta-distributed solve rates: Beta(mean·c, (1 − mean)·c). c = 0: always or never; c = inf: one common rate."""

    mean: float
    concentration: float

    def failing(self, k: int) -> float:
        """E[(1 − p)^k]: the probability that k samples of a random problem all fail."""
        if self.concentration == 0:
            return 1.0 - self.mean
        if math.isinf(self.concentration):
            return float((1.0 - self.mean) ** k)
        a, b = self.mean * self.concentration, (1.0 - self.mean) * self.concentration
        return math.prod((b + j) / (a + b + j) for j in range(k))

    def pass_at(self, k: int) -> float:
        return 1.0 - self.failing(k)


def fit_rates(pass_1: float, pass_k: float | None = None, k: int = 5) -> Rates:
    """Beta rates with the given pass@1 and pass@k (as proportions).

    pass@k lies between pass@1 (concentration 0) and 1 − (1 − pass@1)^k (concentration infinite); values at or outside
    the ends, which rounding can produce, give the limit.
    """
    if pass_k is None or pass_k <= pass_1 or not 0 < pass_1 < 1:
        return Rates(pass_1, 0.0)
    if pass_k >= 1.0 - (1.0 - pass_1) ** k:
        return Rates(pass_1, math.inf)
    low, high = math.log(_LIMIT), -math.log(_LIMIT)
    for _ in range(200):
        middle = (low + high) / 2
        if Rates(pass_1, math.exp(middle)).pass_at(k) < pass_k:
            low = middle
        else:
            high = middle
    return Rates(pass_1, math.exp((low + high) / 2))


@dataclass(frozen=True, slots=True)
class Variance:
    """Variance of one problem's pass@k estimate: ``between`` problems (of the true value) and ``within`` (decoding)."""

    between: float
    within: float


def problem_variance(rates: Rates, samples: int, k: int) -> Variance:
    """Both parts for the unbiased pass@k estimate from ``samples`` samples (k ≤ samples)."""
    between = max(rates.failing(2 * k) - rates.failing(k) ** 2, 0.0)
    if rates.concentration == 0:
        return Variance(rates.mean * (1.0 - rates.mean), 0.0)
    counts = np.arange(samples + 1)
    whole = math.comb(samples, k)
    failing = np.array([math.comb(samples - int(c), k) / whole for c in counts])
    second = float((_count_probabilities(rates, samples) * failing**2).sum())
    return Variance(between, max(second - rates.failing(2 * k), 0.0))


def _count_probabilities(rates: Rates, samples: int) -> Floats:
    """Distribution of the number of successes among ``samples`` of a random problem."""
    if math.isinf(rates.concentration):
        return binomial_pmf(samples, rates.mean)
    return beta_binomial_pmf(samples, rates.mean * rates.concentration, (1.0 - rates.mean) * rates.concentration)


@dataclass(frozen=True, slots=True)
class HalfWidths:
    """95 % half-widths of a paired difference, as proportions.

    ``decoding`` is for these very problems (only sampling noise); ``low`` and ``high`` are for problems like these, at
    the largest and the smallest assumed correlation of the arms' rates.
    """

    decoding: float
    low: float
    high: float


def half_widths(control: Variance, treatment: Variance, problems: int, correlations: tuple[float, float]) -> HalfWidths:
    """Half-widths for the mean over ``problems`` of treatment − control."""
    within = control.within + treatment.within

    def width(correlation: float) -> float:
        shared = 2 * correlation * math.sqrt(control.between * treatment.between)
        return Z95 * math.sqrt(max(control.between + treatment.between - shared, 0.0) / problems + within / problems)

    return HalfWidths(Z95 * math.sqrt(within / problems), width(correlations[1]), width(correlations[0]))


def standard_errors(variance: Variance, problems: int) -> tuple[float, float]:
    """Standard error of one arm's mean: from decoding alone, and with the drawing of problems."""
    return math.sqrt(variance.within / problems), math.sqrt((variance.within + variance.between) / problems)
