"""The sampler draws the exact law, and its shortcuts draw the same tokens as the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.generate import noise, policy
from harness.generate.sampler import WITHOUT_TOP_K, candidates, fold, race, sample
from harness.spec import Policy, Stage

SETTINGS = settings(max_examples=150, deadline=None)

STAGES = st.builds(
    Stage,
    temperature=st.floats(0.3, 3),
    top_k=st.sampled_from([0, 0, 1, 2, 5, 20, 100]),
    top_p=st.sampled_from([1.0, 1.0, 0.999, 0.95, 0.8, 0.5, 1e-6]),
    min_p=st.sampled_from([0.0, 0.0, 0.01, 0.2, 0.9]),
    entropy_theta=st.sampled_from([0.0, 0.0, 0.3, 1.5]),
)
POLICIES = st.builds(Policy, st.lists(STAGES, min_size=1, max_size=3).map(tuple))


def random_logits(seed: int, vocabulary: int, spread: float, rows: int = 3) -> torch.Tensor:
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed)) * spread


def by_definition(logits: torch.Tensor, decoding: Policy, seeds: torch.Tensor) -> torch.Tensor:
    law = policy.log_probabilities(logits, decoding).double()
    return (law + noise.gumbel(seeds, torch.arange(logits.shape[-1]))).argmax(dim=-1)


@SETTINGS
@given(
    decoding=POLICIES,
    seed=st.integers(0, 10**6),
    vocabulary=st.sampled_from([1, 5, 33, 500, 3000]),
    spread=st.sampled_from([0.5, 2.0, 6.0]),
    ties=st.booleans(),
)
def test_shortcuts_draw_what_the_definition_draws(decoding, seed, vocabulary, spread, ties):
    logits = random_logits(seed, vocabulary, spread, rows=8)
    if ties:  # as in bfloat16 logits, where many tokens are equal
        logits = (logits * 4).round() / 4
    seeds = noise.position_seeds(range(seed, seed + 8), range(8))
    drawn, defined = sample(logits, decoding, seeds), by_definition(logits, decoding, seeds)
    for row in (drawn != defined).nonzero().squeeze(-1).tolist():
        # Allowed only where float32 sums over fewer terms may decide a border of top-p or min-p differently.
        assert near_border(logits[row : row + 1], decoding), (row, drawn, defined)


def near_border(logits: torch.Tensor, decoding: Policy) -> bool:
    scores = logits.double()
    for stage in decoding.stages:
        scores = scores / policy.temperatures(scores, stage)
        probs = scores.softmax(dim=-1)
        if stage.min_p and ((probs / probs.amax() / stage.min_p - 1).abs() < 1e-5).any():
            return True
        scores = policy.apply_stage(scores, Stage(1.0, stage.top_k, 1.0, stage.min_p))
        cumulative = scores.softmax(dim=-1).sort(dim=-1).values.cumsum(dim=-1)
        if stage.top_p < 1 and ((cumulative - (1 - stage.top_p)).abs() < 1e-6).any():
            return True
        scores = policy.apply_stage(scores, Stage(1.0, 0, stage.top_p))
    return False


@SETTINGS
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.0, 0.2, 1.0, 5.0]), removed=st.floats(0, 0.99))
def test_race_over_the_vocabulary_equals_the_plain_arg_max(seed, spread, removed):
    scores = random_logits(seed, 2000, spread, rows=4)
    scores[:, : int(2000 * removed)] = -math.inf
    seeds = noise.position_seeds([seed] * 4, range(4))
    plain = (scores.double() + noise.gumbel(seeds, torch.arange(2000))).argmax(dim=-1)
    assert torch.equal(race(scores, seeds), plain)


@given(variate=st.floats(-3.5, 36))
def test_bits_bound_never_excludes_a_variate_that_reaches(variate):
    least = int(noise.bits_reaching(torch.tensor([variate], dtype=torch.float64)))
    u = (max(least - 1, 0) + 0.5) * 2.0**-noise.UNIFORM_BITS
    assert -math.log(-math.log(u)) < variate or least <= 0
    # and it is tight: a little higher in the uniform, the variate is reached
    slightly = min(u * (1 + 1e-12) + 1e-14, 1 - 2.0**-53)
    assert -math.log(-math.log(slightly)) >= variate - 1e-6 or variate > 30


def test_rows_take_the_shortcut_only_where_it_is_exact():
    peaked, flat = random_logits(1, 5000, 4.0, rows=1), random_logits(1, 5000, 0.1, rows=1)
    both = torch.cat([peaked, flat])
    for stage in (Stage(1.0, top_p=0.9), Stage(1.0, min_p=0.05)):
        kept, ids, settled = candidates(both, (stage,))
        assert settled.tolist() == [True, False]
        assert ids.shape == (2, WITHOUT_TOP_K)
        full = policy.apply_stage(peaked, stage)
        assert set(ids[0][kept[0] > -math.inf].tolist()) == set((full[0] > -math.inf).nonzero().squeeze(-1).tolist())
    assert candidates(both, (Stage(1.6, 20, 0.8),))[2].all()
    assert not candidates(torch.zeros(1, 5000), (Stage(1.6, 20, 0.8),))[2].any()  # ties reach past any top-k


def test_stages_without_filters_fold_into_the_next():
    assert fold((Stage(2.0), Stage(0.5, 20), Stage(3.0))) == (Stage(1.0, 20), Stage(3.0))
    assert fold((Stage(2.0), Stage(0.25))) == (Stage(0.5),)
    assert fold((Stage(1.0, 5), Stage(2.0, 3))) == (Stage(1.0, 5), Stage(2.0, 3))
    adaptive = Stage(2.0, entropy_theta=0.5)
    assert fold((adaptive, Stage(0.5, 20))) == (adaptive, Stage(0.5, 20))
    assert fold((Stage(0.5), adaptive)) == (Stage(0.5), adaptive)


@pytest.mark.parametrize(
    "decoding",
    [
        Policy.single(0.7),
        Policy.single(1.6, 20, 0.8),
        Policy.single(1.0, 0, 0.9),
        Policy.single(1.2, min_p=0.05),
        Policy((Stage(1.6, 20, 0.8), Stage(1.1, 20, 0.8))),
        Policy((Stage(1.6), Stage(0.8, 0, 0.95))),
        Policy.single(1.0, 20, 0.95, entropy_theta=0.5),
        Policy((Stage(1.2, entropy_theta=0.3), Stage(0.9, entropy_theta=0.2))),
    ],
    ids=str,
)
def test_sampler_draws_the_exact_law(decoding):
    # Chi-square of 12,000 draws, one key each, against the law: a sampler wrong by a few per cent on a common token
    # fails by orders of magnitude, a right one once in 100,000 times (and the draws are fixed).
    vocabulary, draws = 200, 12_000
    logits = random_logits(3, vocabulary, 1.5, rows=1)
    expected = policy.log_probabilities(logits, decoding).double().exp()[0].numpy()
    seeds = noise.position_seeds(range(draws), [4] * draws)
    tokens = sample(logits.expand(draws, -1), decoding, seeds).numpy()
    counts = np.bincount(tokens, minlength=vocabulary)
    assert counts[expected == 0].sum() == 0
    frequent = expected * draws >= 5
    observed = np.append(counts[frequent], counts[~frequent].sum())
    predicted = np.append(expected[frequent], expected[~frequent].sum()) * draws
    present = predicted > 0
    p_value = stats.chisquare(observed[present], predicted[present] * observed.sum() / predicted.sum()).pvalue
    assert p_value > 1e-5


def test_two_stage_draws_equal_resampling_the_first_stages_draws():
    # An independent route to the two-stage law: estimate stage 1 by drawing, then sharpen the estimate by stage 2.
    draws = 200_000
    logits = torch.log(torch.tensor([[8.0, 4, 2, 1, 1]]))
    first = sample(logits.expand(draws, -1), Policy.single(1.3, 4), noise.position_seeds(range(draws), [0] * draws))
    estimate = torch.bincount(first, minlength=5).double() / draws
    sharpened = estimate ** (1 / 0.5)
    sharpened /= sharpened.sum()
    two = Policy((Stage(1.3, 4), Stage(0.5)))
    second = sample(logits.expand(draws, -1), two, noise.position_seeds(range(draws), [1] * draws))
    observed = torch.bincount(second, minlength=5).double() / draws
    torch.testing.assert_close(observed, sharpened, rtol=0, atol=0.006)


def test_arms_with_one_key_draw_common_random_numbers():
    # Two similar policies agree far more often than independent draws would.
    logits = random_logits(5, 100, 1.0, rows=1).expand(2000, -1)
    seeds = noise.position_seeds(range(2000), [0] * 2000)
    other = noise.position_seeds(range(10_000, 12_000), [0] * 2000)
    a, b = Policy.single(1.0), Policy.single(1.05)
    same = (sample(logits, a, seeds) == sample(logits, b, seeds)).float().mean()
    independent = (sample(logits, a, seeds) == sample(logits, b, other)).float().mean()
    assert same > 0.9
    assert independent < 0.2


def test_sampling_without_seeds_is_refused():
    with pytest.raises(ValueError, match="seed"):
        sample(torch.zeros(1, 4), Policy.single(1.0), None)
