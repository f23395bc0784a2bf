"""Interactions with strata, and what choosing on the test set adds."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.oneway import anova_oneway

from harness.errors import BadInput
from harness.stats import (
    budget_curve,
    make_folds,
    rate_strata,
    selection_optimism,
    split_samples,
    strata_interaction,
    tuned_contrast,
)

RNG = np.random.default_rng(21)
IDS = [f"problem/{i}" for i in range(131)]


def test_welch_statistic_equals_statsmodels():
    groups = [RNG.normal(m, s, n) for m, s, n in ((0.0, 0.1, 30), (0.05, 0.2, 40), (0.02, 0.3, 25))]
    labels = np.repeat(["easy", "medium", "hard"], [30, 40, 25])
    d = np.concatenate(groups)
    ours = strata_interaction(d, np.zeros_like(d), labels, permutations=199)
    theirs = anova_oneway(groups, use_var="unequal", welch_correction=True)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-10)
    assert ours.p_welch == pytest.approx(theirs.pvalue, rel=1e-8)


def test_a_real_interaction_is_found_and_described():
    labels = np.repeat(["easy", "hard"], 60)
    base = RNG.uniform(0.2, 0.6, 120)
    treatment = base + np.where(labels == "hard", 0.15, 0.0) + RNG.normal(0, 0.05, 120)
    result = strata_interaction(treatment, base, labels, permutations=999)
    assert result.p_value < 0.01
    by_name = {e.stratum: e for e in result.effects}
    assert by_name["hard"].difference == pytest.approx(0.15, abs=0.03)
    assert by_name["easy"].interval[0] < 0 < by_name["easy"].interval[1]
    assert all(e.p_holm >= e.p_value for e in result.effects)


def test_small_strata_are_left_out_and_named():
    labels = ["easy"] * 30 + ["hard"] * 30 + ["odd"] * 3
    values = RNG.uniform(0, 1, 63)
    result = strata_interaction(values, np.zeros(63), labels, permutations=99)
    assert [e.stratum for e in result.effects] == ["easy", "hard"]
    assert any("odd" in n for n in result.notes)
    with pytest.raises(BadInput, match="two strata"):
        strata_interaction(values, np.zeros(63), ["all"] * 63)


@given(st.integers(2, 40), st.data())
@settings(max_examples=40)
def test_split_samples_divides_without_losing_any(n, data):
    c = data.draw(st.integers(0, n))
    (n1, c1), (n2, c2) = split_samples([n], [c], seed=data.draw(st.integers(0, 99)))
    assert n1[0] + n2[0] == n
    assert c1[0] + c2[0] == c
    assert 0 <= c1[0] <= n1[0]
    assert 0 <= c2[0] <= n2[0]


def test_split_halves_are_independent_given_the_rate():
    n, c = np.full(40_000, 10), RNG.binomial(10, 0.3, 40_000)
    (n1, c1), (n2, c2) = split_samples(n, c)
    assert abs(np.corrcoef(c1 / n1, c2 / n2)[0, 1]) < 0.02


def test_rate_strata():
    assert list(rate_strata([10, 10, 10], [0, 5, 10])) == ["hard", "medium", "easy"]
    with pytest.raises(BadInput):
        rate_strata([1], [1], edges=(0.5,), names=("a",))


def test_folds_depend_on_ids_not_on_order():
    folds = make_folds(IDS, 5)
    order = RNG.permutation(len(IDS))
    again = make_folds([IDS[i] for i in order], 5)
    assert np.array_equal(again, folds[order])
    assert set(np.bincount(folds)) <= {26, 27}
    assert not np.array_equal(folds, make_folds(IDS, 5, salt="other"))
    with pytest.raises(BadInput, match="distinct"):
        make_folds(["a", "a"], 2)


def test_folds_are_balanced_within_strata():
    strata = ["easy"] * 31 + ["medium"] * 39 + ["hard"] * 61
    folds = make_folds(IDS, 5, strata=strata)
    for name in ("easy", "medium", "hard"):
        sizes = np.bincount(folds[np.array(strata) == name], minlength=5)
        assert np.ptp(sizes) <= 1


def test_choosing_among_equals_gains_only_in_appearance():
    apparent, honest = [], []
    folds = make_folds(IDS, 5)
    for i in range(60):
        rates = RNG.beta(0.5, 0.5, 131)
        scores = RNG.binomial(10, np.broadcast_to(rates, (20, 131))) / 10
        result = selection_optimism(scores, folds, resamples=20, seed=i)
        apparent.append(result.apparent - scores.mean())
        honest.append(result.honest - scores.mean())
    assert np.mean(apparent) > 0.01
    assert abs(np.mean(honest)) < 4 * np.std(honest) / np.sqrt(60)


def test_a_clearly_best_setting_is_chosen_everywhere_with_no_optimism():
    scores = np.full((4, 131), 0.2) + RNG.uniform(0, 0.01, (4, 131))
    scores[2] += 0.5
    result = selection_optimism(scores, make_folds(IDS, 5), resamples=100)
    assert result.chosen == 2
    assert set(result.chosen_by_fold) == {2}
    assert result.optimism == pytest.approx(0.0, abs=1e-12)
    assert result.configurations == 4


def test_equal_procedures_on_both_sides_differ_by_nothing():
    scores = RNG.binomial(10, RNG.beta(0.5, 0.5, 131), (10, 131)) / 10
    contrast = tuned_contrast(scores, scores, make_folds(IDS, 5), resamples=100)
    assert contrast.difference == 0.0
    assert contrast.interval == (0.0, 0.0)
    assert contrast.equal_budgets
    fewer = tuned_contrast(scores, scores[:3], make_folds(IDS, 5), resamples=100)
    assert not fewer.equal_budgets


def test_budget_curve_equals_brute_force():
    from itertools import combinations

    scores = RNG.uniform(0, 1, (5, 30))
    folds = make_folds([str(i) for i in range(30)], 3)
    curve = budget_curve(scores, folds)
    for g in range(1, 6):
        total = 0.0
        for subset in combinations(range(5), g):
            part = scores[list(subset)]
            for f in range(3):
                best = np.argmax(part[:, folds != f].sum(axis=1))
                total += part[best, folds == f].sum()
        assert curve[g - 1] == pytest.approx(total / comb(5, g) / 30)
    assert curve[0] == pytest.approx(scores.mean())


def test_undefined_scores_are_refused():
    with pytest.raises(BadInput, match="undefined"):
        selection_optimism([[np.nan, 0.0], [1.0, 0.0]], [0, 1])
