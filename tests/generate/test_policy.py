"""Decoding policies against transformers' own filters, closed forms and a chi-square test."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from transformers import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from harness.errors import BadInput
from harness.generate import noise, policy
from harness.spec import Policy, Stage

SETTINGS = settings(max_examples=150, deadline=None)

STAGES = st.builds(
    Stage,
    temperature=st.floats(0.05, 3),
    top_k=st.sampled_from([0, 1, 2, 5, 20, 100, 5000]),
    top_p=st.sampled_from([1.0, 0.999, 0.95, 0.8, 0.5, 0.1, 1e-6]),
    min_p=st.sampled_from([0.0, 0.01, 0.2, 0.9]),
)
POLICIES = st.builds(Policy, st.lists(STAGES, min_size=1, max_size=2).map(tuple))


def random_logits(seed: int, vocabulary: int, spread: float, rows: int = 3) -> torch.Tensor:
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed)) * spread


def by_transformers(logits: torch.Tensor, decoding: Policy) -> torch.Tensor:
    """The same stages by the library's warpers, in vLLM's order."""
    scores = logits
    for stage in decoding.stages:
        scores = TemperatureLogitsWarper(stage.temperature)(None, scores)
        if stage.min_p > 0:
            scores = MinPLogitsWarper(stage.min_p)(None, scores)
        if stage.top_k:
            scores = TopKLogitsWarper(stage.top_k)(None, scores)
        if stage.top_p < 1:
            scores = TopPLogitsWarper(stage.top_p)(None, scores)
    return scores


def kept(scores: torch.Tensor) -> torch.Tensor:
    return scores > -math.inf


@SETTINGS
@given(
    decoding=POLICIES,
    seed=st.integers(0, 10**6),
    vocabulary=st.sampled_from([1, 2, 7, 64, 1000]),
    spread=st.sampled_from([0.0, 0.3, 2.0, 8.0]),
)
def test_kept_sets_and_law_equal_transformers(decoding, seed, vocabulary, spread):
    # spread 0 makes all logits equal. Then the library's unstable sort decides which of them top-p drops, so only how
    # many stay is compared.
    logits = random_logits(seed, vocabulary, spread)
    reference = by_transformers(logits, decoding)
    law = policy.log_probabilities(logits, decoding)
    expected = reference.softmax(dim=-1)
    if spread:
        assert torch.equal(kept(law), kept(reference))
        torch.testing.assert_close(law.exp(), expected, rtol=1e-5, atol=1e-7)
    else:
        assert torch.equal(kept(law).sum(dim=-1), kept(reference).sum(dim=-1))
        torch.testing.assert_close(law.exp().sort().values, expected.sort().values, rtol=1e-5, atol=1e-7)
    assert kept(law).any(dim=-1).all()


@SETTINGS
@given(decoding=POLICIES, seed=st.integers(0, 10**6), ties=st.booleans())
def test_the_fast_path_keeps_the_same_tokens(decoding, seed, ties):
    logits = random_logits(seed, 400, 2.0)
    if ties:
        logits = logits.round()
    full = policy.log_probabilities(logits, decoding)
    assume(not _near_border(logits, decoding))
    scores, ids = policy.candidates(logits, decoding)
    law = torch.log_softmax(scores, dim=-1)
    if ids is not None:
        law = torch.full_like(full, -math.inf).scatter(-1, ids, law)
    assert torch.equal(kept(law), kept(full))
    torch.testing.assert_close(law.exp(), full.exp(), rtol=1e-5, atol=1e-7)


def _near_border(logits: torch.Tensor, decoding: Policy) -> bool:
    """Whether a cumulative probability lies so near a top-p border that float32 sums over other shapes may differ."""
    scores = logits.double()
    for stage in decoding.stages:
        before_top_p = by_transformers(scores, Policy((Stage(stage.temperature, stage.top_k, 1.0, stage.min_p),)))
        probs = before_top_p.softmax(dim=-1).sort(dim=-1).values.cumsum(dim=-1)
        if stage.top_p < 1 and ((probs - (1 - stage.top_p)).abs() < 1e-6).any():
            return True
        scores = by_transformers(scores, Policy((stage,)))
    return False


def test_the_fast_path_is_taken_only_where_it_can_be():
    logits = random_logits(1, 1000, 1.0)
    assert policy.candidates(logits, Policy.single(1.6, 20, 0.8))[1] is not None
    assert policy.candidates(logits, Policy.single(1.6, 0, 0.8))[1] is None
    assert policy.candidates(torch.zeros(1, 1000), Policy.single(1.6, 20, 0.8))[1] is None  # ties reach past any k


@given(seed=st.integers(0, 10**6))
@SETTINGS
def test_two_stages_without_filters_multiply_their_temperatures(seed):
    # softmax(softmax-log(z/a)/b) = softmax(z/(ab)): the SSD paper's product of temperatures.
    logits = random_logits(seed, 50, 2.0)
    twice = policy.log_probabilities(logits, Policy((Stage(1.6), Stage(0.9))))
    once = torch.log_softmax(logits / (1.6 * 0.9), dim=-1)
    torch.testing.assert_close(twice, once, rtol=1e-4, atol=1e-5)


def test_two_stage_law_by_hand():
    # Probabilities 8:4:2:1:1 over 16. Stage 1 (T=1, top-k 3) keeps 8:4:2; stage 2 at T=1/2 squares them, 64:16:4 over
    # 84; top-p 0.9 drops 4/84 (cumulative from below 0.048 ≤ 0.1) and keeps 64:16, because 4 + 16 over 84 exceeds 0.1.
    logits = torch.log(torch.tensor([[8.0, 4, 2, 1, 1]]))
    law = policy.log_probabilities(logits, Policy((Stage(1.0, top_k=3), Stage(0.5, top_p=0.9)))).exp()
    torch.testing.assert_close(law, torch.tensor([[0.8, 0.2, 0.0, 0.0, 0.0]]))


def test_min_p_comes_before_top_k_and_after_temperature():
    # At T=2 the probabilities 64:16:4:1 become 8:4:2:1, of which min-p 0.3 keeps 8:4 (2 < 0.3·8); before the
    # temperature it would have kept 64 alone.
    logits = torch.log(torch.tensor([[64.0, 16, 4, 1]]))
    law = policy.log_probabilities(logits, Policy.single(2.0, top_k=3, min_p=0.3)).exp()
    torch.testing.assert_close(law, torch.tensor([[2 / 3, 1 / 3, 0.0, 0.0]]))


@pytest.mark.parametrize("decoding", [Policy.single(0.0), Policy((Stage(1.5, 20), Stage(0.0))), Policy.single(1e-6)])
def test_zero_temperature_is_arg_max(decoding):
    logits = torch.tensor([[1.0, 3, 2, 3], [5, 0, 0, 0]])
    assert policy.sample(logits, decoding, None).tolist() == [1, 0]
    assert policy.log_probabilities(logits, decoding).exp().tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize(
    "decoding",
    [
        Policy.single(0.7),
        Policy.single(1.6, 20, 0.8),
        Policy.single(1.0, 0, 0.9),
        Policy.single(1.2, min_p=0.05),
        Policy((Stage(1.6, 20, 0.8), Stage(1.1, 20, 0.8))),
    ],
    ids=str,
)
def test_sampler_draws_the_exact_law(decoding):
    # Chi-square of 30,000 draws, one key each, against the law computed in float64; a wrong sampler of even 2 % on one
    # token fails by orders of magnitude, and a right one fails one time in 100,000.
    vocabulary, draws = 200, 30_000
    logits = random_logits(3, vocabulary, 1.5, rows=1)
    expected = policy.log_probabilities(logits.double(), decoding).double().exp()[0].numpy()
    seeds = noise.position_seeds(range(draws), [4] * draws)
    tokens = policy.sample(logits.expand(draws, -1), decoding, seeds).numpy()
    counts = np.bincount(tokens, minlength=vocabulary)
    assert counts[expected == 0].sum() == 0
    frequent = expected * draws >= 5
    observed = np.append(counts[frequent], counts[~frequent].sum())
    predicted = np.append(expected[frequent], expected[~frequent].sum()) * draws
    present = predicted > 0
    p_value = stats.chisquare(observed[present], predicted[present] * observed.sum() / predicted.sum()).pvalue
    assert p_value > 1e-5


def test_arms_with_one_key_draw_common_random_numbers():
    # Two similar policies agree far more often than independent draws would.
    logits = random_logits(5, 100, 1.0, rows=1).expand(2000, -1)
    seeds = noise.position_seeds(range(2000), [0] * 2000)
    other = noise.position_seeds(range(10_000, 12_000), [0] * 2000)
    a, b = Policy.single(1.0), Policy.single(1.05)
    same = (policy.sample(logits, a, seeds) == policy.sample(logits, b, seeds)).float().mean()
    independent = (policy.sample(logits, a, seeds) == policy.sample(logits, b, other)).float().mean()
    assert same > 0.9
    assert independent < 0.2


def test_sampling_without_seeds_is_refused():
    with pytest.raises(ValueError, match="seed"):
        policy.sample(torch.zeros(1, 4), Policy.single(1.0), None)


@pytest.mark.parametrize("bad", [{"temperature": -0.1}, {"top_p": 1.2}, {"top_p": 0.0}, {"top_k": -1}, {"min_p": 1.0}])
def test_impossible_stages_are_refused_by_name(bad):
    (key,) = bad
    with pytest.raises(BadInput, match=key):
        Stage(**bad)
