"""The few functions taken from scipy, typed in one place (scipy ships no types).

``scipy.special`` rather than ``scipy.stats``: the same routines, imported in a tenth of the time, which matters to
commands that print one contrast. Imports happen on first use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def normal_cdf(x: float) -> float:
    """Standard normal distribution function."""
    from scipy.special import ndtr  # type: ignore[import-untyped]

    return float(ndtr(x))


def normal_quantile(p: float) -> float:
    """Standard normal quantile."""
    from scipy.special import ndtri

    return float(ndtri(p))


def t_upper(tail: float, degrees: float) -> float:
    """Value that Student's t exceeds with probability ``tail``."""
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, tail))


def t_tail(x: float, degrees: float) -> float:
    """Probability that Student's t exceeds ``x``."""
    from scipy.special import stdtr

    return float(stdtr(degrees, -x))


def noncentral_t_tail(x: float, degrees: float, shift: float) -> float:
    """Probability that the non-central t exceeds ``x``."""
    from scipy.special import nctdtr

    return 1.0 - float(nctdtr(degrees, shift, x))


def beta_quantile(p: float, a: float, b: float) -> float:
    """Quantile of the Beta(a, b) distribution."""
    from scipy.special import betaincinv

    return float(betaincinv(a, b, p))


def f_tail(x: float, numerator: float, denominator: float) -> float:
    """Probability that F exceeds ``x``."""
    from scipy.special import fdtrc

    return float(fdtrc(numerator, denominator, x))


def binomial_probabilities(n: int, p: ArrayLike) -> Floats:
    """Probabilities of 0…n successes, shape ``p.shape + (n + 1,)``."""
    from scipy.special import gammaln, xlog1py, xlogy

    rate = np.asarray(p, dtype=np.float64)[..., None]
    c = np.arange(n + 1)
    ways = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)
    out: Floats = np.exp(ways + xlogy(c, rate) + xlog1py(n - c, -rate))
    return out


def find_root(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-12) -> float:
    """Root of ``function`` between ``low`` and ``high``, where its signs differ (Brent)."""
    from scipy.optimize import brentq  # type: ignore[import-untyped]

    return float(brentq(function, low, high, xtol=tolerance))


def monotone_roots(x: ArrayLike, y: ArrayLike) -> list[float]:
    """Where the monotone cubic through (``x``, ``y``), ``x`` rising, is zero (PCHIP, Fritsch & Butland 1984)."""
    from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]

    roots = PchipInterpolator(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)).roots(extrapolate=False)
    return [float(r) for r in roots if np.isfinite(r)]
