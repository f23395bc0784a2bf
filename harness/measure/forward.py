"""Teacher forcing: a model's logits along a given answer, a few positions at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

POSITIONS = 128
"""Positions whose logits are held at once: at a vocabulary of 150,000 each float64 copy of them is 150 MB."""


class Forced:
    """A model that has read a prompt and can read any number of answers to it."""

    def __init__(self, model: Any, prompt: Sequence[int]) -> None:
        """Read the prompt.

        Args:
            model: a causal language model of ``transformers`` in evaluation mode.
            prompt: its token ids, at least one.
        """
        from transformers.cache_utils import DynamicCache

        self._model = model
        self._length = len(prompt)
        self._cache = DynamicCache(config=model.config)
        self._last = self._read(prompt, 0, self._cache, keep=1)

    def logits(self, tokens: Sequence[int], size: int = POSITIONS) -> Iterator[tuple[int, Tensor]]:
        """Logits along an answer: ``(start, [rows, vocabulary])``, where row i is what precedes ``tokens[start + i]``.

        The answer's last token is not read, since nothing follows it.
        """
        import torch

        # A copy, because the prompt's keys and values serve the next answer too, whatever kind of layers they are of.
        cache = copy.deepcopy(self._cache)
        last = self._last
        for start in range(0, len(tokens), size):
            part = tokens[start : start + size]
            end = start + len(part)
            read = part if end < len(tokens) else part[:-1]
            if not read:
                yield start, last
                continue
            new = self._read(read, self._length + start, cache, keep=len(read))
            rows = torch.cat([last, new])
            yield start, rows[: len(part)]
            last = rows[-1:]

    def _read(self, ids: Sequence[int], position: int, cache: Any, keep: int) -> Tensor:
        import torch

        device = self._model.device
        with torch.inference_mode():
            out = self._model(
                input_ids=torch.tensor([list(ids)], device=device),
                position_ids=torch.arange(position, position + len(ids), device=device)[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        logits: Tensor = out.logits[0]
        return logits
