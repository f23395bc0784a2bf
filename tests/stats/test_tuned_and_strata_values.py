"""Contributions to a difference between strata, and the spread that choosing adds to a cross-fitted score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.errors import BadInput
from harness.stats import make_folds, paired_contrast
from harness.stats.selection import cross_fitted_spread
from harness.stats.stratum_difference import difference_contributions


@given(st.integers(10, 40), st.integers(10, 40), st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_contributions_average_to_the_difference_and_vary_as_welch_says(inside: int, outside: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gains = np.concatenate([rng.normal(0.3, 1.0, inside), rng.normal(0.0, 2.0, outside)])
    group = np.arange(inside + outside) < inside
    values = difference_contributions([gains], [group])[0]
    assert values.mean() == pytest.approx(gains[group].mean() - gains[~group].mean(), abs=1e-12)
    welch = np.sqrt(gains[group].var(ddof=1) / inside + gains[~group].var(ddof=1) / outside)
    n = values.size
    assert values.std(ddof=1) / np.sqrt(n) == pytest.approx(welch * np.sqrt(n / (n - 1)), rel=1e-9)


def test_the_same_division_twice_is_that_division() -> None:
    rng = np.random.default_rng(0)
    gains, group = rng.normal(size=60), np.arange(60) < 25
    once = difference_contributions([gains], [group])
    np.testing.assert_allclose(difference_contributions([gains, gains], [group, group]), once)


def test_too_few_problems_in_a_group_leave_it_undefined() -> None:
    assert np.isnan(difference_contributions([np.zeros(30)], [np.arange(30) < 9])).all()
    with pytest.raises(BadInput, match="one group for each division"):
        difference_contributions([np.zeros(30)], [])
    with pytest.raises(BadInput, match="groups"):
        difference_contributions([np.zeros(30)], [np.zeros(29, dtype=bool)])


def test_cross_fitted_groups_do_not_regress_to_the_mean() -> None:
    """Without any effect, groups from the same samples find one; cross-fitted groups do so in 5 % of experiments."""
    rng = np.random.default_rng(20260401)
    rates = rng.uniform(0.1, 0.9, 200)
    naive = fitted = 0
    for _ in range(300):
        treatment, control = ((rng.random((2, 4, 200)) < rates).mean(axis=1) for _ in range(2))
        gains = [t - c for t, c in zip(treatment, control, strict=True)]
        hard = [c <= np.median(c) for c in control]
        same = difference_contributions(gains, hard)[0]
        crossed = difference_contributions(gains, hard[::-1])[0]
        naive += stats.ttest_1samp(same, 0).pvalue < 0.05
        fitted += stats.ttest_1samp(crossed, 0).pvalue < 0.05
    assert naive > 0.9 * 300
    assert stats.binomtest(fitted, 300, 0.05).pvalue > 0.001


def test_choosing_adds_to_the_spread_where_settings_are_alike_and_nothing_where_one_is_far_ahead() -> None:
    rng = np.random.default_rng(1)
    ids = [f"p{i}" for i in range(200)]
    folds = make_folds(ids)
    alike = (rng.random((4, 8, 200)) < rng.uniform(0.2, 0.8, 200)).mean(axis=1)
    choosing, chosen = cross_fitted_spread([alike, alike[::-1]], folds)
    assert choosing > chosen
    ahead = alike.copy()
    ahead[2] += 1.0
    choosing, chosen = cross_fitted_spread([ahead], folds)
    assert choosing == pytest.approx(chosen, rel=0.1)
    assert chosen == pytest.approx(ahead[2].std() / np.sqrt(200), rel=0.1)


def test_without_resamples_only_the_bootstrap_is_missing() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.binomial(5, 0.5, 100) / 5, rng.binomial(5, 0.4, 100) / 5
    whole, bare = paired_contrast(a, b, resamples=1000), paired_contrast(a, b, resamples=0, flips=1000)
    assert np.isnan(bare.interval_bca).all()
    assert (bare.interval, bare.p_value, bare.minimum_detectable_effect) == (
        whole.interval,
        whole.p_value,
        whole.minimum_detectable_effect,
    )
