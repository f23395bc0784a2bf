"""Noise and selection in closed form, against simulation, quadrature and published constants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from harness.forensics.design import detectable
from harness.forensics.noise import (
    HalfWidths,
    Rates,
    Variance,
    fit_rates,
    half_widths,
    problem_variance,
    standard_errors,
)
from harness.forensics.selection import chance_of_maximum, expected_maximum, sd_of_maximum


@given(st.floats(0.02, 0.98), st.floats(0.05, 50.0), st.integers(2, 10))
def test_fit_recovers_the_spread(mean, concentration, k):
    made = Rates(mean, concentration)
    fitted = fit_rates(mean, made.pass_at(k), k)
    assert fitted.pass_at(k) == pytest.approx(made.pass_at(k), abs=1e-12)
    assert fitted.pass_at(1) == pytest.approx(mean)


def test_failing_is_the_beta_moment():
    rates = Rates(0.3, 2.0)
    moment, _ = integrate.quad(lambda p: (1 - p) ** 5 * stats.beta.pdf(p, 0.6, 1.4), 0, 1)
    assert rates.failing(5) == pytest.approx(moment, rel=1e-6)


@pytest.mark.parametrize(
    ("first", "higher", "concentration"), [(0.5, 0.5, 0.0), (0.5, 0.4, 0.0), (0.5, 0.99, math.inf), (0.5, None, 0.0)]
)
def test_limits_of_the_fit(first, higher, concentration):
    assert fit_rates(first, higher, 5).concentration == concentration


@pytest.mark.parametrize("rates", [Rates(0.42, 0.6), Rates(0.9, 3.0), Rates(0.3, math.inf), Rates(0.3, 0.0)])
@pytest.mark.parametrize("k", [1, 5])
def test_variances_against_simulation(rates, k):
    rng, n, problems = np.random.default_rng(1), 10, 200_000
    if rates.concentration == 0:
        p = (rng.random(problems) < rates.mean).astype(float)
    elif math.isinf(rates.concentration):
        p = np.full(problems, rates.mean)
    else:
        p = rng.beta(rates.mean * rates.concentration, (1 - rates.mean) * rates.concentration, problems)
    estimate = np.array([1 - math.comb(n - c, k) / math.comb(n, k) for c in range(n + 1)])[rng.binomial(n, p)]
    truth = 1 - (1 - p) ** k
    variance = problem_variance(rates, n, k)
    assert variance.between == pytest.approx(truth.var(), abs=0.002)
    assert variance.within == pytest.approx(((estimate - truth) ** 2).mean(), abs=0.001)


def test_half_widths_cover_95_percent():
    """131 problems, ten samples, two arms whose rates correlate through a shared normal, as the formula assumes."""
    rng, problems, n = np.random.default_rng(2), 131, 10
    rates = [fit_rates(0.424, 0.535), fit_rates(0.553, 0.716)]
    population = rng.multivariate_normal([0, 0], [[1, 0.93], [0.93, 1]], size=400_000)
    quantiles = stats.norm.cdf(population)
    p = np.stack(
        [
            stats.beta.ppf(quantiles[:, i], r.mean * r.concentration, (1 - r.mean) * r.concentration)
            for i, r in enumerate(rates)
        ]
    )
    correlation = float(np.corrcoef(p)[0, 1])
    widths = half_widths(*(problem_variance(r, n, 1) for r in rates), problems, (correlation, correlation))
    index = rng.integers(0, p.shape[1], size=(4000, problems))
    means = [(rng.binomial(n, p[i][index]) / n).mean(axis=1) for i in (0, 1)]
    error = (means[1] - means[0]) - (p[1].mean() - p[0].mean())
    assert (np.abs(error) <= widths.high).mean() == pytest.approx(0.95, abs=0.015)


def test_half_widths_order_and_scale():
    narrow = half_widths(Variance(0.2, 0.05), Variance(0.2, 0.05), 100, (0.8, 0.95))
    assert narrow.decoding < narrow.low < narrow.high
    assert narrow.decoding == pytest.approx(1.959964 * math.sqrt(0.1 / 100), rel=1e-6)
    wide = half_widths(Variance(0.2, 0.05), Variance(0.2, 0.05), 25, (0.8, 0.95))
    assert wide.high == pytest.approx(2 * narrow.high)
    assert standard_errors(Variance(0.15, 0.10), 100) == pytest.approx((math.sqrt(0.001), 0.05))


def test_detectable_gain_is_the_textbook_one():
    # (1.96 + 0.84) standard errors for 80 % power at two-sided 5 %; SD 0.25 and 131 problems give 6.1 points.
    half = 1.959963984540054 * 0.25 / math.sqrt(131)
    low, high = detectable(HalfWidths(0.0, half, half))
    assert round(100 * low, 1) == round(100 * high, 1) == 6.1


@pytest.mark.parametrize(
    ("count", "mean"),
    [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (10, 1.538753), (100, 2.507594)],
)
def test_expected_maximum_of_normals(count, mean):
    """Closed forms for two and three; tables of normal order statistics for ten and a hundred."""
    assert expected_maximum(count) == pytest.approx(mean, abs=1e-5)


def test_spread_of_a_maximum():
    assert sd_of_maximum(1) == pytest.approx(1.0, abs=1e-5)
    assert sd_of_maximum(2) == pytest.approx(math.sqrt(1 - 1 / math.pi), abs=1e-5)


def test_chance_of_a_maximum_against_simulation():
    rng = np.random.default_rng(3)
    cells = rng.normal(size=(20_000, 30, 6)).max(axis=2)
    mean, sd = expected_maximum(6), sd_of_maximum(6)
    for at_least in (1, 2):
        simulated = ((cells >= 3.0).sum(axis=1) >= at_least).mean()
        assert chance_of_maximum(mean, sd, 6, 30, 3.0, at_least) == pytest.approx(simulated, abs=0.01)


def test_a_sweep_of_equal_settings_rises_as_predicted():
    """156 settings of one model on 131 fixed problems: the best lies above the truth by what the formula says."""
    rng, n, problems = np.random.default_rng(4), 10, 131
    rates = fit_rates(0.555, 0.693)
    p = stats.beta.ppf((np.arange(problems) + 0.5) / problems, *(rates.concentration * m for m in (0.555, 0.445)))
    scores = rng.binomial(n, p, size=(400, 156, problems)).mean(axis=2) / n
    error = math.sqrt(problem_variance(rates, n, 1).within / problems)
    assert (scores.max(axis=1) - p.mean()).mean() == pytest.approx(error * expected_maximum(156), rel=0.03)
