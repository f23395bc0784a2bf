"""Adjusted p-values for several tests. Print them beside the raw ones, never instead of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput

Floats = NDArray[np.float64]


def _checked(pvalues: ArrayLike) -> Floats:
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim != 1:
        raise BadInput("p-values: expected a flat list")
    known = p[~np.isnan(p)]
    if np.any(known < 0) or np.any(known > 1):
        raise BadInput("p-values must lie in 0…1")
    return p


def holm(pvalues: ArrayLike) -> Floats:
    """Holm's step-down adjustment (Scand. J. Stat. 1979): controls the chance of any false rejection in the family.

    NaN (a test that could not be run) stays NaN and does not count towards the family.
    """
    p = _checked(pvalues)
    out = np.full_like(p, np.nan)
    index = np.flatnonzero(~np.isnan(p))
    order = index[np.argsort(p[index], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return out


def benjamini_hochberg(pvalues: ArrayLike) -> Floats:
    """Benjamini–Hochberg adjustment (JRSS-B 1995): controls the expected share of false ones among rejections.

    NaN stays NaN and does not count towards the family.
    """
    p = _checked(pvalues)
    out = np.full_like(p, np.nan)
    index = np.flatnonzero(~np.isnan(p))
    order = index[np.argsort(p[index], kind="stable")]
    ranks = np.arange(1, order.size + 1)
    stepped = np.minimum.accumulate((p[order] * order.size / ranks)[::-1])[::-1]
    out[order] = np.minimum(stepped, 1.0)
    return out
