"""Other people's methods on the same data: agreement is reassuring, disagreement is worth a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import BadInput, MissingCapability
from harness.stats._arrays import Interval, as_matrix
from harness.stats._scipy import binomial_probabilities
from harness.stats.bounds import clopper_pearson


@dataclass(frozen=True, slots=True)
class McNemar:
    """Exact McNemar test: ``gained`` problems only the treatment solves, ``lost`` only the control does.

    ``odds_interval`` is the exact interval for gained/(gained + lost), by Clopper–Pearson.
    """

    p_value: float
    gained: int
    lost: int
    share_gained: float
    odds_interval: Interval


def mcnemar_exact(treatment: ArrayLike, control: ArrayLike, *, level: float = 0.95) -> McNemar:
    """Exact McNemar test for one greedy sample per problem and arm.

    Args:
        treatment: 0/1 per problem.
        control: likewise, same problems.
        level: level of ``odds_interval``.

    Raises:
        BadInput: if a value is neither 0 nor 1, which means more than one sample per problem.
    """
    left, right = np.asarray(treatment, dtype=np.float64), np.asarray(control, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise BadInput("McNemar's test needs one 0/1 value per problem in both arms")
    keep = ~(np.isnan(left) | np.isnan(right))
    left, right = left[keep], right[keep]
    if np.any((left != 0) & (left != 1)) or np.any((right != 0) & (right != 1)):
        raise BadInput("McNemar's test is for one sample per problem: values must be 0 or 1")
    gained, lost = int(np.sum(left > right)), int(np.sum(left < right))
    discordant = gained + lost
    if discordant == 0:
        return McNemar(1.0, 0, 0, float("nan"), (0.0, 1.0))
    lower = float(binomial_probabilities(discordant, 0.5)[: min(gained, lost) + 1].sum())
    return McNemar(min(1.0, 2.0 * lower), gained, lost, gained / discordant, clopper_pearson(gained, discordant, level))


@dataclass(frozen=True, slots=True)
class MixedModel:
    """Difference between arms from a linear mixed model fitted by REML.

    ``problem_sd`` and ``seed_sd`` are standard deviations of the random effects of the difference (NaN for seeds where
    there is one), ``residual_sd`` that of what is left.
    """

    difference: float
    standard_error: float
    interval: Interval
    p_value: float
    problem_sd: float
    seed_sd: float
    residual_sd: float
    converged: bool


def mixed_model(treatment: ArrayLike, control: ArrayLike, *, level: float = 0.95, largest: int = 2_000) -> MixedModel:
    """Fit ``value ~ arm`` with problems (and training seeds) as crossed random effects, by ``statsmodels``.

    With one seed: both arms' values, random intercept per problem. With several: paired differences with random problem
    and seed effects. Intervals are normal (Wald), so with few seeds they are too short: a cross-check of the estimate
    and the variance parts, not a substitute for the contrast.

    Args:
        treatment: ``[problems]`` or ``[seeds, problems]``.
        control: the same, or one seed.
        level: confidence level.
        largest: refuse more rows than this with several seeds; crossed effects make a dense matrix of that size.

    Raises:
        MissingCapability: without ``statsmodels``.
    """
    try:
        import statsmodels.api as sm  # type: ignore[import-untyped]
    except ImportError as error:  # pragma: no cover - the light installation
        raise MissingCapability("the mixed model needs statsmodels: pip install statsmodels") from error
    import warnings

    left, right = as_matrix(treatment, "treatment"), as_matrix(control, "control")
    keep = ~(np.isnan(left).any(axis=0) | np.isnan(right).any(axis=0))
    left, right = left[:, keep], right[:, keep]
    problems = left.shape[1]
    if problems < 3:
        raise BadInput("a mixed model needs at least three problems")
    with warnings.catch_warnings():
        # A variance part at its boundary (zero) warns; it is reported through the estimate itself.
        warnings.simplefilter("ignore")
        if left.shape[0] == 1 and right.shape[0] == 1:
            endog = np.concatenate([left[0], right[0]])
            arm = np.concatenate([np.ones(problems), np.zeros(problems)])
            groups = np.tile(np.arange(problems), 2)
            fit = sm.MixedLM(endog, np.column_stack([np.ones_like(arm), arm]), groups).fit(reml=True)
            index, seed_sd = 1, float("nan")
            problem_sd = float(np.sqrt(max(float(np.asarray(fit.cov_re)[0, 0]), 0.0)))
        else:
            differences = left - right if left.shape[0] == right.shape[0] else left - right.mean(axis=0)
            seeds = differences.shape[0]
            if differences.size > largest:
                raise BadInput(f"the mixed model takes up to {largest} rows with several seeds, not {differences.size}")
            row_problem, row_seed = np.tile(np.arange(problems), seeds), np.repeat(np.arange(seeds), problems)
            parts = sm.regression.mixed_linear_model.VCSpec(
                ["problem", "seed"],
                [
                    [[f"p{i}" for i in range(problems)]],
                    [[f"s{i}" for i in range(seeds)]],
                ],
                [[np.eye(problems)[row_problem]], [np.eye(seeds)[row_seed]]],
            )
            fit = sm.MixedLM(
                differences.ravel(), np.ones((differences.size, 1)), np.zeros(differences.size), exog_vc=parts
            ).fit(reml=True)
            index = 0
            problem_sd, seed_sd = (float(np.sqrt(max(float(v), 0.0))) for v in fit.vcomp)
    low, high = fit.conf_int(alpha=1.0 - level)[index]
    return MixedModel(
        difference=float(fit.params[index]),
        standard_error=float(fit.bse[index]),
        interval=(float(low), float(high)),
        p_value=float(fit.pvalues[index]),
        problem_sd=problem_sd,
        seed_sd=seed_sd,
        residual_sd=float(np.sqrt(fit.scale)),
        converged=bool(fit.converged),
    )
