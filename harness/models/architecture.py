"""The numbers of a model's architecture that planning needs. Nothing here loads a model or imports torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape of a decoder-only transformer, dense or mixture of experts.

    Args:
        parameters: all of them.
        active_parameters: those a token passes through, embeddings included; for a dense model all of them.
        layers: blocks.
        hidden: width of the residual stream.
        intermediate: width of a block's feed-forward part that a token passes through (experts chosen × their width).
        heads: query heads.
        kv_heads: key and value heads.
        head_dim: width of a head.
        vocabulary: rows of the output head.
        tied: whether the output head is the embedding.
        experts: experts a block has; 0 for a dense model.
        experts_chosen: experts a token passes through.
        window: tokens that a sliding-window block looks back on; 0 without such blocks.
        window_layers: blocks with the window.
        weight_bytes: bytes of the published weights, where they are not two a parameter.
        context: tokens of prompt and answer together at most.
        source: where these numbers are from.
    """

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool = False
    active_parameters: int = 0
    experts: int = 0
    experts_chosen: int = 0
    window: int = 0
    window_layers: int = 0
    weight_bytes: int = 0
    context: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        if not self.active_parameters:
            object.__setattr__(self, "active_parameters", self.parameters)
        if not self.weight_bytes:
            object.__setattr__(self, "weight_bytes", 2 * self.parameters)

    def cache_bytes(self, tokens: float, bytes_per_number: int = 2) -> float:
        """Bytes of keys and values of one sequence of ``tokens``: 2 · kv_heads · head_dim numbers a token and block."""
        per_layer = 2 * self.kv_heads * self.head_dim * bytes_per_number
        full = (self.layers - self.window_layers) * tokens
        return per_layer * (full + self.window_layers * min(tokens, self.window or tokens))

    def forward_flops(self, context: float) -> float:
        """Floating-point operations of one token's forward pass with ``context`` tokens before it.

        Two a parameter that is multiplied with (an embedding that is only looked up is not) and, for each block,
        4 · heads · head_dim · context for scores and weighted values.
        """
        multiplied = self.active_parameters - (0 if self.tied else self.vocabulary * self.hidden)
        full = (self.layers - self.window_layers) * context
        windowed = self.window_layers * min(context, self.window or context)
        return 2.0 * multiplied + 4.0 * self.heads * self.head_dim * (full + windowed)

    def read_bytes(self, batch: float) -> float:
        """Bytes of weights that one decoding step of ``batch`` sequences reads.

        Of a mixture of experts only the chosen experts are read; a batch of B chooses, of E experts with k a token and
        even use, a share 1 − (1 − k/E)^B.
        """
        if not self.experts:
            return float(self.weight_bytes)
        spared_parameters = self.parameters - self.active_parameters
        share: float = 1.0 - (1.0 - self.experts_chosen / self.experts) ** batch
        least = self.experts_chosen / self.experts
        read = self.active_parameters + spared_parameters * (share - least) / (1.0 - least)
        return read * self.weight_bytes / self.parameters


def from_config(folder: Path) -> Architecture:
    """The architecture of a dense model folder, from its ``config.json`` and the sizes of its weight files.

    Raises:
        BadInput: where the folder has no ``config.json``, or one of another kind of model.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        hidden, layers, heads = (int(config[k]) for k in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
        kv_heads = int(config.get("num_key_value_heads") or heads)
        head_dim = int(config.get("head_dim") or hidden // heads)
        intermediate, vocabulary = int(config["intermediate_size"]), int(config["vocab_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder}: no architecture can be read from its config.json ({error})") from None
    attention = hidden * head_dim * (2 * heads + 2 * kv_heads)
    block = attention + 3 * hidden * intermediate + 2 * hidden
    tied = bool(config.get("tie_word_embeddings", True))
    parameters = layers * block + vocabulary * hidden * (1 if tied else 2) + hidden
    size = sum(f.stat().st_size for f in folder.glob("*.safetensors"))
    return Architecture(
        parameters=parameters,
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=vocabulary,
        tied=tied,
        weight_bytes=size,
        context=int(config.get("max_position_embeddings") or 0),
        source="the folder's config.json",
    )
