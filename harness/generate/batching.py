"""The batch plan: which requests are generated together.

The plan is a function of the prompts' lengths, the numbers of samples and the limits, never of speed, load or what is
already stored, so that a resumed run has the same batches and finishes whole ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What one request asks of a batch: its key (to break ties), prompt length in tokens, and samples."""

    key: str
    prompt_tokens: int
    samples: int


def plan_batches(
    loads: Sequence[Load], max_new_tokens: int, *, max_rows: int, max_cache_tokens: int
) -> list[list[int]]:
    """Group requests of similar length, longest first.

    Longest first shows a lack of memory at the start of a run instead of its end. A request is never split over
    batches, because its samples share the prompt's cache; one with more than ``max_rows`` samples is its own batch.

    Args:
        loads: one per request.
        max_new_tokens: tokens generated at most.
        max_rows: samples in a batch.
        max_cache_tokens: cached positions in a batch, padding included: samples × (longest prompt + new tokens).

    Returns:
        Batches as lists of indices into ``loads``; every index exactly once.
    """
    order = sorted(range(len(loads)), key=lambda i: (-loads[i].prompt_tokens, loads[i].key, i))
    batches: list[list[int]] = []
    rows = longest = 0
    for i in order:
        fits = (
            bool(batches)
            and rows + loads[i].samples <= max_rows
            and (rows + loads[i].samples) * (longest + max_new_tokens) <= max_cache_tokens
        )
        if not fits:
            batches.append([])
            rows, longest = 0, loads[i].prompt_tokens  # the first of a batch is its longest
        batches[-1].append(i)
        rows += loads[i].samples
    return batches


def split_rows(rows: int, prompt_tokens: int, max_new_tokens: int, *, max_rows: int, max_cache_tokens: int) -> int:
    """How many rows of one batch are decoded at a time, for a batch that alone exceeds the limits."""
    by_memory = max(1, max_cache_tokens // (prompt_tokens + max_new_tokens))
    return max(1, min(rows, max_rows, by_memory))
