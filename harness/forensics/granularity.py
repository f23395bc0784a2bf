"""Granularity: which printed values whole numbers of successes can produce (the GRIM idea, Brown and Heathers 2017).

With N problems and n samples each, pass@1 is a count over N·n, and pass@k a sum of N terms 1 − C(n−c, k)/C(n, k). Few
problems and samples leave gaps between the values that can occur; a printed number in a gap came from something else
(another n, other problems, another kind of average). With many problems nearly every value can occur and the test
cannot object to anything, which is reported beside it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from harness.forensics.printed import Printed, Rounding

MAX_SAMPLES = 40
"""Largest number of samples per problem tried when looking for the smallest that fits."""

MAX_BITS = 1_500_000
"""Largest range of pass@k numerators examined; beyond it every printed value is taken to be attainable."""


def count_range(printed: Printed, trials: int) -> tuple[int, int]:
    """Smallest and largest number of successes in ``trials`` that prints as this (empty if the first is larger)."""
    low, high = printed.bounds()
    full = 2 * printed.rounding.full
    return -(-low * trials // full), high * trials // full


@lru_cache(maxsize=512)
def _attainable_sums(problems: int, samples: int, k: int) -> int:
    """Bit s is set if ``problems`` terms C(n, k) − C(n−c, k) can sum to s."""
    whole = math.comb(samples, k)
    terms = sorted({whole - math.comb(samples - c, k) for c in range(1, samples + 1)})
    sums = 1
    for _ in range(problems):
        grown = sums
        for term in terms:
            grown |= sums << term
        sums = grown
    return sums


def attainable(printed: Printed, problems: int, samples: int, k: int = 1) -> bool:
    """Whether some outcome of ``problems`` × ``samples`` prints as this pass@k. False for k > n: it is undefined."""
    if k > samples:
        return False
    if k == 1:
        low, high = count_range(printed, problems * samples)
        return low <= high
    whole = math.comb(samples, k) * problems
    low, high = count_range(printed, whole)
    if low > high:
        return False
    if whole > MAX_BITS:
        return True
    window = (_attainable_sums(problems, samples, k) >> low) & ((1 << (high - low + 1)) - 1)
    return window != 0


def smallest_samples(printed: Printed, problems: list[int], k: int = 1) -> int | None:
    """The smallest n up to MAX_SAMPLES with which one of the problem counts can produce the value."""
    for samples in range(k, MAX_SAMPLES + 1):
        if any(attainable(printed, count, samples, k) for count in problems):
            return samples
    return None


@lru_cache(maxsize=1024)
def attainable_share(rounding: Rounding, problems: int, samples: int) -> float:
    """Share of the values from 0 to 1 with these decimals that a pass@1 can take: 1 means the test is blind."""
    trials, full = problems * samples, 2 * rounding.full
    low, high = rounding.bounds(np.arange(rounding.full + 1, dtype=np.int64))
    low, high = np.maximum(low, 0), np.minimum(high, full)
    return float(np.mean(-(-low * trials // full) <= high * trials // full))
