"""A decoding policy applied to next-token logits.

Order within a stage, as in vLLM: temperature → min-p → top-k → top-p, then the next stage on what is left. Filter
conventions are those of ``transformers``' logits warpers, whose float32 operations are repeated here one for one:

* min-p removes a token whose probability is below ``min_p`` times the largest;
* top-k removes a token whose logit is below the k-th largest, so ties at the border all stay;
* top-p removes, from the least likely up, tokens whose cumulative probability is at most 1 − ``top_p``; one always
  stays.

A softmax does not change when a constant is added to its logits, so renormalising between stages is left to the end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.generate import noise
from harness.spec import Policy, Stage

if TYPE_CHECKING:
    from torch import Tensor

GREEDY_BELOW = 1e-5
"""vLLM's threshold: a temperature below it means arg-max."""

CANDIDATES = 64
"""Tokens kept by the fast path beyond a stage's own top-k, so that ties at the border can be seen."""


def is_greedy(policy: Policy) -> bool:
    """Whether the policy always takes the most likely token (no filter removes it, so one greedy stage is enough)."""
    return any(stage.temperature < GREEDY_BELOW for stage in policy.stages)


def apply_stage(scores: Tensor, stage: Stage) -> Tensor:
    """One stage: scores (unnormalised log-probabilities, float32 ``[rows, m]``) with removed tokens at −∞."""
    import torch

    scores = scores / stage.temperature
    if stage.min_p > 0:
        probs = torch.softmax(scores, dim=-1)
        keep_above = stage.min_p * probs.amax(dim=-1, keepdim=True)
        remove = (probs < keep_above) & (scores < scores.amax(dim=-1, keepdim=True))
        scores = scores.masked_fill(remove, -math.inf)
    if stage.top_k:
        k = min(stage.top_k, scores.shape[-1])
        scores = scores.masked_fill(scores < torch.topk(scores, k).values[..., -1:], -math.inf)
    if stage.top_p < 1:
        # Stable, so that which of several equal tokens goes does not depend on how many others stand beside them.
        ascending, order = torch.sort(scores, descending=False, stable=True)
        cumulative = ascending.softmax(dim=-1).cumsum(dim=-1)
        remove_sorted = cumulative <= 1 - stage.top_p
        remove_sorted[..., -1:] = False
        scores = scores.masked_fill(remove_sorted.scatter(-1, order, remove_sorted), -math.inf)
    return scores


def log_probabilities(logits: Tensor, policy: Policy) -> Tensor:
    """The next-token law of a policy.

    Args:
        logits: ``[rows, vocabulary]``, any float type.
        policy: the decoding policy.

    Returns:
        float32 ``[rows, vocabulary]``: normalised log-probabilities, −∞ for removed tokens. Greedy: 0 for the first
        arg-max, −∞ elsewhere.
    """
    import torch

    scores = logits.float()
    if is_greedy(policy):
        law = torch.full_like(scores, -math.inf)
        return law.scatter_(-1, scores.argmax(dim=-1, keepdim=True), 0.0)
    for stage in policy.stages:
        scores = apply_stage(scores, stage)
    return torch.log_softmax(scores, dim=-1)


def candidates(logits: Tensor, policy: Policy) -> tuple[Tensor, Tensor | None]:
    """Scores after the policy's stages on as few tokens as are needed.

    A first stage with top-k keeps few tokens, and everything after it depends on those alone, so the filters run on the
    largest logits only. Where ties reach past the candidates, or the first stage has no top-k, all tokens are used.

    Returns:
        ``(scores, ids)``: float32 ``[rows, m]`` with removed tokens at −∞ (not normalised), and int64 ``[rows, m]``
        token ids, or ``None`` where column j is token j.
    """
    import torch

    scores = logits.float()
    ids = None
    first = policy.stages[0]
    m = first.top_k + CANDIDATES
    if first.top_k and m < scores.shape[-1]:
        top, top_ids = torch.topk(scores, m)
        ties_reach_past = (top[:, -1] >= top[:, first.top_k - 1]).any()
        if not ties_reach_past:
            ids = top_ids.sort(dim=-1).values  # in the order of the vocabulary, for the stable sort of top-p
            scores = scores.gather(-1, ids)
    for stage in policy.stages:
        scores = apply_stage(scores, stage)
    return scores, ids


def sample(logits: Tensor, policy: Policy, seeds: Tensor | None) -> Tensor:
    """Draw one token a row by the Gumbel-max trick.

    Args:
        logits: ``[rows, vocabulary]``.
        policy: the decoding policy.
        seeds: int64 ``[rows]`` from :func:`harness.generate.noise.position_seeds`; not needed when greedy.

    Returns:
        int64 ``[rows]``, token ids.
    """
    import torch

    if is_greedy(policy):
        return logits.float().argmax(dim=-1)
    if seeds is None:
        raise ValueError("sampling needs one noise seed a row")
    scores, ids = candidates(logits, policy)
    tokens = torch.arange(scores.shape[-1], device=scores.device) if ids is None else ids
    choice = (scores.double() + noise.gumbel(seeds, tokens)).argmax(dim=-1, keepdim=True)
    return choice.squeeze(-1) if ids is None else ids.gather(-1, choice).squeeze(-1)
