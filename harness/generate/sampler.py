"""Drawing tokens: the Gumbel-max trick over a policy's law, without touching most of the vocabulary.

The definition is short: the token is the arg-max of filtered log-probability plus Gumbel noise
(:func:`harness.generate.policy.log_probabilities`, :func:`harness.generate.noise.gumbel`). Everything else here is
about speed: filters run on the few tokens they can keep, and logarithms are taken only for tokens that can win. A row's
shortcuts are chosen from that row alone, so they do not tie a sample to its batch.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.generate import noise
from harness.generate.policy import apply_stage, is_greedy, temperatures
from harness.spec import Policy, Stage

if TYPE_CHECKING:
    from torch import Tensor

BEYOND_TOP_K = 64
"""Columns looked at beyond top-k, so that ties at its border are seen."""

WITHOUT_TOP_K = 512
"""Columns looked at where the first filter is top-p or min-p."""

LEADERS = 32
"""Most likely tokens whose noise is computed first, to bound what any other token needs to win."""

CUDA_ROWS = 64
"""Rows whose noise over the whole vocabulary is held at once on a GPU."""

MARGIN = 1e-6
"""Distance from a filter's border within which the shortcut is not trusted (float32 sums over fewer terms differ)."""


def sample(logits: Tensor, policy: Policy, seeds: Tensor | None) -> Tensor:
    """Draw one token a row.

    Args:
        logits: ``[rows, vocabulary]``, any float type.
        policy: the decoding policy.
        seeds: int64 ``[rows]`` from :func:`harness.generate.noise.position_seeds`, on the logits' device; not needed
            when greedy.

    Returns:
        int64 ``[rows]``, token ids.
    """

    scores = logits.float()
    if is_greedy(policy):
        return scores.argmax(dim=-1)
    if seeds is None:
        raise ValueError("sampling needs one noise seed a row")
    scores, stages = begin(scores, policy.stages)
    if not filters(stages[0]):
        return race(scores / stages[0].temperature, seeds)
    kept, ids, settled = candidates(scores, stages)
    choice = (kept.double() + noise.gumbel(seeds, ids)).argmax(dim=-1, keepdim=True)
    tokens = ids.gather(-1, choice).squeeze(-1)
    if not bool(settled.all()):
        rest = (~settled).nonzero().squeeze(-1)
        full = scores[rest]
        for stage in stages:
            full = apply_stage(full, stage)
        tokens[rest] = race(full, seeds[rest])
    return tokens


def filters(stage: Stage) -> bool:
    """Whether a stage can remove a token."""
    return bool(stage.top_k) or stage.top_p < 1 or stage.min_p > 0


def fold(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The same law in fewer stages: one without filters only multiplies the temperature of the next.

    Not where either adapts to its input's entropy: its temperature is not known before there is a distribution.
    """
    folded: list[Stage] = []
    for stage in stages:
        if folded and not filters(folded[-1]) and not folded[-1].entropy_theta and not stage.entropy_theta:
            stage = replace(stage, temperature=folded.pop().temperature * stage.temperature)
        folded.append(stage)
    return tuple(folded)


def begin(scores: Tensor, stages: tuple[Stage, ...]) -> tuple[Tensor, tuple[Stage, ...]]:
    """Do the part of a policy that needs the whole vocabulary before any filter: adaptive temperatures at its start.

    Args:
        scores: float32 ``[rows, vocabulary]``.
        stages: a policy's.

    Returns:
        Scores and the stages that remain for them. The first of these has a fixed temperature, and a filter unless it
        is the only one.
    """
    first, *rest = fold(stages)
    while True:
        if first.entropy_theta:
            scores = scores / temperatures(scores, first)
            first = replace(first, temperature=1.0, entropy_theta=0.0)
        if filters(first) or not rest:
            return scores, (first, *rest)
        scores = scores / first.temperature
        first, *rest = rest


def candidates(scores: Tensor, stages: tuple[Stage, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """The policy's stages on the most likely tokens alone.

    Args:
        scores: float32 ``[rows, vocabulary]``.
        stages: the first of which has a filter and a fixed temperature (:func:`begin`).

    Returns:
        ``(kept, ids, settled)``: float32 ``[rows, m]`` scores with removed tokens at −∞ (not normalised), int64
        ``[rows, m]`` their token ids, and bool ``[rows]``: whether no token outside these columns could be kept.
    """
    import torch

    first = stages[0]
    vocabulary = scores.shape[-1]
    m = min(vocabulary, first.top_k + BEYOND_TOP_K if first.top_k else WITHOUT_TOP_K)
    top, top_ids = torch.topk(scores, m)
    least, most = top[:, -1], top[:, 0]
    ids = top_ids.sort(dim=-1).values  # in the vocabulary's order, as the stable sort of top-p expects
    columns = scores.gather(-1, ids)
    outside = None
    if m == vocabulary:
        settled = torch.ones_like(least, dtype=torch.bool)
    elif first.top_k:
        settled = least < top[:, first.top_k - 1]
    elif first.min_p > 0:
        settled = (least - most) / first.temperature < math.log(first.min_p) - MARGIN
    else:
        whole = torch.logsumexp(scores / first.temperature, dim=-1)
        inside = torch.logsumexp(top / first.temperature, dim=-1)
        share = (1 - (inside - whole).exp()).clamp(min=0)
        settled = share < 1 - first.top_p - MARGIN
        outside = whole + share.log()
    kept = apply_stage(columns, first, outside)
    if m < vocabulary and not first.top_k:
        # Tokens equal to the least likely column may lie outside; they must all have been removed.
        settled &= columns.masked_fill(kept == -math.inf, math.inf).amin(dim=-1) > least
    for stage in stages[1:]:
        kept = apply_stage(kept, stage)
    return kept, ids, settled


def race(scores: Tensor, seeds: Tensor) -> Tensor:
    """Arg-max of ``scores`` plus noise over the whole vocabulary.

    Args:
        scores: unnormalised log-probabilities, float32 ``[rows, vocabulary]``, −∞ for removed tokens.
        seeds: int64 ``[rows]``.

    Returns:
        int64 ``[rows]``, token ids.
    """
    import torch

    rows, vocabulary = scores.shape
    tokens = torch.arange(vocabulary, device=scores.device)
    if scores.is_cuda or vocabulary <= LEADERS:
        parts = [
            (s.double() + noise.gumbel(k, tokens)).argmax(dim=-1)
            for s, k in zip(torch.split(scores, CUDA_ROWS), torch.split(seeds, CUDA_ROWS), strict=True)
        ]
        return torch.cat(parts)
    # On a CPU the logarithms cost more than the hash. The best of the leaders bounds the noise that any other token,
    # being less likely than all of them, would need; the bound is compared with the hash's bits directly.
    leaders, leader_ids = torch.topk(scores, LEADERS)
    best = (leaders.double() + noise.gumbel(seeds, leader_ids)).amax(dim=-1)
    thresholds = noise.bits_reaching(best - leaders[:, -1].double())
    winners = torch.empty(rows, dtype=torch.int64)
    for i in range(rows):
        bits = noise.uniform_bits(seeds[i : i + 1], tokens)[0]
        able = torch.cat([(bits >= thresholds[i]).nonzero().squeeze(-1), leader_ids[i]])
        totals = scores[i, able].double() + noise.gumbel(seeds[i : i + 1], able)[0]
        winners[i] = able[totals.argmax()]
    return winners
