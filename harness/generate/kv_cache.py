"""A KV cache for sampling many continuations of shared prompts, from which finished rows leave at once.

``transformers``' growing cache copies itself at every token. Here each layer writes into spare room allocated ahead,
and a finished row's place is taken by the last live row, so that dropping a row copies one row. Layers of other kinds
(sliding windows) keep the library's own implementation and its index-select.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from harness.errors import BadInput

GROWTH = 128
"""Positions of spare room added when a layer runs out."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A full-attention layer whose keys and values are views of a larger buffer ``[rows, heads, capacity, dim]``."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._length = keys.shape[-2]
        self._buffers = (self._roomy(keys), self._roomy(values))
        self._set_views(keys.shape[0])

    def _roomy(self, states: Tensor) -> Tensor:
        rows, heads, length, dim = states.shape
        buffer = states.new_empty(rows, heads, length + GROWTH, dim)
        buffer[:, :, :length] = states
        return buffer

    def _set_views(self, rows: int) -> tuple[Tensor, Tensor]:
        keys, values = (b[:rows, :, : self._length] for b in self._buffers)
        self.keys, self.values = keys, values
        return keys, values

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append positions for the live rows; returns views over everything cached."""
        rows, _, added, _ = key_states.shape
        if self._length + added > self._buffers[0].shape[-2]:
            keys, values = self._set_views(rows)
            self._buffers = (self._roomy(keys), self._roomy(values))
        end = self._length + added
        self._buffers[0][:rows, :, self._length : end] = key_states
        self._buffers[1][:rows, :, self._length : end] = value_states
        self._length = end
        return self._set_views(rows)

    def move_rows(self, sources: Tensor, targets: Tensor, rows: int) -> None:
        """Copy rows ``sources`` over ``targets`` and keep the first ``rows``."""
        if len(sources):
            for buffer in self._buffers:
                buffer[targets, :, : self._length] = buffer[sources, :, : self._length]
        self._set_views(rows)


def expand(prefix: DynamicCache, prompt_of_row: Tensor, config: Any) -> DynamicCache:
    """A cache with one row a sample, from a prefilled one with one row a prompt.

    Args:
        prefix: cache after the prompts' forward pass; left as it is.
        prompt_of_row: int64 ``[rows]``, which prompt each row continues.
        config: the model's configuration, which decides the layers' kinds.

    Raises:
        BadInput: for a model with layers that are not attention over keys and values (state-space models and the like).
    """
    cache = DynamicCache(config=config)
    layers: list[Any] = list(prefix.layers)
    for layer in layers:
        if not isinstance(layer, DynamicLayer):
            raise BadInput(
                f"engine=transformers cannot share a prompt's cache over {type(layer).__name__} layers: use engine=vllm"
            )
    cache.layers = [_expand_layer(layer, prompt_of_row) for layer in layers]
    return cache


def _expand_layer(layer: Any, prompt_of_row: Tensor) -> Any:
    keys = layer.keys.index_select(0, prompt_of_row)
    values = layer.values.index_select(0, prompt_of_row)
    if type(layer) is DynamicLayer:
        return RoomyLayer(keys, values)
    # A shallow copy keeps what the kind counts besides keys and values, such as positions already out of the window.
    expanded = copy.copy(layer)
    expanded.keys, expanded.values = keys, values
    return expanded


def survivors(rows: int, finished: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Which rows move where when ``finished`` ones leave.

    Returns:
        ``(sources, targets, order)``: rows at the end that move into the gaps, and, for each new row, its old index.
    """
    gone = set(finished)
    live = rows - len(gone)
    targets = sorted(i for i in gone if i < live)
    sources = [i for i in range(live, rows) if i not in gone]
    order = list(range(live))
    for source, target in zip(sources, targets, strict=True):
        order[target] = source
    return sources, targets, order


def drop_rows(cache: DynamicCache, sources: Sequence[int], targets: Sequence[int], order: Sequence[int]) -> None:
    """Apply :func:`survivors` to every layer."""
    layers: list[Any] = list(cache.layers)
    device = layers[0].keys.device
    source_index = torch.tensor(sources, dtype=torch.int64, device=device)
    target_index = torch.tensor(targets, dtype=torch.int64, device=device)
    order_index = torch.tensor(order, dtype=torch.int64, device=device)
    for layer in layers:
        if isinstance(layer, RoomyLayer):
            layer.move_rows(source_index, target_index, len(order))
        else:
            layer.batch_select_indices(order_index)
