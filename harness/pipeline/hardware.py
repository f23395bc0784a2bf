"""Rooflines: how fast a device can decode and train a model of a given shape, at stated shares of its peak.

These are estimates to plan with. What they leave out: the spread of lengths, which empties a batch towards its end; the
time to load weights; and communication between tensor-parallel devices, which a step's fixed time stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from harness.errors import BadInput
from harness.models.architecture import Architecture
from harness.nearest import nearest

GIB = 2**30

PROMPT_TOKENS = 700
"""Tokens of a contest problem's prompt, roughly; read once for all samples of a problem."""

ENOUGH = 4
"""Sequences at the limit of tokens that a replica should hold, so that a few long ones do not stop the others."""

RESERVED_GIB = 2.0
"""Memory of a device that a process's libraries take before any model."""


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator. ``bandwidth`` is in bytes a second, ``flops`` in bfloat16 operations a second, both at peak."""

    key: str
    name: str
    memory_gib: float
    bandwidth: float
    flops: float


@dataclass(frozen=True, slots=True)
class Decoding:
    """Generation by one replica.

    ``sequences`` decode at once at the expected length, ``sequences_at_limit`` if all were at the limit of tokens.
    """

    tensor_parallel: int
    weights_gib: float
    cache_gib: float
    sequences: int
    sequences_at_limit: int
    tokens_per_second: float

    @property
    def tokens_per_second_per_device(self) -> float:
        return self.tokens_per_second / self.tensor_parallel


def device(key: str) -> Device:
    """A device by its key.

    Raises:
        BadInput: for an unknown one.
    """
    known = _table()["devices"]
    if key not in known:
        raise BadInput(f"plan.gpu={key}: no such device{nearest(key, sorted(known))}")
    return Device(key, **known[key])


def decoding(
    shape: Architecture,
    on: Device,
    engine: str,
    *,
    expected: float,
    limit: float,
    memory_share: float = 0.9,
    tensor_parallel: int = 0,
) -> Decoding | None:
    """The rate of one replica, at the fewest devices that hold enough sequences at the limit (or as many as are given).

    Args:
        shape: the model's.
        on: the device.
        engine: ``vllm`` or ``transformers``.
        expected: tokens of an answer.
        limit: tokens of an answer at most.
        memory_share: of the device's memory that the engine may use.
        tensor_parallel: devices of a replica; 0 chooses.

    Returns:
        ``None`` for an engine that is not known here, or a model that eight devices do not hold.
    """
    settings = _table()["engines"].get(engine)
    if settings is None:
        return None
    for devices in [tensor_parallel] if tensor_parallel else [1, 2, 4, 8]:
        weights = shape.weight_bytes / GIB / devices
        cache_gib = memory_share * on.memory_gib - RESERVED_GIB - weights
        room = max(0.0, cache_gib * devices * GIB)
        at_limit = int(room / shape.cache_bytes(PROMPT_TOKENS + limit))
        if at_limit < 1 or (at_limit < ENOUGH and devices < 8 and not tensor_parallel):
            continue
        sequences = min(int(room / shape.cache_bytes(PROMPT_TOKENS + expected)), settings["sequences"])
        context = PROMPT_TOKENS + expected / 2
        read = shape.read_bytes(sequences) + sequences * shape.cache_bytes(context)
        move = read / (on.bandwidth * devices * settings["bandwidth_share"])
        work = sequences * shape.forward_flops(context) / (on.flops * devices * settings["flops_share"])
        rate = sequences / (max(move, work) + settings["step_milliseconds"] / 1000)
        return Decoding(devices, weights, cache_gib, sequences, at_limit, rate)
    return None


def training_tokens_per_second(shape: Architecture, on: Device, *, length: float, method: str) -> float:
    """Tokens a second that one device trains on, in sequences of ``length`` tokens, with activations recomputed.

    A forward pass, its recomputation and a backward pass of twice its work; of adapters' frozen matrices only the
    gradient of the input is computed, which is half of a backward pass.
    """
    passes = 4.0 if method == "full" else 3.0
    share = _table()["training"]["mixture_share" if shape.experts else "dense_share"]
    return float(on.flops * share / (passes * shape.forward_flops(length / 2)))


def reading_tokens_per_second(shape: Architecture, on: Device, *, length: float) -> float:
    """Tokens a second of one device's forward passes over given sequences (teacher forcing)."""
    share = _table()["training"]["mixture_share" if shape.experts else "dense_share"]
    return float(on.flops * share / shape.forward_flops(length / 2))


@cache
def _table() -> dict[str, Any]:
    import yaml

    text = (resources.files("harness.pipeline") / "hardware.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found
