"""What training holds in a device's memory, and what of it fits.

Counted: weights, gradients and AdamW's two moments in float32 (16 bytes a trained parameter; 4 a frozen one), split
over the processes with ``fsdp``; the residual stream kept at every block's border (4 bytes a number: float32, because
bfloat16 compute leaves sums in float32); one block's recomputed activations with their gradients; with ``fsdp``, the
gathered block and embeddings. Not counted: fragmentation, for which :data:`USABLE` leaves room. Attention scores are
taken to be computed in pieces, and the output head's logits too.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.models.architecture import Architecture
from harness.pipeline.hardware import GIB, RESERVED_GIB, Device
from harness.spec import TrainRecipe

USABLE = 0.93
"""Share of a device's memory that a training process can fill before fragmentation stops it."""

LENGTHS = tuple(1024 * 2**k for k in range(8))


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """GiB on each of ``processes`` devices, and on the host while weights are read.

    ``fewest_devices`` is the smallest power of two that would do (0: none up to 64 would); ``longest`` is the longest
    sequence, of a power of two of tokens, that fits as it stands (0: none).
    """

    processes: int
    states_gib: float
    activations_gib: float
    gathered_gib: float
    total_gib: float
    usable_gib: float
    fits: bool
    fewest_devices: int
    longest: int
    host_gib: float


def training_memory(shape: Architecture, recipe: TrainRecipe, on: Device) -> TrainingMemory:
    """Memory of one training process at the longest sequence the recipe allows."""
    usable = USABLE * on.memory_gib
    parts = _parts(shape, recipe, recipe.processes, recipe.max_length)
    fitting = [n for n in (1, 2, 4, 8, 16, 32, 64) if sum(_parts(shape, recipe, n, recipe.max_length)) <= usable]
    lengths = [n for n in LENGTHS if sum(_parts(shape, recipe, recipe.processes, n)) <= usable]
    return TrainingMemory(
        processes=recipe.processes,
        states_gib=parts[0],
        activations_gib=parts[1],
        gathered_gib=parts[2],
        total_gib=sum(parts),
        usable_gib=usable,
        fits=sum(parts) <= usable,
        fewest_devices=min(fitting, default=0) if recipe.sharding == "fsdp" or recipe.processes in fitting else 0,
        longest=max(lengths, default=0),
        host_gib=4 * shape.parameters * recipe.processes / GIB,
    )


def checkpoint_bytes(shape: Architecture, recipe: TrainRecipe) -> int:
    """Bytes of one checkpoint: trained weights and AdamW's moments in float32."""
    return 12 * trained_parameters(shape, recipe)


def trained_parameters(shape: Architecture, recipe: TrainRecipe) -> int:
    """All of them, or those of adapters: rank · (inputs + outputs) for every linear map of every block."""
    if recipe.method == "full":
        return shape.parameters
    attention = 2 * (shape.hidden + shape.heads * shape.head_dim) + 2 * (shape.hidden + shape.kv_heads * shape.head_dim)
    width = shape.intermediate // (shape.experts_chosen or 1)
    feed_forward = 3 * (shape.hidden + width) * max(1, shape.experts)
    return recipe.lora_rank * shape.layers * (attention + feed_forward)


def _parts(shape: Architecture, recipe: TrainRecipe, processes: int, length: int) -> tuple[float, float, float]:
    """GiB of states, activations and gathered weights (with the libraries' own)."""
    shards = processes if recipe.sharding == "fsdp" else 1
    trained = trained_parameters(shape, recipe)
    frozen = 0 if recipe.method == "full" else shape.parameters
    states = (16 * trained + 4 * frozen) / shards
    tokens = recipe.micro_batch_size * length
    borders = 4 * shape.layers * tokens * shape.hidden
    projections = 2 * shape.head_dim * (shape.heads + shape.kv_heads)
    block = 2 * tokens * (2 * (projections + 4 * shape.intermediate) + 4 * shape.hidden)
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    one_block = (shape.parameters - embeddings) / shape.layers
    gathered = 2 * 4 * (one_block + embeddings) if shards > 1 else 0
    return states / GIB, (borders + block) / GIB, gathered / GIB + RESERVED_GIB
