"""The mean of one arm over its problems, with an interval that holds where a t interval would not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.stats._arrays import (
    Interval,
    as_matrix,
    check_level,
    cluster_codes,
    cluster_sums,
    effective_count,
    unit_range,
)
from harness.stats.bounds import betting_interval, betting_units, clopper_pearson
from harness.stats.variance import spread_of

ENOUGH_INTERIOR = 20
"""Problems with a value strictly inside the range that the score interval needs (see docs/calibration.md)."""

ENOUGH_EFFECTIVE = 6.0
"""And how many problems must make up the spread (:func:`~harness.stats._arrays.effective_count`)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval. ``conservative`` intervals cover at least, not about, the stated ``level``."""

    estimate: float
    interval: Interval
    method: str
    conservative: bool
    level: float
    n_problems: int
    n_dropped: int
    n_seeds: int
    notes: tuple[str, ...]

    @property
    def note(self) -> str:
        """The notes as one line."""
        return "; ".join(self.notes)


def score_interval(estimate: float, half_width: float, bounded: Interval = (0.0, 1.0)) -> Interval:
    """Wilson's score interval with the effective sample size of the data, from a symmetric half-width.

    The half-width h of a t interval is rescaled to what it would be at each candidate mean μ,
    ``h·√(μ(1 − μ)/(m(1 − m)))`` with m the estimate, and all μ within that distance of m are kept: Wilson's interval
    (JASA 1927) with the effective sample size of survey statistics (Korn & Graubard, Survey Methodology 1998) and a t
    quantile. It stays inside the range and, unlike t and BCa, keeps its coverage near 0 and 1 (docs/calibration.md).
    """
    low, high = bounded
    m, h = (estimate - low) / (high - low), half_width / (high - low)
    if not 0.0 < m < 1.0 or np.isnan(h):
        return estimate - half_width, estimate + half_width
    c = h**2 / (m * (1.0 - m))
    centre = (m + c / 2.0) / (1.0 + c)
    half = float(np.sqrt(c * m * (1.0 - m) + c**2 / 4.0)) / (1.0 + c)
    return low + (high - low) * (centre - half), low + (high - low) * (centre + half)


def mean_interval(
    values: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    bounded: Interval | Literal["auto"] | None = "auto",
    clusters: ArrayLike | None = None,
) -> Estimate:
    """Mean of per-problem values over a population of problems.

    Args:
        values: ``[problems]`` or ``[training seeds, problems]``, NaN where undefined (fewer samples than k).
        level: confidence level.
        resamples: accepted for symmetry with :func:`~harness.stats.contrast.paired_contrast`.
        seed: likewise; this interval draws nothing.
        bounded: the metric's range, or ``None`` where it has none (tokens). ``"auto"`` means (0, 1) if all values lie
            there.
        clusters: cluster label of each problem, if problems within one are not independent.

    Returns:
        :class:`Estimate`; NaN with a note where no problem is defined.
    """
    del resamples, seed
    check_level(level)
    array = as_matrix(values, "values")
    total = array.shape[1]
    keep = ~np.isnan(array).any(axis=0)
    codes = cluster_codes(clusters, keep)
    array = array[:, keep]
    seeds, problems = array.shape
    notes = []
    if problems < total:
        notes.append(f"{total - problems} of {total} problems dropped: undefined (fewer samples than k)")
    if problems == 0:
        nan = float("nan")
        return Estimate(nan, (nan, nan), "undefined", False, level, 0, total, seeds, (*notes, "undefined"))
    mean = array.mean(axis=0)
    estimate = float(mean.mean())
    spread = spread_of(array, codes)
    half = spread.half_width((1.0 - level) / 2.0)
    limits = unit_range(array, array, (0.0, 1.0)) if bounded == "auto" else bounded
    kind = "t" if limits is None else "score"
    method = f"{kind} over problems" if codes is None else f"cluster-robust {kind} over problems"
    conservative = False
    if seeds > 1:
        method, conservative = f"{kind} over problems crossed with training seeds", True
        notes.append(f"{seeds} training seeds: the interval covers at least {level:.0%}, not about it")
    interval = estimate - half, estimate + half
    if limits is not None:
        low, high = limits
        interval = score_interval(estimate, half, limits)
        interior = int(np.count_nonzero((mean > low) & (mean < high)))
        binary = bool(np.all((mean == low) | (mean == high)))
        effective = float(effective_count(cluster_sums(mean - estimate, codes)))
        if interior < ENOUGH_INTERIOR or effective < ENOUGH_EFFECTIVE:
            if binary and seeds == 1 and codes is None:
                share = clopper_pearson(int(np.count_nonzero(mean == high)), problems, level)
                safe = low + (high - low) * share[0], low + (high - low) * share[1]
                method = "Clopper–Pearson over problems"
            else:
                units, span, factor = betting_units(mean, codes, limits)
                bound = betting_interval(units, level, span)
                safe = bound[0] * factor, bound[1] * factor
                method = "betting bound over problems"
            interval = safe if seeds == 1 else (min(safe[0], interval[0]), max(safe[1], interval[1]))
            conservative = True
            few = (
                f"{interior} problems have values strictly inside the range (< {ENOUGH_INTERIOR})"
                if interior < ENOUGH_INTERIOR
                else f"{effective:.1f} problems make up the spread (< {ENOUGH_EFFECTIVE:.0f})"
            )
            notes.append(f"{few}: a conservative interval is used, covering at least {level:.0%}")
        interval = max(low, interval[0]), min(high, interval[1])
    return Estimate(estimate, interval, method, conservative, level, problems, total - problems, seeds, tuple(notes))
