"""Paired contrasts against scipy and statsmodels, and the properties a referee relies on."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from harness.errors import BadInput
from harness.stats import mixed_model, paired_contrast, pass_at_k

RNG = np.random.default_rng(20260401)
RATES = RNG.beta(0.6, 0.9, 131)
BASE = pass_at_k(10, RNG.binomial(10, RATES), 1)
BETTER = pass_at_k(10, RNG.binomial(10, np.clip(RATES + 0.06, 0, 1)), 1)
SEEDS = np.stack([pass_at_k(10, RNG.binomial(10, np.clip(RATES + s, 0, 1)), 1) for s in (0.0, 0.05, 0.09)])

scores = arrays(np.float64, st.integers(2, 40), elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0]))


def test_interval_and_p_value_are_those_of_scipy_paired_t():
    ours = paired_contrast(BETTER, BASE)
    theirs = stats.ttest_rel(BETTER, BASE)
    interval = theirs.confidence_interval(0.95)
    assert ours.interval == pytest.approx((interval.low, interval.high), abs=1e-10)
    assert ours.p_value_t == pytest.approx(theirs.pvalue, abs=1e-10)


@pytest.mark.parametrize("side", ["two-sided", "greater"])
def test_exact_sign_flip_equals_scipy_permutation_test(side):
    from harness.stats.signflip import sign_flip_test

    d = np.array([0.3, -0.1, 0.2, 0.5, -0.4, 0.1, 0.1, 0.25, 0.6, -0.05, 0.2])
    ours = sign_flip_test(d, rng=np.random.default_rng(0))
    theirs = stats.permutation_test((d,), np.sum, permutation_type="samples", alternative=side, n_resamples=np.inf)
    assert ours.exact
    value = ours.two_sided if side == "two-sided" else ours.greater
    assert value == pytest.approx(theirs.pvalue, abs=1e-10)


def test_random_sign_flips_agree_with_the_exact_test():
    from harness.stats import signflip

    d = RNG.normal(0.15, 0.4, 16)
    exact = signflip.sign_flip_test(d, rng=np.random.default_rng(0)).two_sided
    sums = signflip.random_sign_sums(d, 200_000, np.random.default_rng(1))
    share = np.mean(np.abs(sums) >= abs(d.sum()) - 1e-12)
    assert share == pytest.approx(exact, abs=5 * np.sqrt(exact / 200_000))


def test_tost_equals_statsmodels_for_symmetric_differences():
    # Symmetric about their mean and never zero, so that the skewness guard and the degrees of freedom change nothing.
    offsets = RNG.uniform(0.02, 0.3, 30)
    d = 0.01 + np.r_[offsets, -offsets]
    base = np.full(60, 0.5)
    ours = paired_contrast(base + d, base, test="equivalence", margin=0.06)
    p, _, _ = ttost_paired(base + d, base, -0.06, 0.06)
    assert ours.equivalence.p_value == pytest.approx(p, abs=1e-10)
    assert ours.p_value_declared == ours.equivalence.p_value
    reference = stats.ttest_1samp(d, 0).confidence_interval(0.90)
    assert ours.equivalence.interval == pytest.approx((reference.low, reference.high), abs=1e-10)


def test_equivalence_interval_and_tost_decide_alike():
    for margin in np.linspace(0.005, 0.2, 30):
        e = paired_contrast(BETTER, BASE, margin=float(margin), resamples=100).equivalence
        assert e.equivalent == (-margin < e.interval[0] and e.interval[1] < margin)
        assert e.equivalent == (margin > e.smallest_margin)


def test_clustered_interval_equals_statsmodels_cluster_robust_one():
    labels = np.repeat(np.arange(27), 5)[:131]
    ours = paired_contrast(BETTER, BASE, clusters=labels)
    fit = sm.OLS(BETTER - BASE, np.ones(131)).fit(
        cov_type="cluster", cov_kwds={"groups": labels, "df_correction": True}, use_t=True
    )
    assert ours.standard_error == pytest.approx(float(fit.bse[0]), abs=1e-10)
    assert ours.interval == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-10)
    assert ours.n_clusters == 27


def test_bca_agrees_with_scipy_within_monte_carlo_error():
    d = BETTER - BASE
    theirs = stats.bootstrap((d,), np.mean, n_resamples=50_000, method="BCa", rng=np.random.default_rng(0), batch=1000)
    ours = paired_contrast(BETTER, BASE, resamples=50_000)
    interval = theirs.confidence_interval
    assert ours.interval_bca == pytest.approx((interval.low, interval.high), abs=6e-4)


def test_crossed_seeds_standard_error_equals_the_mixed_model():
    ours = paired_contrast(SEEDS, BASE)
    theirs = mixed_model(SEEDS, BASE)
    assert ours.difference == pytest.approx(theirs.difference, abs=1e-8)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-3)


def test_one_seed_mixed_model_agrees_too():
    ours, theirs = paired_contrast(BETTER, BASE), mixed_model(BETTER, BASE)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-3)


def test_one_seed_says_what_it_is_about():
    assert any("one training seed" in n for n in paired_contrast(BETTER, BASE).notes)
    assert not any("one training seed" in n for n in paired_contrast(SEEDS, BASE).notes)


def test_interval_over_seeds_contains_the_one_about_these_models():
    c = paired_contrast(SEEDS, BASE)
    assert c.interval[0] <= c.interval_models[0]
    assert c.interval[1] >= c.interval_models[1]
    assert c.conservative


def test_seeds_that_differ_a_lot_widen_only_the_interval_over_seeds():
    spread = np.clip(SEEDS + np.array([[-0.1], [0.0], [0.1]]), 0, 1)
    calm, wild = paired_contrast(SEEDS, BASE), paired_contrast(spread, BASE)
    assert np.ptp(wild.interval) > 2 * np.ptp(calm.interval_models)
    assert np.ptp(wild.interval_models) < 1.3 * np.ptp(calm.interval_models)


def test_interval_over_three_dominating_seeds_is_the_t_interval_over_seed_means():
    shift = np.array([[-0.2], [0.0], [0.25]])
    base = np.full((1, 500), 0.5)
    values = 0.5 + shift + RNG.normal(0, 1e-4, (3, 500))
    c = paired_contrast(values, base, bounded=None)
    reference = stats.ttest_1samp(values.mean(axis=1) - 0.5, 0).confidence_interval(0.95)
    assert c.interval == pytest.approx((reference.low, reference.high), rel=1e-3)


@given(scores, st.data())
@settings(max_examples=25, deadline=None)
def test_swapping_arms_mirrors_everything(a, data):
    b = data.draw(arrays(np.float64, a.size, elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0])))
    one = paired_contrast(a, b, resamples=200, margin=0.1)
    two = paired_contrast(b, a, resamples=200, margin=0.1)
    assert one.difference == pytest.approx(-two.difference, abs=1e-12)
    assert one.interval == pytest.approx((-two.interval[1], -two.interval[0]), abs=1e-7)
    assert one.p_value == pytest.approx(two.p_value, abs=1e-12)
    assert one.equivalence.p_value == pytest.approx(two.equivalence.p_value, abs=1e-9)


@given(scores, st.data())
@settings(max_examples=25, deadline=None)
def test_numbers_are_possible(a, data):
    b = data.draw(arrays(np.float64, a.size, elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0])))
    c = paired_contrast(a, b, resamples=200, margin=0.1)
    for p in (c.p_value, c.p_value_t, c.p_value_declared, c.equivalence.p_value):
        assert 0 <= p <= 1
    assert c.interval[0] <= c.difference <= c.interval[1]
    assert c.identical == bool(np.array_equal(a, b))
    assert c.conservative == (c.n_informative < 20 or c.n_effective < 6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_p_value_over_seeds_and_interval_agree(seed):
    rng = np.random.default_rng(seed)
    treatment = rng.uniform(0, 1, (3, 40)) + rng.normal(0, 0.3, (3, 1))
    c = paired_contrast(treatment[: rng.integers(2, 4)], rng.uniform(0, 1, 40), resamples=100, bounded=None)
    assert (c.p_value_t < 0.05) == (c.interval[0] > 0 or c.interval[1] < 0)


def test_results_are_bit_identical_for_a_seed_and_differ_between_seeds():
    assert paired_contrast(BETTER, BASE, seed=3) == paired_contrast(BETTER, BASE, seed=3)
    other = paired_contrast(BETTER, BASE, seed=4)
    assert other.interval_bca != paired_contrast(BETTER, BASE, seed=3).interval_bca


def test_undefined_problems_are_dropped_and_counted():
    holes = BETTER.copy()
    holes[:5] = np.nan
    c = paired_contrast(holes, BASE)
    assert (c.n_problems, c.n_dropped) == (126, 5)
    assert c.difference == pytest.approx(float(np.mean(BETTER[5:] - BASE[5:])))
    assert any("5 of 131" in n for n in c.notes)


def test_nothing_defined_is_undefined_not_an_error():
    c = paired_contrast([np.nan, np.nan], [0.5, 0.5])
    assert np.isnan(c.difference)
    assert np.isnan(c.p_value)
    assert not c.supported


def test_identical_arms_say_identical_and_prove_nothing():
    c = paired_contrast(BASE, BASE, test="equivalence", margin=0.01)
    assert c.identical
    assert c.p_value == 1.0
    assert any("identical" in n for n in c.notes)
    # 131 equal observations do not show that the models are equal within a point.
    assert not c.equivalence.equivalent
    assert c.minimum_detectable_effect > 0.02


def test_declared_tests():
    up = paired_contrast(BETTER, BASE)
    down = paired_contrast(BASE, BETTER)
    assert up.p_value_declared == up.p_value
    assert up.supported
    assert down.p_value_declared == 1.0
    assert not down.supported
    lenient = paired_contrast(BASE, BETTER, test="noninferiority", margin=0.2)
    strict = paired_contrast(BASE, BETTER, test="noninferiority", margin=0.01)
    assert lenient.supported
    assert not strict.supported


def test_metrics_without_bounds_are_not_forced_into_a_range():
    c = paired_contrast([100.0, 120.0, 90.0], [100.0, 110.0, 95.0])
    assert c.method.startswith("paired t")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"treatment": [0, 1], "control": [0, 1, 1]}, "same"),
        ({"treatment": [0, 1], "control": [0, 1], "test": "equivalence"}, "margin"),
        ({"treatment": [0, 1], "control": [0, 1], "test": "better"}, "superiority"),
        ({"treatment": [0, 1], "control": [0, 1], "level": 95}, "level"),
        ({"treatment": [0, np.inf], "control": [0, 1]}, "infinite"),
        ({"treatment": [0, 1], "control": [0, 1], "clusters": ["a"]}, "cluster"),
    ],
)
def test_bad_input_is_named(arguments, word):
    with pytest.raises(BadInput, match=word):
        paired_contrast(**arguments)
