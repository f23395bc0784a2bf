"""pass@k from counts: the unbiased estimator, its sampling variance, and its value under assumed solve rates.

A problem with ``n`` samples of which ``c`` pass estimates pass@k without bias as ``1 − C(n−c, k)/C(n, k)``
(Chen et al., arXiv:2107.03374, Eq. 1). With ``n < k`` it is undefined and comes back as NaN, never as 0 or 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.stats._scipy import binomial_probabilities

Floats = NDArray[np.float64]


def _counts(n: ArrayLike, c: ArrayLike, k: int) -> tuple[Floats, Floats]:
    """``n`` and ``c`` broadcast to float arrays, checked."""
    if int(k) != k or k < 1:
        raise BadInput(f"k={k}: pass@k needs a whole number of at least 1")
    samples, passed = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64))
    if np.any(samples != np.floor(samples)) or np.any(passed != np.floor(passed)):
        raise BadInput("pass@k needs whole numbers of samples and of passes")
    if np.any(passed < 0) or np.any(passed > samples):
        raise BadInput("pass@k needs 0 ≤ passes ≤ samples for every problem")
    return samples, passed


def _miss_ratio(samples: Floats, failed: Floats, draws: int) -> Floats:
    """``C(failed, draws) / C(samples, draws)``: the chance that ``draws`` samples without replacement all fail.

    A product of ``draws`` factors in [0, 1] keeps full relative precision for any count (log-gamma differences lose
    about five digits at n = 10⁴).
    """
    ratio = np.ones_like(samples)
    for i in range(draws):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = ratio * np.maximum(failed - i, 0.0) / (samples - i)
    return np.where(samples >= draws, ratio, np.nan)


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int) -> Floats:
    """Unbiased pass@k per problem.

    Args:
        n: samples per problem, any shape.
        c: passing samples per problem, broadcast against ``n``.
        k: how many samples are drawn; a problem counts as solved if one of them passes.

    Returns:
        Array of the broadcast shape with values in [0, 1], NaN where ``n < k``.

    Raises:
        BadInput: for ``k < 1``, counts that are not whole, or ``c`` outside ``0…n``.
    """
    samples, passed = _counts(n, c, k)
    return 1.0 - _miss_ratio(samples, samples - passed, k)


def pass_at_k_variance(n: ArrayLike, c: ArrayLike, k: int) -> Floats:
    """Unbiased estimate of the variance of :func:`pass_at_k` over the samples of one problem.

    With ``θ = (1 − p)^k`` the estimator is ``U = C(n−c, k)/C(n, k)`` with ``E U = θ``, and
    ``V = C(n−c, 2k)/C(n, 2k)`` is unbiased for ``θ²``; hence ``U² − V`` is unbiased for ``Var U``. For k = 1 it is the
    familiar ``p̂(1 − p̂)/(n − 1)``. It needs ``n ≥ 2k`` and is NaN below that. (Derived here; ``V`` is the same
    U-statistic as ``U`` with 2k in place of k.)

    Use it for inference about *these very problems* and for splitting variance. It must not be added to a resampling of
    problems, which already contains it.
    """
    samples, passed = _counts(n, c, k)
    failed = samples - passed
    square = _miss_ratio(samples, failed, k) ** 2
    return np.maximum(square - _miss_ratio(samples, failed, 2 * k), 0.0)


def pass_at_k_sampling_variance(rate: ArrayLike, n: int, k: int) -> Floats:
    """Exact variance of :func:`pass_at_k` for known solve rates, by summing over ``c ~ Binomial(n, rate)``.

    Args:
        rate: true solve rate per problem, any shape, in [0, 1].
        n: samples per problem, at least ``k``.
        k: as in :func:`pass_at_k`.
    """
    if n < k:
        raise BadInput(f"n={n}: pass@{k} needs at least {k} samples per problem")
    weights = binomial_probabilities(n, rate)
    values = pass_at_k(n, np.arange(n + 1), k)
    mean = weights @ values
    spread: Floats = np.sum(weights * (values - mean[..., None]) ** 2, axis=-1)
    return spread


def beta_pass_at_k(a: float, b: float, k: int) -> float:
    """Mean pass@k when solve rates are Beta(a, b): ``1 − B(a, b + k)/B(a, b)``, as a product of k factors."""
    i = np.arange(k)
    return float(1.0 - np.prod((b + i) / (a + b + i)))
