"""Is the gain larger in one group of problems than in the other? One number with an interval, from paired gains.

:func:`strata_interaction` answers "does it differ at all" over any number of strata; this answers "by how much" for
two.
It does not promise anything with a handful of problems in a group: below :data:`SMALLEST_STRATUM` it is undefined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.stats._arrays import Floats, as_matrix
from harness.stats.strata import SMALLEST_STRATUM


def difference_contributions(
    gains: Sequence[ArrayLike], groups: Sequence[NDArray[np.bool_]], smallest: int = SMALLEST_STRATUM
) -> Floats:
    """Per-problem contributions whose mean is ``mean gain inside the group − mean gain outside``.

    With g problems inside and N in all, problem p of gain d_p contributes D + N/g·(d_p − m_in) if inside and
    D − N/(N − g)·(d_p − m_out) if outside, D being the difference of the group means m. The contributions' mean is D
    and their variance over N estimates that of D (its linearisation), so that a one-sample procedure on them is a
    procedure for D. Cross-fitting gives several divisions of the samples into one that makes the groups and one that
    is compared; contributions are then averaged over the divisions, problem by problem, which keeps their dependence.

    Args:
        gains: per division, ``treatment − control`` as ``[problems]`` or ``[seeds, problems]``, from samples that did
            not make the division's groups.
        groups: per division, which problems are inside (hard, say), ``[problems]``.
        smallest: problems each group needs.

    Returns:
        ``[seeds, problems]``; all NaN where some division has too few problems inside or outside.

    Raises:
        BadInput: for shapes that do not match.
    """
    if not gains or len(gains) != len(groups):
        raise BadInput("one group for each division of the samples")
    parts = []
    for gain, inside in zip(gains, groups, strict=True):
        values = as_matrix(gain, "gains")
        if inside.shape != (values.shape[1],):
            raise BadInput(f"groups: {inside.shape} for {values.shape[1]} problems")
        defined = ~np.isnan(values).any(axis=0)
        parts.append(_one(values, inside & defined, ~inside & defined, smallest))
    mean: Floats = np.mean(parts, axis=0)
    return mean


def _one(values: Floats, inside: NDArray[np.bool_], outside: NDArray[np.bool_], smallest: int) -> Floats:
    out = np.full(values.shape, np.nan)
    if min(inside.sum(), outside.sum()) < smallest:
        return out
    n = int(inside.sum() + outside.sum())
    within, without = values[:, inside], values[:, outside]
    m_in, m_out = within.mean(axis=1, keepdims=True), without.mean(axis=1, keepdims=True)
    difference = m_in - m_out
    # n_g/(n_g − 1) under the root makes each group's part of the variance the unbiased one, as in Welch's test.
    grow_in, grow_out = (np.sqrt(g / (g - 1)) for g in (inside.sum(), outside.sum()))
    out[:, inside] = difference + n / inside.sum() * grow_in * (within - m_in)
    out[:, outside] = difference - n / outside.sum() * grow_out * (without - m_out)
    return out
