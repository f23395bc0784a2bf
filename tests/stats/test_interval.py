"""One arm's mean: which interval is used when, against references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from harness.stats import mean_interval
from harness.stats.interval import score_interval

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("passed", "total"), [(3, 40), (20, 40), (39, 40)])
def test_score_interval_of_a_proportion_is_wilsons(passed, total):
    share = passed / total
    half = stats.norm.ppf(0.975) * np.sqrt(share * (1 - share) / total)
    assert score_interval(share, half) == pytest.approx(proportion_confint(passed, total, method="wilson"), abs=1e-12)


def test_enough_interior_values_give_the_score_interval():
    values = RNG.uniform(0.05, 0.4, 100)
    e = mean_interval(values)
    half = stats.t.ppf(0.975, 99) * values.std(ddof=1) / 10
    assert e.method == "score over problems"
    assert not e.conservative
    assert e.interval == pytest.approx(score_interval(values.mean(), half), abs=1e-12)


def test_single_samples_give_clopper_pearson():
    e = mean_interval([1.0] * 7 + [0.0] * 24)
    assert e.interval == pytest.approx(proportion_confint(7, 31, method="beta"), abs=1e-10)
    assert e.conservative
    assert "at least 95%" in e.note


def test_few_interior_values_give_a_conservative_interval():
    values = np.r_[np.zeros(28), 0.1, 0.2, 0.1]
    e = mean_interval(values)
    half = stats.t.ppf(0.975, 30) * values.std(ddof=1) / np.sqrt(31)
    assert e.method.startswith("betting")
    assert e.interval[0] >= 0
    assert e.interval[1] > values.mean() + half


def test_all_failed_is_not_certainty():
    e = mean_interval(np.zeros(31))
    assert e.interval[0] == 0.0
    assert e.interval[1] == pytest.approx(1 - 0.025 ** (1 / 31))


def test_unbounded_metrics_use_student():
    tokens = RNG.normal(300, 40, 60)
    reference = stats.ttest_1samp(tokens, 0).confidence_interval(0.95)
    e = mean_interval(tokens)
    assert e.interval == pytest.approx((reference.low, reference.high), abs=1e-9)
    assert e.method == "t over problems"


def test_undefined_values():
    assert np.isnan(mean_interval([np.nan, np.nan]).estimate)
    e = mean_interval([np.nan, *RNG.uniform(0.2, 0.8, 40)])
    assert (e.n_problems, e.n_dropped) == (40, 1)
    assert "1 of 41" in e.note


def test_seeds_are_crossed_with_problems_not_pooled():
    rates = RNG.beta(0.5, 0.5, 131)
    values = RNG.binomial(10, np.broadcast_to(rates, (3, 131))) / 10
    crossed, pooled = mean_interval(values), mean_interval(values.ravel())
    # Pooling 3 × 131 values pretends to 393 problems: an interval short by about √3.
    assert np.ptp(crossed.interval) > 1.5 * np.ptp(pooled.interval)
    assert crossed.n_seeds == 3


@given(arrays(np.float64, st.integers(1, 60), elements=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0])))
@settings(max_examples=60, deadline=None)
def test_interval_holds_the_estimate_inside_the_range(values):
    e = mean_interval(values)
    assert 0 <= e.interval[0] <= e.estimate + 1e-12
    assert e.estimate - 1e-12 <= e.interval[1] <= 1
