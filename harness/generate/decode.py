"""The decoding loop: one forward pass over the prompts, then one token at a time for every unfinished sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from harness.generate import kv_cache, noise
from harness.generate.policy import is_greedy
from harness.generate.sampler import sample
from harness.spec import Policy


@dataclass(slots=True)
class Row:
    """One sample being drawn: which prompt, its noise stream, what was drawn, and whether it ended by itself."""

    prompt: int
    key: int
    tokens: list[int] = field(default_factory=list)
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Prefix:
    """Prompts after their forward pass: left-padded ``[prompts, length]``."""

    cache: DynamicCache
    logits: Tensor
    mask: Tensor
    lengths: Tensor
    padded: bool


def prefill(model: Any, prompts: Sequence[Sequence[int]], pad: int) -> Prefix:
    """Run the prompts once.

    Args:
        model: a causal language model of ``transformers``.
        prompts: token ids; may differ in length.
        pad: token id for the padding on the left, whose value does not matter (it is masked).

    Returns:
        The cache and the logits ``[prompts, vocabulary]`` of each prompt's last position.
    """
    device = model.device
    longest = max(map(len, prompts))
    ids = torch.tensor([[pad] * (longest - len(p)) + list(p) for p in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
    padded = any(len(p) != longest for p in prompts)
    cache = DynamicCache(config=model.config)
    out = model(
        input_ids=ids,
        attention_mask=mask if padded else None,
        position_ids=(mask.cumsum(-1) - 1).clamp_(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return Prefix(cache, out.logits[:, -1], mask, mask.sum(-1), padded)


def decode(
    model: Any,
    prefix: Prefix,
    rows: Sequence[Row],
    decoding: Policy,
    max_new_tokens: int,
    stop_ids: frozenset[int],
    on_tokens: Callable[[int], None] | None = None,
) -> None:
    """Draw every row's tokens, in place, until a stop token or ``max_new_tokens``.

    A stop token is kept as the row's last token. Finished rows leave the batch at once, so that a straggler runs alone.

    Args:
        model: the model of ``prefix``.
        prefix: from :func:`prefill`; reusable afterwards.
        rows: empty rows.
        decoding: how each next token is drawn.
        max_new_tokens: at least 1.
        stop_ids: ids that end a row.
        on_tokens: told after each step how many tokens it drew.
    """
    device = model.device
    prompt_of_row = torch.tensor([r.prompt for r in rows], dtype=torch.int64, device=device)
    logits = prefix.logits.index_select(0, prompt_of_row)
    cache: DynamicCache | None = None
    live = list(rows)
    mask = torch.empty(0)
    lengths = prefix.lengths.index_select(0, prompt_of_row)
    greedy = is_greedy(decoding)
    for position in range(max_new_tokens):
        seeds = None
        if not greedy:
            seeds = noise.position_seeds([r.key for r in live], [position] * len(live)).to(device)
        tokens = sample(logits, decoding, seeds)
        drawn = tokens.tolist()
        if on_tokens is not None:
            on_tokens(len(drawn))
        finished = []
        for i, (row, token) in enumerate(zip(live, drawn, strict=True)):
            row.tokens.append(token)
            if token in stop_ids:
                row.stopped = True
                finished.append(i)
        if len(finished) == len(live) or position == max_new_tokens - 1:
            return
        if cache is None:  # expanded only once a second token is needed, and only for the rows that need it
            keep = [i for i in range(len(live)) if i not in set(finished)]
            index = torch.tensor(keep, dtype=torch.int64, device=device)
            cache = kv_cache.expand(prefix.cache, prompt_of_row.index_select(0, index), model.config)
            mask = prefix.mask.index_select(0, prompt_of_row.index_select(0, index))
        elif finished:
            sources, targets, keep = kv_cache.survivors(len(live), finished)
            kv_cache.drop_rows(cache, sources, targets, keep)
            index = torch.tensor(keep, dtype=torch.int64, device=device)
            mask = mask.index_select(0, index)
        if finished:
            live = [live[i] for i in keep]
            tokens = tokens.index_select(0, index)
            lengths = lengths.index_select(0, index)
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)
        out = model(
            input_ids=tokens[:, None],
            attention_mask=mask if prefix.padded else None,
            position_ids=(lengths + position)[:, None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = out.logits[:, -1]
