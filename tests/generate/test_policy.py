"""Decoding policies against transformers' own filters and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from transformers import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from harness.errors import BadInput
from harness.generate import policy
from harness.generate.sampler import sample
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


@pytest.mark.parametrize(("n", "theta", "t0"), [(2, 0.1, 1.0), (8, 1.5, 0.7), (1000, 0.5, 2.0)])
def test_adaptive_temperature_of_a_uniform_law_is_the_papers_formula(n, theta, t0):
    # Equal logits have entropy ln n exactly; 0.8 is the constant of arXiv:2403.14541. A constant added to every logit
    # changes nothing, and neither do removed tokens.
    expected = t0 * 0.8 ** (theta / math.log(n))
    logits = torch.full((1, n + 3), 5.0)
    logits[:, n:] = -math.inf
    assert float(policy.temperatures(logits, Stage(t0, entropy_theta=theta))) == pytest.approx(expected, rel=1e-5)


@given(seed=st.integers(0, 10**6), theta=st.floats(0.01, 3), spread=st.sampled_from([0.1, 1.0, 4.0]))
@SETTINGS
def test_adaptive_law_is_tempering_by_the_entropy_scipy_finds(seed, theta, spread):
    logits = random_logits(seed, 60, spread)
    entropies = stats.entropy(logits.double().softmax(dim=-1).numpy(), axis=-1)
    adapted = torch.tensor(1.3 * 0.8 ** (theta / entropies))[:, None]
    assert (adapted < 1.3).all()
    adapted = adapted.clamp(min=1e-5)  # below it a temperature means arg-max
    law = policy.log_probabilities(logits, Policy.single(1.3, entropy_theta=theta))
    expected = torch.softmax(logits.double() / adapted, dim=-1)
    torch.testing.assert_close(law.double().exp(), expected, rtol=0, atol=2e-3)


def test_adaptive_temperature_is_higher_where_the_model_is_less_sure():
    # A lock of 0.99 and a fork of four equal tokens: H = 0.0560 (binary entropy at 0.99, two tokens) and ln 4.
    lock = torch.log(torch.tensor([[0.99, 0.01, 1e-30, 1e-30]]))
    fork = torch.zeros(1, 4)
    found = policy.temperatures(torch.cat([lock, fork]), Stage(1.0, entropy_theta=0.5))[:, 0].tolist()
    assert found == pytest.approx([0.8 ** (0.5 / 0.0560015), 0.8 ** (0.5 / math.log(4))], rel=1e-4)


def test_without_any_entropy_the_adaptive_temperature_means_arg_max():
    logits = torch.tensor([[0.0, 500.0, 1.0]])
    adaptive = Policy.single(1.0, entropy_theta=1.0)
    assert policy.log_probabilities(logits, adaptive).exp().tolist() == [[0, 1, 0]]
    assert sample(logits, adaptive, torch.tensor([7])).tolist() == [1]


def test_a_later_stage_adapts_to_what_the_stage_before_left():
    # Top-k 2 leaves two equal tokens of five, with entropy ln 2 whatever was removed.
    logits = torch.log(torch.tensor([[4.0, 4, 2, 1, 1]]))
    first = policy.apply_stage(logits, Stage(1.0, top_k=2))
    found = float(policy.temperatures(first, Stage(1.0, entropy_theta=0.7)))
    assert found == pytest.approx(0.8 ** (0.7 / math.log(2)))


@pytest.mark.parametrize("decoding", [Policy.single(0.0), Policy((Stage(1.5, 20), Stage(0.0))), Policy.single(1e-6)])
def test_zero_temperature_is_arg_max(decoding):
    logits = torch.tensor([[1.0, 3, 2, 3], [5, 0, 0, 0]])
    assert sample(logits, decoding, None).tolist() == [1, 0]
    assert policy.log_probabilities(logits, decoding).exp().tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize(
    "bad",
    [{"temperature": -0.1}, {"top_p": 1.2}, {"top_p": 0.0}, {"top_k": -1}, {"min_p": 1.0}, {"entropy_theta": -0.1}],
)
def test_impossible_stages_are_refused_by_name(bad):
    (key,) = bad
    with pytest.raises(BadInput, match=key):
        Stage(**bad)


def test_adapting_greedy_decoding_is_refused():
    with pytest.raises(BadInput, match="entropy_theta"):
        Stage(0.0, entropy_theta=0.5)
