"""The conservative intervals: exact references, and coverage by enumeration rather than simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from harness.errors import BadInput
from harness.stats.bounds import betting_interval, betting_p_value, clopper_pearson

unit = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(("passed", "total"), [(0, 31), (1, 31), (15, 31), (31, 31), (400, 1055)])
def test_clopper_pearson_equals_statsmodels_and_scipy(passed, total):
    ours = clopper_pearson(passed, total)
    assert ours == pytest.approx(
        proportion_confint(passed, total, method="beta"), abs=1e-10, nan_ok=True
    ) or passed in (
        0,
        total,
    )
    reference = binomtest(passed, total).proportion_ci(method="exact")
    assert ours == pytest.approx((reference.low, reference.high), abs=1e-10)


@pytest.mark.parametrize("n", [5, 31])
def test_betting_interval_covers_bernoulli_means(n):
    intervals = np.array([betting_interval(np.r_[np.ones(c), np.zeros(n - c)]) for c in range(n + 1)])
    for p in (0.01, 0.2, 0.5, 0.97):
        inside = (intervals[:, 0] <= p) & (p <= intervals[:, 1])
        assert binom.pmf(np.arange(n + 1), n, p) @ inside >= 0.95


@given(unit, st.randoms())
@settings(max_examples=30, deadline=None)
def test_betting_interval_ignores_the_order_of_problems(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert betting_interval(values) == pytest.approx(betting_interval(shuffled), abs=1e-9)


@given(unit)
@settings(max_examples=30, deadline=None)
def test_betting_interval_contains_the_mean_and_stays_in_range(values):
    low, high = betting_interval(values)
    assert 0 <= low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= high <= 1


@given(unit)
@settings(max_examples=30, deadline=None)
def test_mirrored_values_give_the_mirrored_interval(values):
    low, high = betting_interval(values)
    other = betting_interval(1 - np.asarray(values))
    assert (1 - high, 1 - low) == pytest.approx(other, abs=1e-8)


@given(unit, st.floats(0.01, 0.99))
@settings(max_examples=30, deadline=None)
def test_p_value_and_interval_agree(values, mean):
    low, _ = betting_interval(values)
    p = betting_p_value(values, mean)
    if abs(low - mean) > 1e-7:
        assert (p <= 0.025) == (mean < low)


def test_identical_zero_differences_still_leave_room():
    low, high = betting_interval(np.zeros(131), 0.95, (-1.0, 1.0))
    # The mean of 131 zero differences in [−1, 1] cannot be pinned better than about 2·log(2/α)/131 by any safe bound.
    assert low == pytest.approx(-high)
    assert 0.02 < high < 0.07


def test_values_outside_the_range_are_refused():
    with pytest.raises(BadInput):
        betting_interval([0.5, 1.5])
    with pytest.raises(BadInput):
        clopper_pearson(3, 2)
