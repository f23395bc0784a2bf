"""Sampling noise: the published hash, its distribution, and its independence of shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.generate import noise

KEYS = st.integers(0, noise.MASK64)


def test_splitmix64_gives_the_published_outputs():
    # Reference outputs for seed 1234567, as the public-domain C implementation prints them.
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [noise.splitmix64(1234567, i) for i in range(5)] == published


@given(key=KEYS, position=st.integers(0, 1 << 17), token=st.integers(0, 300_000))
def test_tensor_hash_equals_the_definition(key, position, token):
    seeds = noise.position_seeds([key], [position])
    got = int(noise.hash_tokens(seeds, torch.tensor([[token]]))[0, 0]) & noise.MASK64
    assert got == noise.splitmix64(noise.splitmix64(key, position), token)


@given(keys=st.lists(KEYS, min_size=2, max_size=5, unique=True), position=st.integers(0, 1000))
def test_a_variate_does_not_depend_on_what_is_drawn_beside_it(keys, position):
    whole = noise.gumbel(noise.position_seeds(keys, [position] * len(keys)), torch.arange(100))
    for i, key in enumerate(keys):
        some = torch.tensor([[77, 3, 50]])
        alone = noise.gumbel(noise.position_seeds([key], [position]), some)
        assert torch.equal(alone[0], whole[i, some[0]])


def test_uniforms_stay_inside_the_open_interval():
    # The all-ones hash is the case where (h + ½)·2⁻⁵³ would round to 1 and the Gumbel variate to infinity.
    largest = ((1 << noise.UNIFORM_BITS) - 1 + 0.5) * 2.0**-noise.UNIFORM_BITS
    assert 0.5 * 2.0**-noise.UNIFORM_BITS > 0
    assert largest < 1
    assert np.isfinite(-np.log(-np.log(largest)))


@pytest.mark.parametrize("across", ["tokens", "positions", "keys"])
def test_variates_follow_the_gumbel_law_along_every_axis(across):
    n = 40_000
    if across == "tokens":
        drawn = noise.gumbel(noise.position_seeds([5], [0]), torch.arange(n))[0]
    elif across == "positions":
        drawn = noise.gumbel(noise.position_seeds([5] * n, range(n)), torch.tensor([17]))[:, 0]
    else:
        drawn = noise.gumbel(noise.position_seeds(range(n), [3] * n), torch.tensor([17]))[:, 0]
    assert stats.kstest(drawn.numpy(), stats.gumbel_r.cdf).pvalue > 1e-4
    shifted = np.corrcoef(drawn[:-1], drawn[1:])[0, 1]
    assert abs(shifted) < 5 / np.sqrt(n)


def test_one_key_and_position_for_each_row_is_required():
    with pytest.raises(ValueError, match="zip"):
        noise.position_seeds([1, 2], [0])
