"""Opening the engine a run's configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.generate.api import Engine

if TYPE_CHECKING:
    from harness.config import EngineConfig


def open_engine(settings: EngineConfig, weights: Path) -> Engine:
    """Load weights into the engine of the configuration.

    Args:
        settings: the ``engine`` group.
        weights: a model folder; not looked at by an engine whose models are served elsewhere.

    Raises:
        MissingCapability, BadInput: as the engine's own ``load``.
    """
    if settings.name == "vllm":
        from harness.generate.vllm_engine import VllmEngine
        from harness.generate.vllm_worker import Load

        load = Load(
            path=str(weights),
            device=settings.device,
            dtype=settings.dtype,
            tensor_parallel_size=settings.tensor_parallel_size,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            kv_cache_gib=settings.kv_cache_gib,
            max_model_len=settings.max_model_len,
            max_num_seqs=settings.max_num_seqs,
            enforce_eager=settings.enforce_eager,
        )
        return VllmEngine.load(
            weights,
            load,
            data_parallel_size=settings.data_parallel_size,
            max_batch_rows=settings.max_batch_rows,
            threads=settings.threads or None,
        )
    from harness.generate.engine import TransformersEngine

    if settings.dtype == "auto":
        from harness.errors import BadInput

        raise BadInput("engine.dtype=auto: engine=transformers takes float32 or bfloat16")
    return TransformersEngine.load(
        weights,
        device=settings.device,
        dtype=settings.dtype,
        max_batch_rows=settings.max_batch_rows,
        threads=settings.threads or None,
    )
