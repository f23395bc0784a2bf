"""What training minimises besides cross-entropy: the entropy of the model's own next-token distributions.

Entropy minimisation (Grandvalet & Bengio 2004, "Semi-supervised Learning by Entropy Minimization"; Agarwal et al. 2025,
arXiv:2505.15134, for language models) sharpens every distribution toward its own mode and is told nothing about which
token was right, or even drawn. A gain from it is a gain from sharpening alone.

TRL's fused head computes entropies and their gradient in tiles of the vocabulary, exactly (they are those of the whole
softmax in float32), so that logits of a whole sequence are never held.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from trl.trainer.sft_trainer import SFTTrainer

Objective = Literal["cross_entropy", "entropy"]


class ObjectiveTrainer(SFTTrainer):
    """``SFTTrainer`` whose loss is its own cross-entropy or, with ``objective`` set, the mean entropy."""

    objective: Objective = "cross_entropy"

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a micro-batch, as a share of its batch's mean where ``num_items_in_batch`` says how many targets
        the whole batch has."""
        if self.objective == "cross_entropy":
            own: Any = super()
            return own.compute_loss(model, inputs, return_outputs, num_items_in_batch)
        outputs = model(**{**inputs, "use_cache": False}, fused_lm_head=True)
        loss = mean_entropy(outputs.entropy, outputs.label_mask, num_items_in_batch)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # The count is of every process together, and gradients are averaged over processes.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def mean_entropy(entropy: Tensor, mask: Tensor, count: Tensor | int | None) -> Tensor:
    """Mean entropy over response positions, in nats.

    Args:
        entropy: Shannon entropies ``[rows, length − 1]`` of the distributions from which tokens 2 to ``length`` come.
        mask: bool of the same shape: whether that token is one of the response's, its end token included.
        count: how many such positions the whole batch has; ``None`` counts ``mask``.

    Returns:
        A scalar that can be differentiated.
    """
    positions = torch.as_tensor(mask.sum() if count is None else count, device=entropy.device)
    return (entropy * mask).sum() / positions.clamp(min=1)
