"""A decoding policy applied to next-token logits.

Order within a stage, as in vLLM: temperature → min-p → top-k → top-p, then the next stage on what is left. Filter
conventions are those of ``transformers``' logits warpers, whose float32 operations are repeated here one for one:

* min-p removes a token whose probability is below ``min_p`` times the largest;
* top-k removes a token whose logit is below the k-th largest, so ties at the border all stay;
* top-p removes, from the least likely up, tokens whose cumulative probability is at most 1 − ``top_p``; one always
  stays.

A softmax does not change when a constant is added to its logits, so renormalising between stages is left to the end.

A stage's temperature may adapt to the distribution that enters it (:func:`temperatures`); the rest is the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.spec import Policy, Stage

if TYPE_CHECKING:
    from torch import Tensor

GREEDY_BELOW = 1e-5
"""vLLM's threshold: a temperature below it means arg-max."""

EDT_BASE = 0.8
"""The number 𝒩 below 1 in T = T₀ · 𝒩^(θ/H), as fixed in arXiv:2403.14541."""


def is_greedy(policy: Policy) -> bool:
    """Whether the policy always takes the most likely token (no filter removes it, so one greedy stage is enough)."""
    return any(stage.temperature < GREEDY_BELOW for stage in policy.stages)


def temperatures(scores: Tensor, stage: Stage) -> Tensor:
    """The temperature a stage takes for each row.

    Where ``entropy_theta`` θ is set it is T₀ · 0.8^(θ/H), with H the entropy in nats of the distribution that enters
    the stage: in a first stage, of the model's own next-token distribution. T₀ is approached from below as H grows
    (Zhang et al. 2024, arXiv:2403.14541, EDT). The paper has one stage; in a later one, H is that of what the stages
    before left. The result is never below :data:`GREEDY_BELOW`, so that no entropy at all means arg-max.

    Args:
        scores: unnormalised log-probabilities, float32 ``[rows, m]``, −∞ for removed tokens. Every token that can occur
            must have a column.
        stage: temperature above 0.

    Returns:
        float32 ``[rows, 1]``.
    """
    import torch

    if not stage.entropy_theta:
        return scores.new_full((scores.shape[0], 1), stage.temperature)
    log_p = torch.log_softmax(scores, dim=-1)
    entropy = -(log_p.exp() * log_p.clamp(min=-1e30)).sum(dim=-1, keepdim=True)  # 0 · log 0 is 0
    # Rounding below 0, or −0, would turn the exponent's sign; the least positive number gives 0.8^∞ = 0.
    exponent = stage.entropy_theta / entropy.clamp(min=torch.finfo(entropy.dtype).tiny)
    adapted = stage.temperature * EDT_BASE**exponent
    return adapted.clamp(min=GREEDY_BELOW)


def apply_stage(scores: Tensor, stage: Stage, outside: Tensor | None = None) -> Tensor:
    """One stage.

    Args:
        scores: unnormalised log-probabilities, float32 ``[rows, m]``; −∞ for tokens removed before.
        stage: temperature (above 0) and filters.
        outside: ``[rows]``, log of the summed exp(score / temperature) of tokens that have no column here because every
            one of them is less likely than every column; they count towards top-p's cumulative probability. Not for
            adaptive temperatures, which need every column.

    Returns:
        ``scores / temperature`` with removed tokens at −∞.
    """
    import torch

    scores = scores / (temperatures(scores, stage) if stage.entropy_theta else stage.temperature)
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
        if outside is None:
            cumulative = ascending.softmax(dim=-1).cumsum(dim=-1)
        else:
            cumulative = torch.cat([outside[:, None], ascending], dim=-1).softmax(dim=-1).cumsum(dim=-1)[:, 1:]
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
