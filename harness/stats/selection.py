"""What choosing the best of several settings on the test set adds to its score.

The best of G settings on the problems it was chosen on looks better than it is, by an amount that depends on noise and
on G. Cross-fitting removes it: choose on all folds but one, score on that one, and average. Folds are made from problem
ids before anything is drawn, and the choice is repeated inside every resample, so that the interval contains the
uncertainty of choosing. Budgets are counted in configurations evaluated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import BadInput
from harness.stats._arrays import Floats, Interval, Ints, check_level
from harness.stats.bootstrap import percentile_interval, resampling_weights


def make_folds(
    problem_ids: Sequence[str], folds: int = 5, *, strata: Sequence[str] | None = None, salt: str = ""
) -> Ints:
    """Fold 0…``folds``−1 of each problem, from a hash of its id: the same whatever else is in the list's order.

    Args:
        problem_ids: distinct ids.
        folds: number of folds, at least 2 and at most the number of problems.
        strata: balance folds within these labels (made from separate samples).
        salt: another division for another salt.
    """
    if len(set(problem_ids)) != len(problem_ids):
        raise BadInput("problem ids must be distinct")
    if not 2 <= folds <= len(problem_ids):
        raise BadInput(f"folds={folds}: must be between 2 and the number of problems, {len(problem_ids)}")
    labels = strata if strata is not None else [""] * len(problem_ids)
    key = [hashlib.blake2b(f"{salt}\0{i}".encode(), digest_size=16).digest() for i in problem_ids]
    order = sorted(range(len(problem_ids)), key=lambda i: (str(labels[i]), key[i]))
    out = np.empty(len(problem_ids), dtype=np.int64)
    out[order] = np.arange(len(problem_ids)) % folds
    return out


@dataclass(frozen=True, slots=True)
class SelectionResult:
    """The best of ``configurations`` settings, as chosen and as it really scores.

    ``apparent`` is the best setting's score on the problems it was chosen on (the paper's way), ``honest`` the
    cross-fitted score of *choosing* a setting, ``optimism`` their difference. ``optimism_bootstrap`` is Efron's
    estimate of the same: how much the setting chosen in a resample scores better there than on the original problems.
    ``chosen`` is the index of the best on all problems; ``chosen_by_fold`` of the best without each fold.
    """

    configurations: int
    apparent: float
    honest: float
    honest_interval: Interval
    optimism: float
    optimism_interval: Interval
    optimism_bootstrap: float
    chosen: int
    chosen_by_fold: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TunedContrast:
    """Two arms, each tuned by the same procedure: the difference of their cross-fitted scores, and the naive one."""

    treatment: SelectionResult
    control: SelectionResult
    difference: float
    interval: Interval
    naive_difference: float
    equal_budgets: bool


def _fold_sums(scores: Floats, folds: Ints) -> tuple[Floats, Floats]:
    """Sums of ``scores [settings, problems]`` by fold, ``[folds, settings]``, and problems per fold."""
    member = (folds[:, None] == np.arange(int(folds.max()) + 1)).astype(np.float64)
    return (scores @ member).T, member.sum(axis=0)


def _cross_fitted(sums: Floats, counts: Floats) -> tuple[Floats, Floats, Ints]:
    """Cross-fitted and apparent scores from fold sums ``[..., folds, settings]`` and counts ``[..., folds]``."""
    total = sums.sum(axis=-2)
    problems = counts.sum(axis=-1)
    apparent = total.max(axis=-1) / problems
    chosen = np.argmax(total[..., None, :] - sums, axis=-1)
    scored = np.take_along_axis(sums, chosen[..., None], axis=-1)[..., 0]
    return scored.sum(axis=-1) / problems, apparent, chosen


def _resample(arms: Sequence[Floats], folds: Ints, resamples: int, seed: int) -> list[tuple[Floats, Floats, Floats]]:
    """Per arm: honest, apparent and bootstrap-optimism draws, all arms on the same resampled problems.

    A problem keeps its fold in every resample: copies of it in both the choosing and the scoring part would bring back
    the very optimism that cross-fitting removes.
    """
    rng = np.random.default_rng([seed, 5])
    groups = int(folds.max()) + 1
    draws: list[list[tuple[Floats, Floats, Floats]]] = [[] for _ in arms]
    inside = [np.flatnonzero(folds == f) for f in range(groups)]
    for weights in resampling_weights(rng, resamples, folds.size):
        counts = np.stack([weights[:, idx].sum(axis=1) for idx in inside], axis=1)
        for i, scores in enumerate(arms):
            sums = np.stack([weights[:, idx] @ scores[:, idx].T for idx in inside], axis=1)
            honest, apparent, _ = _cross_fitted(sums, counts)
            best = np.argmax(sums.sum(axis=1), axis=1)
            draws[i].append((honest, apparent, apparent - scores.mean(axis=1)[best]))
    return [tuple(np.concatenate(part) for part in zip(*chunks, strict=True)) for chunks in draws]  # type: ignore[misc]


def _scores(values: ArrayLike, name: str, problems: int) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[1] != problems:
        raise BadInput(f"{name}: expected [settings, {problems} problems], got shape {scores.shape}")
    if np.isnan(scores).any():
        raise BadInput(f"{name}: undefined values (fewer samples than k); drop those problems from every setting first")
    return scores


def _result(scores: Floats, folds: Ints, draws: tuple[Floats, Floats, Floats], level: float) -> SelectionResult:
    sums, counts = _fold_sums(scores, folds)
    honest, apparent, chosen = _cross_fitted(sums, counts)
    return SelectionResult(
        configurations=scores.shape[0],
        apparent=float(apparent),
        honest=float(honest),
        honest_interval=_centred(draws[0], float(honest), level),
        optimism=float(apparent - honest),
        optimism_interval=_centred(draws[1] - draws[0], float(apparent - honest), level),
        optimism_bootstrap=float(draws[2].mean()),
        chosen=int(np.argmax(scores.mean(axis=1))),
        chosen_by_fold=tuple(int(c) for c in chosen),
    )


def _centred(draws: Floats, estimate: float, level: float) -> Interval:
    """Percentile interval of the draws moved to be centred on the estimate (choosing in a resample is biased)."""
    low, high = percentile_interval(draws - draws.mean(), level)
    return estimate + low, estimate + high


def selection_optimism(
    scores: ArrayLike, folds: ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> SelectionResult:
    """Score of the best of several settings, with and without the benefit of having been chosen on the same problems.

    Args:
        scores: per-problem values ``[settings, problems]``.
        folds: fold of each problem, from :func:`make_folds`.
        level: confidence level.
        resamples: bootstrap resamples; the choice is repeated in each.
        seed: seeds the resamples.
    """
    check_level(level)
    fold = np.asarray(folds, dtype=np.int64)
    values = _scores(scores, "scores", fold.size)
    return _result(values, fold, _resample([values], fold, resamples, seed)[0], level)


def tuned_contrast(
    treatment: ArrayLike,
    control: ArrayLike,
    folds: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> TunedContrast:
    """Compare two arms that are each tuned over their settings, by cross-fitting both on the same folds.

    ``equal_budgets`` is false if the arms were given different numbers of configurations, which is itself an advantage.
    """
    check_level(level)
    fold = np.asarray(folds, dtype=np.int64)
    left, right = _scores(treatment, "treatment", fold.size), _scores(control, "control", fold.size)
    draws = _resample([left, right], fold, resamples, seed)
    one, two = _result(left, fold, draws[0], level), _result(right, fold, draws[1], level)
    difference = one.honest - two.honest
    return TunedContrast(
        treatment=one,
        control=two,
        difference=difference,
        interval=_centred(draws[0][0] - draws[1][0], difference, level),
        naive_difference=one.apparent - two.apparent,
        equal_budgets=one.configurations == two.configurations,
    )


def cross_fitted_spread(
    arms: Sequence[ArrayLike], folds: ArrayLike, *, resamples: int = 1_000, seed: int = 0
) -> tuple[float, float]:
    """Standard error of a cross-fitted score, or of the difference of two, with and without that of choosing.

    A fold's score rests on a choice that the other folds made, so folds are not independent and the paired standard
    error over problems is too small. The first number is the standard deviation over resamples in which the choice is
    repeated, the second that over the same resamples with the choices kept as they were made.

    Args:
        arms: one or two ``[settings, problems]``; of two, the second is subtracted.
        folds: fold of each problem, from :func:`make_folds`.
        resamples: bootstrap resamples.
        seed: seeds them.
    """
    fold = np.asarray(folds, dtype=np.int64)
    scores = [_scores(a, "arms", fold.size) for a in arms]
    signs = (1.0, -1.0)
    repeated = sum(s * d[0] for s, d in zip(signs, _resample(scores, fold, resamples, seed), strict=False))
    kept = np.zeros(fold.size)
    for sign, values in zip(signs, scores, strict=False):
        sums, counts = _fold_sums(values, fold)
        kept += sign * values[_cross_fitted(sums, counts)[2][fold], np.arange(fold.size)]
    rng = np.random.default_rng([seed, 5])
    fixed = np.concatenate(
        [w @ kept / np.maximum(w.sum(axis=1), 1) for w in resampling_weights(rng, resamples, fold.size)]
    )
    return float(np.std(repeated, ddof=1)), float(np.std(fixed, ddof=1))


def budget_curve(scores: ArrayLike, folds: ArrayLike) -> Floats:
    """Expected cross-fitted score of choosing the best of a random subset of g settings, for g = 1…G.

    With settings ranked on the choosing part, the one of rank r (1 is best) is the best of a random g of G with
    probability C(G − r, g − 1)/C(G, g); so the curve needs no sampling.
    """
    fold = np.asarray(folds, dtype=np.int64)
    values = _scores(scores, "scores", fold.size)
    sums, counts = _fold_sums(values, fold)
    settings = values.shape[0]
    best = np.zeros((settings, settings))
    for g in range(1, settings + 1):
        chance = g / settings
        for r in range(1, settings - g + 2):
            best[g - 1, r - 1] = chance
            chance *= (settings - r - g + 1) / max(settings - r, 1)
    curve = np.zeros(settings)
    for f in range(sums.shape[0]):
        order = np.argsort(-(sums.sum(axis=0) - sums[f]), kind="stable")
        curve += best @ sums[f][order]
    total: Floats = curve / counts.sum()
    return total
