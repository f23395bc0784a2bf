"""Opening the engine a run's configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.canonical import digest
from harness.errors import BadInput
from harness.generate.api import Engine
from harness.spec import Arm, BaseModel

if TYPE_CHECKING:
    from harness.generate.openai_engine import Server
    from harness.models import ResolvedModel
    from harness.settings import EngineConfig


def needs_weights(settings: EngineConfig) -> bool:
    """Whether the engine loads weights from a folder here."""
    return settings.name != "openai"


def check_arms(settings: EngineConfig, arms: Sequence[Arm], *, measured: bool = False) -> None:
    """See that the engine can sample every arm of a design, before anything is done.

    Args:
        settings: the ``engine`` group.
        arms: the design's.
        measured: whether the design also measures the model's own probabilities, which needs its weights.

    Raises:
        BadInput: naming the arms that it cannot, with reasons.
    """
    if settings.name == "openai":
        from harness.generate import openai_policy

        openai_policy.check_arms(arms, extended=settings.extended)
        if settings.served_model and len({arm.model for arm in arms}) > 1:
            raise BadInput(
                f"engine.served_model={settings.served_model}: the arms have several models; leave it empty to ask for "
                "each by its own name"
            )
        if measured:
            raise BadInput("engine=openai: this ablation measures probabilities on the model's weights")


def server(settings: EngineConfig, model: str) -> Server:
    """The server of ``engine=openai``, asked for ``model``."""
    from harness.generate.openai_engine import Server

    return Server(
        base_url=settings.base_url,
        model=model,
        api_key_env=settings.api_key_env,
        extended=settings.extended,
        max_tokens_field=settings.max_tokens_field,
        concurrency=settings.concurrency,
        retries=settings.retries,
        timeout=settings.timeout,
    )


def served(settings: EngineConfig, model: BaseModel) -> ResolvedModel:
    """A model that is served elsewhere: its path is its name there.

    Its digests are of its name and the server's address, since what lies behind them is not seen.
    """
    from harness.models import ResolvedModel

    asked = server(settings, settings.served_model or model.source)
    identity = digest({"served": asked.model, "base_url": asked.address})
    source = f"{asked.model} at {asked.address}, weights not seen"
    return ResolvedModel(Path(asked.model), identity, identity, identity, identity, source)


def open_engine(settings: EngineConfig, weights: Path) -> Engine:
    """Load weights into the engine of the configuration.

    Args:
        settings: the ``engine`` group.
        weights: a model folder, or the path of a model from :func:`served`.

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
    if settings.name == "openai":
        from harness.generate.openai_engine import OpenAIEngine

        return OpenAIEngine.load(server(settings, str(weights)), max_batch_rows=settings.max_batch_rows)
    from harness.generate.engine import TransformersEngine

    return TransformersEngine.load(
        weights,
        device=settings.device,
        dtype=settings.dtype,
        max_batch_rows=settings.max_batch_rows,
        threads=settings.threads or None,
    )
