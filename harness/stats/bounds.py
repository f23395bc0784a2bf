"""Intervals that hold in any sample size, for the cases where a t interval does not.

They are conservative: they cover *at least* the stated level. :func:`clopper_pearson` is for independent 0/1 outcomes;
the betting bounds are for independent values in a known range, whatever their distribution.

The betting bound: if values lie in [0, 1] and their mean is at most m, then for any fixed bet ``u`` in [0, 1] the
product ``Π (1 + u (x_i/m − 1))`` has expectation at most 1, and so has any average over ``u``; by Markov's inequality
the reciprocal of that average is a p-value (Waudby-Smith & Ramdas, JRSS-B 2024, arXiv:2010.09686). Averaging over a
*fixed* set of bets, rather than adapting them, makes the result independent of the order of the problems. By the
inequality of arithmetic and geometric means it also holds when problems have different means of which m is the average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.stats._arrays import Interval, Ints, cluster_sums
from harness.stats._scipy import beta_quantile, find_root

Floats = NDArray[np.float64]

BETS = 2.0 ** (-np.arange(0, 21) / 2.0)
"""The bets averaged over: from everything (1) down to 1/1024 by factors of √2. Rare outcomes need large ones."""


def clopper_pearson(passed: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval for a proportion (Clopper & Pearson, Biometrika 1934)."""
    if total < 1 or not 0 <= passed <= total:
        raise BadInput(f"passed={passed}, total={total}: expected 0 ≤ passed ≤ total and at least one trial")
    tail = (1.0 - level) / 2.0
    low = 0.0 if passed == 0 else beta_quantile(tail, passed, total - passed + 1)
    high = 1.0 if passed == total else beta_quantile(1.0 - tail, passed + 1, total - passed)
    return low, high


def log_wealth(unit: Floats, mean: ArrayLike) -> Floats:
    """Log of the averaged betting product against "the mean is at most ``mean``".

    Args:
        unit: values in [0, 1], shape ``[..., problems]``.
        mean: hypothesised mean in (0, 1), broadcast over the leading axes.
    """
    m = np.asarray(mean, dtype=np.float64)[..., None]
    ratio = unit / m - 1.0
    paths = np.empty((*ratio.shape[:-1], BETS.size))
    with np.errstate(divide="ignore"):
        for j, bet in enumerate(BETS):
            # At bet 1 a single value of 0 loses everything: log 0 = −inf is the right answer.
            paths[..., j] = np.sum(np.log1p(bet * ratio), axis=-1)
    top = np.max(paths, axis=-1)
    wealth: Floats = top + np.log(np.mean(np.exp(paths - top[..., None]), axis=-1))
    return wealth


def _unit(values: ArrayLike, bounded: tuple[float, float]) -> Floats:
    low, high = bounded
    x = np.asarray(values, dtype=np.float64)
    if not low < high:
        raise BadInput(f"bounded={bounded}: the lower end must be below the upper end")
    slack = 1e-9 * (high - low)
    if np.any(x < low - slack) or np.any(x > high + slack):
        raise BadInput(f"values outside the stated range [{low}, {high}]")
    return np.clip((x - low) / (high - low), 0.0, 1.0)


def betting_p_value(values: ArrayLike, mean: float, bounded: tuple[float, float] = (0.0, 1.0)) -> float:
    """p-value of "the mean is at most ``mean``" for values in ``bounded``, valid in any sample size.

    For "at least", negate values, mean and range.
    """
    unit = _unit(values, bounded)
    m = (mean - bounded[0]) / (bounded[1] - bounded[0])
    if m >= 1.0:
        return 1.0
    if m <= 0.0:
        return 0.0 if unit.size and unit.max() > 0.0 else 1.0
    return float(np.exp(-max(float(log_wealth(unit, m)), 0.0)))


def betting_interval(
    values: ArrayLike, level: float = 0.95, bounded: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float]:
    """Two-sided betting interval for the mean of ``values`` (one dimension) in ``bounded``."""
    unit = _unit(values, bounded)
    if unit.ndim != 1:
        raise BadInput("the betting interval takes one value per problem")
    low, high = bounded
    if unit.size == 0:
        return low, high
    threshold = float(np.log(2.0 / (1.0 - level)))

    def lower(x: Floats) -> float:
        estimate = float(x.mean())

        def excess(m: float) -> float:
            return float(log_wealth(x, m)) - threshold

        edge = 1e-12
        # Wealth against "mean ≤ m" falls as m rises, and is at most 1 in expectation's sense near the estimate.
        if estimate <= edge or excess(edge) <= 0.0:
            return 0.0
        if excess(estimate) >= 0.0:  # pragma: no cover - the product at the sample mean never exceeds 1
            return estimate
        return find_root(excess, edge, estimate)

    return low + (high - low) * lower(unit), high - (high - low) * lower(1.0 - unit)


def betting_units(values: Floats, codes: Ints | None, bounded: Interval) -> tuple[Floats, Interval, float]:
    """Independent values with their range, and the factor from their mean back to the mean over problems."""
    if codes is None:
        return values, bounded, 1.0
    sums = cluster_sums(values, codes)
    largest = float(np.bincount(codes).max())
    span = (min(bounded[0], 0.0), max(bounded[1], 0.0))
    return sums / largest, span, largest * sums.size / values.size
