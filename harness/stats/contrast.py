"""One paired contrast: treatment minus control on the same problems, with everything a referee asks for.

What it does not promise: with one training seed it says nothing about another training run; with few training seeds
it cannot be both sharp and safe, and is safe; it cannot tell a difference of models from a difference of decoding.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import BadInput
from harness.stats._arrays import (
    Floats,
    Interval,
    Ints,
    as_matrix,
    check_level,
    cluster_codes,
    cluster_sums,
    effective_count,
    unit_range,
)
from harness.stats._scipy import normal_quantile
from harness.stats.bootstrap import (
    acceleration,
    bca_interval,
    crossed_bootstrap,
    difference_influence,
    percentile_interval,
)
from harness.stats.bounds import betting_interval, betting_p_value, betting_units
from harness.stats.contrast_result import Equivalence, PairedContrast, Test, undefined_contrast
from harness.stats.onesided import SkewGuard
from harness.stats.power import detectable
from harness.stats.signflip import SignFlip, sign_flip_test
from harness.stats.variance import MeanSpread, spread_of_difference

ENOUGH_INFORMATIVE = 20
"""Problems on which the arms must differ before a t interval is trusted (see docs/calibration.md)."""

ENOUGH_EFFECTIVE = 6.0
"""And how many of them must make up the spread (:func:`~harness.stats._arrays.effective_count`): of a thousand problems
with pass@5 above 0.999, three may hold all there is to see."""


def _t_p_values(spread: MeanSpread, difference: float, over_seeds: bool) -> tuple[float, float]:
    """Two-sided and greater-than p-values of a t test; 1 for a difference of exactly zero without spread."""
    greater = spread.tail_probability(difference, over_seeds)
    return min(1.0, 2.0 * min(greater, 1.0 - greater)), greater


def _bootstrap(
    blocks: tuple[Floats, Floats], difference: float, codes: Ints | None, resamples: int, seed: int, level: float
) -> tuple[Interval, Interval]:
    """BCa and percentile intervals; seeds are resampled too, crossed with problems, from five seeds on."""
    rng = np.random.default_rng([seed, 1])
    treatment, control = blocks
    if treatment.shape[0] == control.shape[0]:
        draws, (influence,) = crossed_bootstrap([treatment - control], resamples=resamples, rng=rng, codes=codes)
        of_difference = draws[:, 0]
    else:
        draws, influences = crossed_bootstrap([treatment, control], resamples=resamples, rng=rng, codes=codes)
        of_difference = draws[:, 0] - draws[:, 1]
        influence = difference_influence(influences, draws_shared=cluster_sums(treatment[0], codes).size)
    accel = acceleration(influence)
    return bca_interval(of_difference, difference, accel, level), percentile_interval(of_difference, level)


def _betting_tost(units: Floats, span: Interval, factor: float, margin: float) -> float:
    """TOST p-value from betting: the larger of the two one-sided ones."""
    above = betting_p_value(units, -margin / factor, span)
    below = betting_p_value(-units, -margin / factor, (-span[1], -span[0]))
    return max(above, below)


def _betting_tails(units: Floats, span: Interval, null: float) -> Interval:
    """Betting p-values against "at most ``null``" and "at least ``null``", the smaller one first."""
    above = betting_p_value(units, null, span)
    below = betting_p_value(-units, -null, (-span[1], -span[0]))
    return min(above, below), max(above, below)


def _hull(a: Interval, b: Interval) -> Interval:
    return min(a[0], b[0]), max(a[1], b[1])


def paired_contrast(
    treatment: ArrayLike,
    control: ArrayLike,
    *,
    test: Test = "superiority",
    margin: float = 0.0,
    level: float = 0.95,
    resamples: int = 10_000,
    flips: int | None = None,
    seed: int = 0,
    clusters: ArrayLike | None = None,
    samples: int | None = None,
    bounded: Interval | Literal["auto"] | None = "auto",
) -> PairedContrast:
    """Compare two arms evaluated on the same problems.

    Args:
        treatment: per-problem values ``[problems]`` or ``[training seeds, problems]``; NaN where undefined.
        control: the same problems in the same order. An arm without training (a base model) has one seed.
        test: the declared test; fills ``p_value_declared``.
        margin: equivalence or non-inferiority margin, in the metric's own unit.
        level: confidence level; α is ``1 − level``.
        resamples: bootstrap resamples; 0 leaves the bootstrap intervals, on which nothing else rests, undefined.
        flips: random sign patterns; by default as many as resamples.
        seed: seeds every random draw; results are bit-identical for a seed.
        clusters: label of each problem's cluster (contest, source), if problems within one are not independent.
        samples: samples per problem, for the notes only.
        bounded: range of a per-problem *difference*, used where too few problems differ for a t interval; ``None`` for
            metrics without bounds (tokens). ``"auto"`` means (−1, 1) if all values of both arms lie in 0…1.

    Returns:
        :class:`PairedContrast`; all numbers NaN if no problem is defined in both arms.

    Raises:
        BadInput: for shapes that do not match, an unknown test, or a margin that the test needs and does not have.
    """
    left, right = as_matrix(treatment, "treatment"), as_matrix(control, "control")
    if left.shape[1] != right.shape[1]:
        raise BadInput(f"treatment has {left.shape[1]} problems and control {right.shape[1]}: they must be the same")
    if test not in ("superiority", "equivalence", "noninferiority"):
        raise BadInput(f"test={test}: must be superiority, equivalence or noninferiority")
    if margin < 0 or (test != "superiority" and margin == 0):
        raise BadInput(f"margin={margin}: {test} needs a margin above 0")
    alpha = 1.0 - check_level(level)
    total = left.shape[1]
    keep = ~(np.isnan(left).any(axis=0) | np.isnan(right).any(axis=0))
    codes = cluster_codes(clusters, keep)
    left, right = left[:, keep], right[:, keep]
    per_problem = left.mean(axis=0) - right.mean(axis=0)
    problems = per_problem.size
    seeds = (left.shape[0], right.shape[0])
    many_seeds = max(seeds) > 1
    notes = []
    if problems < total:
        notes.append(f"{total - problems} of {total} problems dropped: undefined (fewer samples than k) in some arm")
    if not many_seeds:
        notes.append("one training seed: inference is about this trained model, not about the training procedure")
    elif min(seeds) == 1:
        notes.append("the arm with one seed is taken as fixed: inference is about the other arm's training procedure")
    if samples == 1:
        notes.append("one sample per problem: McNemar's exact test applies as well")
    if problems == 0:
        return undefined_contrast(
            test, margin, level, total, seeds, (*notes, "undefined: no problem has a value in both arms")
        )

    difference = float(per_problem.mean())
    units = cluster_sums(per_problem, codes)
    # Differences of equal rates computed by different routes may leave rounding noise of 1e-17.
    rounding = 1e-13 * max(1.0, float(np.abs(left).max()), float(np.abs(right).max()))
    units = np.where(np.abs(units) <= rounding, 0.0, units)
    informative = int(np.count_nonzero(units))
    identical = bool(np.all(np.abs(per_problem) <= rounding))
    effective = float(effective_count(units))
    spread = spread_of_difference(left, right, codes)
    bca = percentile = (float("nan"), float("nan"))
    if resamples:
        bca, percentile = _bootstrap((left, right), difference, codes, resamples, seed, level)
    flip: SignFlip = sign_flip_test(
        units, flips=resamples if flips is None else flips, rng=np.random.default_rng([seed, 2])
    )

    def around(tail: float, over_seeds: bool) -> Interval:
        half = spread.half_width(tail, over_seeds)
        return difference - half, difference + half

    interval_t = interval = around(alpha / 2, True)
    models = around(alpha / 2, False)
    p_t, _ = _t_p_values(spread, difference, True)
    guard = SkewGuard.of(
        cluster_sums(per_problem - difference, codes), difference, float(np.sqrt(spread.problems)), informative
    )
    inner = guard.interval(alpha)
    p_low = guard.p_above(-margin)
    p_tost = max(p_low, guard.p_below(margin)) if margin > 0 else 1.0
    if many_seeds:
        inner = _hull(inner, around(alpha, True))
        p_low = max(p_low, spread.tail_probability(difference + margin))
        p_tost = max(p_tost, p_low, spread.tail_probability(margin - difference))
    method = "paired t over problems" if codes is None else "cluster-robust t over problems"
    conservative = False
    if many_seeds:
        method, conservative = "t over problems crossed with training seeds", True
        notes.append(f"{max(seeds)} training seeds: the interval over seeds covers at least {level:.0%}, not about it")
    limits = unit_range(left, right, (-1.0, 1.0)) if bounded == "auto" else bounded
    if (informative < ENOUGH_INFORMATIVE or effective < ENOUGH_EFFECTIVE) and limits is not None:
        values, span, factor = betting_units(per_problem, codes, limits)

        def bet(confidence: float) -> Interval:
            low, high = betting_interval(values, confidence, span)
            return max(limits[0], low * factor), min(limits[1], high * factor)

        models = bet(level)
        wide = bet(1.0 - 2.0 * alpha)
        p_low_bet = betting_p_value(values, -margin / factor, span)
        p_zero_bet = min(1.0, 2.0 * _betting_tails(values, span, 0.0)[0])
        p_tost_bet = _betting_tost(values, span, factor, margin) if margin > 0 else 1.0
        if many_seeds:
            interval, inner = _hull(interval, models), _hull(inner, wide)
            p_low, p_tost, p_t = max(p_low, p_low_bet), max(p_tost, p_tost_bet), max(p_t, p_zero_bet)
        else:
            interval, inner, p_low, p_tost, p_t = models, wide, p_low_bet, p_tost_bet, p_zero_bet
        method, conservative = "betting bound (few informative problems)", True
        few = (
            f"the arms differ on {informative} problems only (< {ENOUGH_INFORMATIVE})"
            if informative < ENOUGH_INFORMATIVE
            else f"{effective:.1f} problems make up the spread (< {ENOUGH_EFFECTIVE:.0f})"
        )
        notes.append(f"{few}: a conservative interval is used, covering at least {level:.0%}")
    if identical:
        notes.append("identical: the arms agree on every problem")
    primary = max(flip.two_sided, p_t) if many_seeds else flip.two_sided
    if identical:
        primary = p_t = 1.0
    smallest = max(abs(inner[0]), abs(inner[1]))
    declared = {
        "superiority": primary if difference > 0 else 1.0,
        "noninferiority": min(1.0, 2.0 * p_low),
        "equivalence": p_tost,
    }[test]
    return PairedContrast(
        difference=difference,
        treatment_mean=float(left.mean()),
        control_mean=float(right.mean()),
        interval=interval,
        method=method,
        conservative=conservative,
        interval_models=models,
        interval_t=interval_t,
        interval_bca=bca,
        interval_percentile=percentile,
        p_value=primary,
        p_value_declared=declared,
        p_value_sign_flip=flip.two_sided,
        p_value_t=p_t,
        sign_flip_exact=flip.exact,
        equivalence=Equivalence(p_tost, margin, inner, smallest, bool(margin > 0 and p_tost <= alpha)),
        identical=identical,
        minimum_detectable_effect=_detectable(spread, alpha, interval if conservative else None),
        standard_error=spread.standard_error,
        sd_difference=float(np.std(per_problem, ddof=1)) if problems > 1 else float("nan"),
        test=test,
        margin=margin,
        level=level,
        n_problems=problems,
        n_dropped=total - problems,
        n_informative=informative,
        n_effective=effective,
        n_clusters=units.size,
        n_seeds=seeds,
        notes=tuple(notes),
    )


def _detectable(spread: MeanSpread, alpha: float, conservative: Interval | None) -> float:
    """Difference found with 80 % power.

    Exact (non-central t) where the interval is Student's. For a conservative interval, which has no power formula, its
    half-width plus z₀.₈ standard errors; so identical arms do not look infinitely precise.
    """
    if conservative is None:
        return detectable(spread.standard_error, spread.problem_degrees, level=1.0 - alpha)
    return (conservative[1] - conservative[0]) / 2.0 + normal_quantile(0.8) * spread.standard_error
