"""How small a difference a design can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import BadInput
from harness.stats._scipy import find_root, noncentral_t_tail, normal_quantile, t_upper
from harness.stats.passk import pass_at_k_sampling_variance


def standard_error_of_design(
    problems: int,
    *,
    between: float,
    within: float = 0.0,
    interaction: float = 0.0,
    seed: float = 0.0,
    seeds: int = 1,
) -> float:
    """Standard error of a mean paired difference.

    Args:
        problems: number of problems.
        between: variance over problems of the true difference.
        within: variance of one problem's difference due to sampling completions, at the design's samples per problem
            (both arms together), for one seed.
        interaction: variance of problem × seed.
        seed: variance over training seeds of the mean difference.
        seeds: number of training seeds.
    """
    if problems < 1 or seeds < 1:
        raise BadInput(f"problems={problems}, seeds={seeds}: a design needs at least one of each")
    return float(np.sqrt((between + (within + interaction) / seeds) / problems + seed / seeds))


def detectable(standard_error: float, degrees: float = np.inf, *, level: float = 0.95, power: float = 0.8) -> float:
    """Difference that a two-sided test at 1 − ``level`` finds with probability ``power``.

    Solves the power of the t test exactly (non-central t); with ``degrees`` infinite it is
    ``(z_{1−α/2} + z_power)·SE``.
    """
    if not 0 < power < 1:
        raise BadInput(f"power={power}: must be between 0 and 1")
    tail = (1.0 - level) / 2.0
    if np.isnan(standard_error) or degrees < 1:
        return float("nan")
    if np.isinf(degrees) or degrees > 1e5:
        return (normal_quantile(power) - normal_quantile(tail)) * standard_error
    critical = t_upper(tail, degrees)

    def shortfall(shift: float) -> float:
        return noncentral_t_tail(critical, degrees, shift) - power

    # The non-central t has mean > shift, so critical + t_power is beyond the root.
    return find_root(shortfall, 0.0, critical * 2 + 20.0) * standard_error


def minimum_detectable_effect(
    sd: float | None,
    problems: int,
    *,
    between: float = 0.0,
    within: float = 0.0,
    interaction: float = 0.0,
    seed: float = 0.0,
    seeds: int = 1,
    level: float = 0.95,
    power: float = 0.8,
    normal: bool = False,
) -> float:
    """Smallest true difference found with ``power`` by a two-sided test at 1 − ``level``, for a design.

    ``sd`` is the standard deviation over problems of the observed difference; with ``None`` it is put together from its
    parts, as in :func:`standard_error_of_design`. ``normal`` uses normal quantiles, as textbook tables do.

    With seeds that differ (``seed`` > 0) the critical value has the degrees of freedom of the seeds where they dominate
    (Satterthwaite).
    """
    if sd is not None:
        if sd < 0:
            raise BadInput(f"sd={sd}: a standard deviation is not negative")
        between = sd**2
    error = standard_error_of_design(
        problems, between=between, within=within, interaction=interaction, seed=seed, seeds=seeds
    )
    if normal:
        return detectable(error, np.inf, level=level, power=power)
    if problems < 2 or (seed > 0 and seeds < 2):
        return float("nan")
    degrees: float = problems - 1
    if seed > 0 and error > 0:
        parts = (error**2 - seed / seeds) ** 2 / (problems - 1) + (seed / seeds) ** 2 / (seeds - 1)
        degrees = max(error**4 / parts, 1.0)
    return detectable(error, degrees, level=level, power=power)


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """One design on a power curve: samples and seeds per problem, and the smallest detectable difference."""

    samples: int
    seeds: int
    detectable: float


def power_curve(
    problems: int,
    rates: ArrayLike,
    *,
    between: float,
    k: int = 1,
    samples: Sequence[int] = (1, 2, 4, 5, 8, 10, 16, 20, 32, 64),
    seeds: Sequence[int] = (1,),
    interaction: float = 0.0,
    seed: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
) -> tuple[PowerPoint, ...]:
    """Smallest detectable difference in pass@k for each number of samples and seeds.

    Args:
        problems: problems in the design.
        rates: solve rates (measured or assumed) whose average sampling variance stands for both arms'.
        between: variance over problems of the true difference.
        k: pass@k; designs with fewer than ``k`` samples are left out, being undefined.
        samples: numbers of samples per problem to try.
        seeds: numbers of training seeds to try.
        interaction: variance of problem × seed.
        seed: variance over training seeds of the mean difference.
        level: confidence level of the test.
        power: probability of finding the difference.
    """
    points = []
    for count in seeds:
        for n in samples:
            if n < k:
                continue
            within = 2.0 * float(np.mean(pass_at_k_sampling_variance(rates, n, k)))
            effect = minimum_detectable_effect(
                None,
                problems,
                between=between,
                within=within,
                interaction=interaction,
                seed=seed,
                seeds=count,
                level=level,
                power=power,
            )
            points.append(PowerPoint(n, count, effect))
    return tuple(points)
