"""A run's whole configuration as frozen values, whoever composed it (:mod:`harness.config` does, with Hydra)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.ablation import Decoding
from harness.canonical import LATER
from harness.spec import TaskRef, TrainRecipe

PHASES = ("train", "generate", "grade")
"""What a run does, in order: models are made (corpora and weights), tasks are sampled, samples are graded."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """An entry of the model catalogue, or what ``model=PATH_OR_HUB_ID`` gave.

    ``answer`` says where in its text the model's answer is (:func:`harness.grade.extract.final_answer`); ``template``
    are variables set at the head of its chat template.
    """

    name: str
    source: str
    revision: str
    decoding: Decoding
    answer: Literal["plain", "thinking", "harmony"] = field(default="plain", metadata=LATER)
    template: tuple[tuple[str, str], ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which engine generates, and on what. ``threads`` 0 takes every core.

    The second block is for ``engine=vllm``: zeros leave a setting to vLLM, and ``enforce_eager`` None means eager on a
    CPU and compiled on a GPU. The third is for ``engine=openai`` (:class:`harness.generate.openai_engine.Server`).
    """

    name: str
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]
    max_batch_rows: int
    threads: int

    tensor_parallel_size: int = field(default=1, metadata=LATER)
    data_parallel_size: int = field(default=1, metadata=LATER)
    gpu_memory_utilization: float = field(default=0.9, metadata=LATER)
    kv_cache_gib: float = field(default=0.0, metadata=LATER)
    max_model_len: int = field(default=0, metadata=LATER)
    max_num_seqs: int = field(default=0, metadata=LATER)
    enforce_eager: bool | None = field(default=None, metadata=LATER)

    base_url: str = field(default="", metadata=LATER)
    served_model: str = field(default="", metadata=LATER)
    api_key_env: str = field(default="", metadata=LATER)
    extended: bool = field(default=False, metadata=LATER)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = field(default="max_tokens", metadata=LATER)
    concurrency: int = field(default=16, metadata=LATER)
    retries: int = field(default=5, metadata=LATER)
    timeout: float = field(default=600.0, metadata=LATER)


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Which executor grades. ``workers`` 0 takes one a core."""

    kind: Literal["auto", "docker", "bubblewrap"]
    workers: int
    runtime: str
    image: str

    def options(self) -> dict[str, str]:
        """The settings that were given, for :func:`sandbox.open_executor`."""
        return {k: v for k, v in (("runtime", self.runtime), ("image", self.image)) if v}


@dataclass(frozen=True, slots=True)
class ScaleConfig:
    """How much of everything. The mappings have a ``default`` and entries for single tasks."""

    name: str
    evidence: bool
    seeds: tuple[int, ...]
    samples: dict[str, int]
    limit: dict[str, int]
    max_new_tokens: dict[str, int]
    train_prompts: int
    train_max_new_tokens: int
    train_steps: int
    pool: str = field(default="starter_pool", metadata=LATER)


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """What ``harness plan`` reckons with; decides no result.

    ``gpu`` is a name of :data:`harness.pipeline.devices`, empty for what was measured of the model or else an H100.
    ``answer_tokens`` and ``corpus_tokens`` are expected tokens of an answer; 0 takes the catalogue's.
    """

    gpu: str = ""
    gpus: int = 8
    usd_per_gpu_hour: float = 2.5
    answer_tokens: int = 0
    corpus_tokens: int = 0


@dataclass(frozen=True, slots=True)
class RayConfig:
    """``launcher=ray``. Cores and GPUs are what one step's task asks Ray for.

    ``address`` empty starts a cluster on this machine. ``store`` is an fsspec address through which nodes without a
    common folder hand steps to each other, each keeping its own copy under ``scratch``. ``grade_on`` names a custom
    resource of the nodes that have a sandbox.
    """

    address: str
    cpus: int
    gpus: float
    train_gpus: float
    grade_cpus: int
    grade_samples: int
    grade_on: str
    retries: int
    store: str
    scratch: str


@dataclass(frozen=True, slots=True)
class SlurmConfig:
    """``launcher=slurm``. Empty and 0 leave a setting to the cluster's own default."""

    cluster: Literal["slurm", "local"]
    partition: str
    grade_partition: str
    account: str
    qos: str
    cpus: int
    gpus: int
    train_gpus: int
    mem_gb: int
    minutes: int
    grade_cpus: int
    grade_minutes: int
    grade_samples: int
    at_once: int
    requeues: int
    setup: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything a run needs, resolved.

    ``launch`` and ``phases`` say who carries the run out and how much of it, which decides no result: they are left out
    of records (:meth:`recorded`).
    """

    ablation: str
    settings: Any
    model: ModelConfig
    tasks: tuple[TaskRef, ...]
    engine: EngineConfig
    train: TrainRecipe
    sandbox: SandboxConfig
    scale: ScaleConfig
    launcher: str
    seed: int
    treatment: ModelConfig | None = field(default=None, metadata=LATER)
    launch: RayConfig | SlurmConfig | None = field(default=None, metadata=LATER)
    phases: tuple[str, ...] = field(default=PHASES, metadata=LATER)
    planning: PlanConfig = field(default=PlanConfig(), metadata=LATER)

    def recorded(self) -> RunConfig:
        """The configuration as a record keeps it."""
        return dataclasses.replace(self, launch=None, phases=PHASES, planning=PlanConfig())
