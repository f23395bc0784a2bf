"""Shapes shared by the estimators: values are kept as ``[seeds, problems]``, with undefined problems dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Interval = tuple[float, float]


def as_matrix(values: ArrayLike, name: str) -> Floats:
    """``values`` as a float array ``[seeds, problems]``; one dimension means one seed."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2 or array.shape[0] == 0:
        raise BadInput(f"{name}: expected per-problem values as [problems] or [seeds, problems], got {array.shape}")
    if np.any(np.isinf(array)):
        raise BadInput(f"{name}: infinite values have no mean")
    return array


def cluster_codes(clusters: ArrayLike | None, defined: NDArray[np.bool_] | np.bool_) -> Ints | None:
    """Cluster labels of the defined problems as codes 0…G−1, or ``None`` when every problem stands for itself."""
    if clusters is None:
        return None
    labels: NDArray[Any] = np.asarray(clusters)
    keep = np.asarray(defined)
    if labels.shape != keep.shape:
        raise BadInput(f"clusters: expected one label for each of {keep.size} problems, got shape {labels.shape}")
    codes: Ints = np.unique(labels[keep], return_inverse=True)[1].astype(np.int64)
    return None if codes.max(initial=-1) + 1 == codes.size else codes


def cluster_sums(values: Floats, codes: Ints | None) -> Floats:
    """Sums over the problems of each cluster along the last axis (the values themselves without clusters)."""
    if codes is None:
        return values
    groups = int(codes.max(initial=-1)) + 1
    membership = np.zeros((values.shape[-1], groups))
    membership[np.arange(values.shape[-1]), codes] = 1.0
    sums: Floats = values @ membership
    return sums


def effective_count(values: Floats) -> Floats:
    """How many values along the last axis make up the spread: ``(Σ e²)² / Σ e⁴`` with e the deviation from the mean.

    It is the number of values divided by their kurtosis; m equal deviations among zeros count as m, and one dominating
    deviation as one. No spread at all counts as 0.
    """
    square = (values - values.mean(axis=-1, keepdims=True)) ** 2
    total = square.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        count: Floats = np.where(total > 1e-24, total**2 / (square**2).sum(axis=-1), 0.0)
    return count


def check_level(level: float) -> float:
    """``level`` if it is a confidence level, e.g. 0.95."""
    if not 0.5 <= level < 1:
        raise BadInput(f"level={level}: must be at least 0.5 and below 1")
    return float(level)


def unit_range(first: Floats, second: Floats, limits: Interval) -> Interval | None:
    """``limits`` if all values lie in 0…1, as rates do; otherwise ``None``, for a metric without bounds."""
    inside = all(bool(np.all((values >= 0.0) & (values <= 1.0))) for values in (first, second))
    return limits if inside else None
