"""Where the variance of a result comes from: problems, samples, training seeds, verdicts.

The split tells what to buy. If samples dominate, more completions per problem sharpen the result; if problems do, only
more problems help; if seeds do, only more training runs. It is descriptive: moment estimates, cut off at zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import BadInput
from harness.stats._arrays import as_matrix
from harness.stats.variance import seed_variance


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Variance components of a per-problem value, and their shares of the variance of the grand mean.

    ``problems``, ``seeds``, ``interaction`` (problem × seed beyond sampling) and ``samples`` (sampling completions,
    with verdict noise in it) are variances of one value; ``mean_variance`` is that of the mean over all problems and
    seeds, and ``shares`` says how much of it each part makes up. ``verdicts`` is the part of ``samples`` due to grading
    the same completion twice differently (NaN if nothing was graded twice).
    """

    problems: float
    seeds: float
    interaction: float
    samples: float
    verdicts: float
    mean_variance: float
    shares: dict[str, float]


def variance_split(values: ArrayLike, within: ArrayLike, *, verdicts: float = float("nan")) -> VarianceSplit:
    """Split the variance of per-problem ``values``.

    Args:
        values: ``[problems]`` or ``[seeds, problems]``: an arm's pass@k, or differences between two arms.
        within: sampling variance of each value, same shape: :func:`~harness.stats.passk.pass_at_k_variance`, summed
            over both arms for a difference. (Arms drawn with common random numbers are positively correlated, so the
            sum is then an upper bound on the samples' part.)
        verdicts: variance of one value due to verdict noise, from :func:`verdict_noise`.

    With one seed, seeds and interaction cannot be told from problems: they are NaN and 0 respectively, and whatever
    they contribute is inside ``problems``.
    """
    array, inner = as_matrix(values, "values"), as_matrix(within, "within")
    if array.shape != inner.shape:
        raise BadInput(f"within has shape {inner.shape} and values {array.shape}: they must match")
    keep = ~(np.isnan(array).any(axis=0) | np.isnan(inner).any(axis=0))
    array, inner = array[:, keep], inner[:, keep]
    seeds, problems = array.shape
    if problems < 2:
        raise BadInput("a variance split needs at least two problems with a sampling variance (n ≥ 2k)")
    samples = float(inner.mean())
    of_means = float(np.var(array.mean(axis=0), ddof=1))
    if seeds == 1:
        between = max(of_means - samples, 0.0)
        seed, interaction = float("nan"), 0.0
    else:
        residual = array - array.mean(axis=0) - array.mean(axis=1, keepdims=True) + array.mean()
        crossed = float(np.sum(residual**2)) / ((seeds - 1) * (problems - 1))
        interaction = max(crossed - samples, 0.0)
        between = max(of_means - crossed / seeds, 0.0)
        seed = seed_variance(array)[0] * seeds
    parts = {
        "problems": between / problems,
        "seeds": 0.0 if np.isnan(seed) else seed / seeds,
        "interaction": interaction / (seeds * problems),
        "samples": samples / (seeds * problems),
    }
    total = sum(parts.values())
    shares = {name: (part / total if total > 0 else 0.0) for name, part in parts.items()}
    return VarianceSplit(between, seed, interaction, samples, verdicts, total, shares)


@dataclass(frozen=True, slots=True)
class VerdictNoise:
    """What happens when everything is executed twice.

    ``flip_rate`` is the share of completions whose verdict changed, ``effect`` the change of the mean pass rate (second
    minus first), ``variance`` the variance of one problem's pass rate due to verdicts alone (half the mean squared
    change).
    """

    flip_rate: float
    effect: float
    variance: float


def verdict_noise(first: ArrayLike, second: ArrayLike) -> VerdictNoise:
    """Compare two gradings of the same completions, ``[problems, samples]`` of 0/1 (NaN for no verdict)."""
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 2:
        raise BadInput(f"two gradings must both be [problems, samples], got {one.shape} and {two.shape}")
    both = ~(np.isnan(one) | np.isnan(two))
    counts = both.sum(axis=1)
    change = np.where(both, two - one, 0.0)
    known = counts > 0
    if not known.any():
        raise BadInput("no completion has a verdict in both gradings")
    per_problem = change.sum(axis=1)[known] / counts[known]
    flips = float(np.abs(change).sum() / both.sum())
    return VerdictNoise(flips, float(per_problem.mean()), float(np.mean(per_problem**2)) / 2.0)
