"""Decoding policies of several stages inside vLLM, as one of its logits processors.

vLLM's own parameters hold one temperature and one of each filter. This processor applies a request's stages to its row
of logits and leaves the removed tokens at −∞; vLLM then draws from what is left, with temperature 1 and the request's
seed. The module is imported by vLLM's processes only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from vllm.v1.sample.logits_processor import (  # type: ignore[import-not-found]  # an environment of its own
    BatchUpdate,
    LogitsProcessor,
    MoveDirectionality,
)

from harness.errors import BadInput
from harness.generate.policy import apply_stage
from harness.generate.sampler import begin, candidates, filters
from harness.generate.vllm_policy import stages_of
from harness.spec import Policy

if TYPE_CHECKING:
    from torch import Tensor

NAME = f"{__name__}:StagesProcessor"
"""How ``LLM(logits_processors=[…])`` names the processor, so that every worker process can import it."""


class StagesProcessor(LogitsProcessor):  # type: ignore[misc]
    """Applies the stages in ``SamplingParams.extra_args`` to the rows of the requests that have them."""

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuse stages that are none.

        Raises:
            ValueError: which vLLM turns into an error of that request.
        """
        try:
            stages_of(sampling_params.extra_args)
        except (BadInput, TypeError) as error:
            raise ValueError(f"stages: {error}") from None

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self.policies: dict[int, Policy] = {}
        """Row of the batch → its policy; rows without an entry are left alone."""

    def is_argmax_invariant(self) -> bool:
        """True: no stage removes the most likely token or moves it from its place."""
        return True

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow requests as they leave, enter and move in the batch: in this order, as vLLM asks."""
        if batch_update is None:
            return
        for row in batch_update.removed:
            self.policies.pop(row, None)
        for row, params, _, _ in batch_update.added:
            self._set(row, stages_of(params.extra_args))
        for source, target, direction in batch_update.moved:
            moved, displaced = self.policies.pop(source, None), self.policies.pop(target, None)
            self._set(target, moved)
            if direction == MoveDirectionality.SWAP:
                self._set(source, displaced)

    def _set(self, row: int, policy: Policy | None) -> None:
        if policy is None:
            self.policies.pop(row, None)
        else:
            self.policies[row] = policy

    def apply(self, logits: Tensor) -> Tensor:
        """Apply each row's policy. ``logits``: float32 ``[rows, vocabulary]``."""
        if not self.policies:
            return logits
        groups: dict[Policy, list[int]] = {}
        for row in sorted(self.policies):
            groups.setdefault(self.policies[row], []).append(row)
        for policy, rows in groups.items():
            if len(rows) == len(logits):
                return filtered(logits, policy)
            index = torch.tensor(rows, device=logits.device)
            logits[index] = filtered(logits[index], policy)
        return logits


def filtered(logits: Tensor, policy: Policy) -> Tensor:
    """Scores whose softmax is the policy's law.

    Args:
        logits: float32 ``[rows, vocabulary]``.
        policy: not greedy.

    Returns:
        float32 ``[rows, vocabulary]``, −∞ for removed tokens; not normalised.
    """
    scores, stages = begin(logits, policy.stages)
    if not filters(stages[0]):
        return scores / stages[0].temperature
    kept, ids, settled = candidates(scores, stages)
    out = torch.full_like(scores, -math.inf).scatter_(-1, ids, kept)
    if not bool(settled.all()):
        rest = (~settled).nonzero().squeeze(-1)
        full = scores[rest]
        for stage in stages:
            full = apply_stage(full, stage)
        out[rest] = full
    return out
