"""Counter-based sampling noise: a Gumbel variate for every (key, position, token id), with no state to carry.

A generator such as ``torch.Generator`` hands out numbers in the order they are asked for, so the batch a sample is
drawn in changes the sample. Here each variate is a hash of what it is for, so batches, devices and the order of work do
not matter, and two arms with the same key see the same noise at the same position for the same token (common random
numbers). The hash is SplitMix64 (Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014)
used twice: output ``position`` of the stream seeded by the key seeds a second stream, and its output ``token id`` is
used.

Not promised: the last bit of the variates across devices, since two logarithms are taken on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

MASK64 = (1 << 64) - 1
GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB

UNIFORM_BITS = 52
"""Bits of the hash used for a uniform: with 52 the midpoints (h + ½)·2⁻⁵² are exact in float64 and never 0 or 1."""


def splitmix64(seed: int, index: int) -> int:
    """Output ``index`` (from 0) of the SplitMix64 stream seeded with ``seed``: the definition, in Python integers."""
    z = (seed + (index + 1) * GOLDEN_GAMMA) & MASK64
    z = ((z ^ (z >> 30)) * MIX_1) & MASK64
    z = ((z ^ (z >> 27)) * MIX_2) & MASK64
    return z ^ (z >> 31)


def position_seeds(keys: Sequence[int], positions: Sequence[int]) -> Tensor:
    """The second stream's seed for each row, as int64 with the bits of the unsigned value.

    Args:
        keys: 64-bit key of each row's sample.
        positions: index of the token to be drawn, 0 for the first generated one.

    Returns:
        int64 tensor ``[rows]`` on the CPU.
    """
    import torch

    seeds = np.array([splitmix64(k & MASK64, p) for k, p in zip(keys, positions, strict=True)], dtype=np.uint64)
    return torch.from_numpy(seeds.view(np.int64))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def hash_tokens(seeds: Tensor, tokens: Tensor) -> Tensor:
    """SplitMix64 of each token id under each row's seed.

    Integer arithmetic wraps modulo 2⁶⁴ in torch's int64 as it does in unsigned arithmetic; only right shifts differ, so
    their sign-extended bits are masked away.

    Args:
        seeds: int64 ``[rows]``.
        tokens: int64 ``[rows, m]`` or ``[m]``, token ids.

    Returns:
        int64 ``[rows, m]``, the hash's bits.
    """
    z = (tokens + 1).mul_(_signed(GOLDEN_GAMMA)) + seeds[:, None]
    z ^= (z >> 30).bitwise_and_((1 << 34) - 1)
    z *= _signed(MIX_1)
    z ^= (z >> 27).bitwise_and_((1 << 37) - 1)
    z *= _signed(MIX_2)
    z ^= (z >> 31).bitwise_and_((1 << 33) - 1)
    return z


def uniform_bits(seeds: Tensor, tokens: Tensor) -> Tensor:
    """The :data:`UNIFORM_BITS` leading bits of the hash, as integers from 0 (shapes as in :func:`hash_tokens`)."""
    return (hash_tokens(seeds, tokens) >> (64 - UNIFORM_BITS)).bitwise_and_((1 << UNIFORM_BITS) - 1)


def bits_reaching(variate: Tensor) -> Tensor:
    """The least :func:`uniform_bits` whose Gumbel variate can reach ``variate`` (float64), erring downwards.

    The inverse of :func:`gumbel`, u = exp(−exp(−g)), lowered by more than its rounding error.
    """
    import torch

    u = torch.exp(-torch.exp(-variate))
    return ((u * (1 - 1e-14) * 2.0**UNIFORM_BITS).floor() - 2).to(torch.int64)


def gumbel(seeds: Tensor, tokens: Tensor) -> Tensor:
    """Standard Gumbel variates −log(−log u), u uniform on (0, 1).

    Args:
        seeds: int64 ``[rows]`` from :func:`position_seeds`, on the device of ``tokens``.
        tokens: int64 ``[rows, m]`` or ``[m]``, token ids.

    Returns:
        float64 ``[rows, m]``.
    """
    import torch

    u = (uniform_bits(seeds, tokens).to(torch.float64) + 0.5) * 2.0**-UNIFORM_BITS
    return -torch.log(-torch.log(u))
