"""The few functions taken from scipy, typed in one place (scipy ships no types) and imported when first used."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def log_normal_cdf(x: ArrayLike) -> Floats:
    """log Φ(x)."""
    from scipy.special import log_ndtr  # type: ignore[import-untyped]

    return np.asarray(log_ndtr(x), dtype=np.float64)


def binomial_tail(at_least: int, trials: int, chance: float) -> float:
    """P(X ≥ ``at_least``) for X ~ Binomial(``trials``, ``chance``)."""
    from scipy.special import bdtrc

    return 1.0 if at_least <= 0 else float(bdtrc(at_least - 1, trials, chance))


def beta_binomial_pmf(trials: int, a: float, b: float) -> Floats:
    """P(X = 0 … ``trials``) for X ~ BetaBinomial(``trials``, a, b), shape (trials + 1,)."""
    from scipy.special import betaln, gammaln

    x = np.arange(trials + 1, dtype=np.float64)
    choose = gammaln(trials + 1) - gammaln(x + 1) - gammaln(trials - x + 1)
    return np.asarray(np.exp(choose + betaln(x + a, trials - x + b) - betaln(a, b)), dtype=np.float64)


def binomial_pmf(trials: int, chance: float) -> Floats:
    """P(X = 0 … ``trials``) for X ~ Binomial(``trials``, ``chance``), shape (trials + 1,)."""
    from scipy.special import gammaln, xlog1py, xlogy

    x = np.arange(trials + 1, dtype=np.float64)
    choose = gammaln(trials + 1) - gammaln(x + 1) - gammaln(trials - x + 1)
    return np.asarray(np.exp(choose + xlogy(x, chance) + xlog1py(trials - x, -chance)), dtype=np.float64)
