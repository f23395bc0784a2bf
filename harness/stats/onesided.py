"""One-sided tests that survive skewed differences, for equivalence and non-inferiority.

A two-sided t interval of skewed data errs too often on one side and too rarely on the other; the two errors make up for
each other. A one-sided test has no such luck: with gains concentrated on a tenth of the problems, "the difference is
below δ" was declared in 7.4 % of simulations at a nominal 5 %. Here a test must pass twice: by Student's t, and by t
after Hall's monotone cubic transformation, which removes the skewness term (Hall, JRSS-B 1992), applied with twice the
sample skewness because that of heavy-tailed data is underestimated. Degrees of freedom count only units that differ.
The factor was chosen by simulation (docs/calibration.md); for symmetric differences it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.stats._arrays import Floats, Interval
from harness.stats._scipy import t_tail, t_upper

SKEWNESS_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class SkewGuard:
    """Guarded one-sided inference about a mean.

    ``estimate`` and ``error`` are the mean and its standard error, ``skew`` the (inflated) skewness of the independent
    units divided by the root of their number, ``degrees`` the degrees of freedom.
    """

    estimate: float
    error: float
    skew: float
    degrees: float

    @classmethod
    def of(cls, residuals: Floats, estimate: float, error: float, informative: int) -> SkewGuard:
        """From the residual sums of independent units around the mean."""
        spread = float(np.sqrt(np.mean(residuals**2))) if residuals.size else 0.0
        skewness = float(np.mean(residuals**3)) / spread**3 if spread > 0 else 0.0
        scaled = SKEWNESS_FACTOR * skewness / float(np.sqrt(max(residuals.size, 1)))
        return cls(estimate, error, scaled, max(float(min(informative, residuals.size) - 1), 1.0))

    def _transformed(self, t: float) -> float:
        a, b = self.skew / 3.0, self.skew / 6.0
        return t + a * t**2 + a**2 * t**3 / 3.0 + b

    def _inverse(self, y: float) -> float:
        a, b = self.skew / 3.0, self.skew / 6.0
        if abs(a) < 1e-9:
            return y - b
        return (float(np.cbrt(1.0 + 3.0 * a * (y - b))) - 1.0) / a

    def p_above(self, null: float) -> float:
        """p-value of "the mean is at most ``null``"."""
        return self._tail(null, 1.0)

    def p_below(self, null: float) -> float:
        """p-value of "the mean is at least ``null``"."""
        return self._tail(null, -1.0)

    def _tail(self, null: float, side: float) -> float:
        distance = self.estimate - null
        if np.isnan(self.error):
            return float("nan")
        if self.error == 0.0:
            return 0.0 if side * distance > 0 else 1.0
        t = distance / self.error
        return max(t_tail(side * t, self.degrees), t_tail(side * self._transformed(t), self.degrees))

    def interval(self, tail: float) -> Interval:
        """The means that neither one-sided test rejects at ``tail``."""
        if np.isnan(self.error):
            return float("nan"), float("nan")
        q = t_upper(tail, self.degrees)
        low, high = min(-q, self._inverse(-q)), max(q, self._inverse(q))
        return self.estimate - high * self.error, self.estimate - low * self.error
