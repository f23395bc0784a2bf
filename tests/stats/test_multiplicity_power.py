"""Adjusted p-values and power against statsmodels and a published table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from harness.errors import BadInput
from harness.stats import benjamini_hochberg, holm, minimum_detectable_effect, power_curve
from harness.stats.passk import pass_at_k_sampling_variance

pvalues = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(pvalues)
def test_holm_equals_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)


@given(pvalues)
def test_benjamini_hochberg_equals_statsmodels(p):
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], atol=1e-12)


@given(pvalues)
def test_adjustment_only_raises_and_keeps_order(p):
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert np.all(adjusted >= np.asarray(p) - 1e-15)
        assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= -1e-15)


def test_tests_that_could_not_be_run_do_not_count():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    with pytest.raises(BadInput):
        holm([0.2, 1.5])


@pytest.mark.parametrize(
    ("problems", "sd", "points"),
    [(131, 0.20, 4.9), (131, 0.25, 6.1), (131, 0.30, 7.3), (175, 0.20, 4.2), (175, 0.25, 5.3), (175, 0.30, 6.4)],
)
def test_textbook_detectable_differences(problems, sd, points):
    assert round(100 * minimum_detectable_effect(sd, problems, normal=True), 1) == points


@pytest.mark.parametrize("problems", [5, 31, 131, 1055])
def test_detectable_difference_equals_statsmodels_power_of_the_t_test(problems):
    effect = TTestPower().solve_power(nobs=problems, alpha=0.05, power=0.8, alternative="two-sided")
    # statsmodels also counts rejections on the wrong side, a share of 10⁻⁶ here.
    assert minimum_detectable_effect(0.25, problems) == pytest.approx(0.25 * effect, rel=1e-4)


def test_more_of_anything_detects_less():
    rates = np.linspace(0.05, 0.95, 50)
    curve = power_curve(131, rates, between=0.02, samples=(1, 2, 4, 8, 16), seeds=(1,))
    effects = [p.detectable for p in curve]
    assert effects == sorted(effects, reverse=True)
    # With many samples the curve flattens at what the spread between problems allows.
    assert effects[-1] > minimum_detectable_effect(np.sqrt(0.02), 131)
    assert power_curve(262, rates, between=0.02, samples=(4,))[0].detectable < effects[2]


def test_parts_add_up_to_the_observed_spread():
    within = 2 * float(pass_at_k_sampling_variance(0.3, 10, 1))
    whole = minimum_detectable_effect(np.sqrt(0.03 + within), 131)
    assert minimum_detectable_effect(None, 131, between=0.03, within=within) == pytest.approx(whole)


def test_curve_leaves_out_undefined_designs():
    assert [p.samples for p in power_curve(31, [0.5], between=0.01, k=5, samples=(1, 4, 5, 10))] == [5, 10]


def test_few_differing_seeds_cost_power_and_one_seed_says_nothing():
    two, five = (minimum_detectable_effect(0.2, 131, seed=0.0004, seeds=s) for s in (2, 5))
    assert two > five > minimum_detectable_effect(0.2, 131)
    assert np.isnan(minimum_detectable_effect(0.2, 131, seed=0.0004, seeds=1))


@pytest.mark.parametrize("arguments", [(0.2, 0), (-0.1, 10)])
def test_impossible_designs_are_refused(arguments):
    with pytest.raises(BadInput):
        minimum_detectable_effect(*arguments)
