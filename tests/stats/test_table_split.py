"""The whole-table bootstrap, the variance split, McNemar and verdict noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from harness.errors import BadInput
from harness.stats import bootstrap_table, mcnemar_exact, pass_at_k_variance, variance_split, verdict_noise
from harness.stats.bootstrap import resampling_weights

RNG = np.random.default_rng(11)
RATES = RNG.beta(0.6, 0.9, 200)
ARMS = {
    "base": RNG.binomial(10, RATES) / 10,
    "one": RNG.binomial(10, np.clip(RATES + 0.05, 0, 1), (3, 200)) / 10,
    "five": RNG.binomial(10, RATES, (5, 200)) / 10,
}


def test_weights_are_multinomial_counts():
    weights = np.concatenate(list(resampling_weights(np.random.default_rng(0), 3_000, 7)))
    assert weights.shape == (3_000, 7)
    assert np.all(weights.sum(axis=1) == 7)
    counts = np.bincount(weights[:, 0].astype(int), minlength=8)
    expected = stats.binom.pmf(np.arange(8), 7, 1 / 7) * 3_000
    merged = np.r_[counts[:4], counts[4:].sum()], np.r_[expected[:4], expected[4:].sum()]
    assert stats.chisquare(*merged).pvalue > 1e-4


def test_arms_and_contrasts_share_their_resamples():
    table = bootstrap_table(ARMS, [("one", "base"), ("base", "base")], resamples=500)
    assert [r.treatment for r in table.arms] == ["base", "one", "five"]
    # A contrast of an arm with itself is zero in every shared resample.
    assert table.contrasts[1].interval_percentile == (0.0, 0.0)
    # Pairing pays: the contrast is tighter than two independent arms would make it.
    width = np.ptp(table.contrasts[0].interval_percentile)
    alone = [np.ptp(r.interval_percentile) for r in table.arms]
    assert width < 0.7 * np.hypot(alone[0], alone[1])


def test_endpoints_agree_with_scipy_within_monte_carlo_error():
    d = ARMS["one"].mean(axis=0) - ARMS["base"]
    reference = stats.bootstrap(
        (d,), np.mean, n_resamples=40_000, method="BCa", rng=np.random.default_rng(1), batch=500
    )
    ours = bootstrap_table(ARMS, [("one", "base")], resamples=40_000).contrasts[0]
    interval = reference.confidence_interval
    assert ours.estimate == pytest.approx(d.mean(), abs=1e-12)
    assert ours.interval_bca == pytest.approx((interval.low, interval.high), abs=6e-4)


def test_resampling_seeds_widens_and_clusters_are_drawn_whole():
    shifted = {**ARMS, "five": np.clip(ARMS["five"] + np.linspace(-0.1, 0.1, 5)[:, None], 0, 1)}
    fixed = bootstrap_table(shifted, [("five", "base")], resamples=2_000, resample_seeds=False).contrasts[0]
    drawn = bootstrap_table(shifted, [("five", "base")], resamples=2_000).contrasts[0]
    assert np.ptp(drawn.interval_percentile) > 1.3 * np.ptp(fixed.interval_percentile)
    # Clusters of identical problems carry the information of one problem each.
    doubled = {"a": np.repeat(ARMS["base"], 2), "b": np.repeat(ARMS["one"][0], 2)}
    labels = np.repeat(np.arange(200), 2)
    clustered = bootstrap_table(doubled, [("b", "a")], clusters=labels, resamples=4_000).contrasts[0]
    single = bootstrap_table({"a": ARMS["base"], "b": ARMS["one"][0]}, [("b", "a")], resamples=4_000).contrasts[0]
    assert np.ptp(clustered.interval_percentile) == pytest.approx(np.ptp(single.interval_percentile), rel=0.08)


def test_bit_identical_for_a_seed():
    assert bootstrap_table(ARMS, [("one", "base")], resamples=300, seed=2) == bootstrap_table(
        ARMS, [("one", "base")], resamples=300, seed=2
    )


def test_table_refuses_what_it_cannot_pair():
    with pytest.raises(BadInput, match="unknown arm 'two'"):
        bootstrap_table(ARMS, [("two", "base")])
    with pytest.raises(BadInput, match="different numbers"):
        bootstrap_table({"a": [0.0, 1.0], "b": [0.0]}, [("a", "b")])


def test_mcnemar_equals_statsmodels():
    a, b = RNG.integers(0, 2, 90), RNG.integers(0, 2, 90)
    table = [[np.sum((a == i) & (b == j)) for j in (0, 1)] for i in (0, 1)]
    ours = mcnemar_exact(a, b)
    assert ours.p_value == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-12)
    assert (ours.gained, ours.lost) == (np.sum(a > b), np.sum(a < b))
    assert mcnemar_exact([1, 0], [1, 0]).p_value == 1.0
    with pytest.raises(BadInput, match="one sample"):
        mcnemar_exact([0.5], [1.0])


def test_variance_split_recovers_planted_components():
    seeds, problems = 40, 3_000
    values = (
        0.5
        + RNG.normal(0, 0.20, problems)
        + RNG.normal(0, 0.05, (seeds, 1))
        + RNG.normal(0, 0.10, (seeds, problems))
        + RNG.normal(0, 0.15, (seeds, problems))
    )
    split = variance_split(values, np.full_like(values, 0.15**2))
    assert split.problems == pytest.approx(0.04, rel=0.1)
    assert split.interaction == pytest.approx(0.01, rel=0.1)
    assert split.samples == pytest.approx(0.0225)
    assert split.seeds == pytest.approx(0.0025, rel=0.6)
    assert sum(split.shares.values()) == pytest.approx(1.0)


def test_split_of_pure_sampling_noise_blames_samples():
    n, c = 10, RNG.binomial(10, 0.4, (2, 400))
    within = pass_at_k_variance(n, c, 1).sum(axis=0)
    split = variance_split((c[0] - c[1]) / n, within)
    assert split.shares["samples"] > 0.8
    assert np.isnan(split.seeds)


def test_verdict_noise():
    first = np.array([[1, 0, 1, 1], [0, 0, 0, np.nan]])
    second = np.array([[1, 0, 0, 1], [0, 1, 0, 1]])
    noise = verdict_noise(first, second)
    assert noise.flip_rate == pytest.approx(2 / 7)
    assert noise.effect == pytest.approx((-1 / 4 + 1 / 3) / 2)
    assert verdict_noise(second, second).variance == 0.0
    with pytest.raises(BadInput):
        verdict_noise([[1]], [[1, 0]])
