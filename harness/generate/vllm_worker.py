"""The process that holds vLLM's engine: ``python -m harness.generate.vllm_worker FD``.

A process of its own, so that swapping weights is ending it: nothing else is sure to give a GPU's memory back. It reads
one :class:`Load` from the socket, answers ``("ready", facts)``, then answers each :class:`Work` with
``("done", (drawn, cached))``, until the other end closes. Whatever goes wrong is answered as ``("failed", message)``.

The engine runs in this process (``VLLM_ENABLE_V1_MULTIPROCESSING=0``), which makes its scheduling, and so the shapes
of its batches, a function of the requests alone. It neither starts a tokenizer nor turns tokens into text.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

LEAST_BATCHED_TOKENS = 2048
"""Tokens of a step where prompts are never split: this, or the context where that is longer."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to load and how. ``device`` is what the run asks for; a build of vLLM serves one kind.

    Zeros leave a setting to vLLM. ``kv_cache_gib`` limits the cache of keys and values; ``enforce_eager`` ``None`` is
    true on a CPU, where compiling takes longer than a small run. ``options`` go to ``vllm.LLM`` as they are.
    """

    path: str
    device: str = "auto"
    dtype: str = "bfloat16"
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9
    kv_cache_gib: float = 0.0
    max_model_len: int = 0
    max_num_seqs: int = 0
    enforce_eager: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """One batch: each prompt's token ids with the seeds of its samples, and keyword arguments of ``SamplingParams``."""

    prompts: tuple[tuple[int, ...], ...]
    seeds: tuple[tuple[int, ...], ...]
    arguments: Mapping[str, Any]


Drawn = tuple[tuple[int, ...], bool]
"""Token ids and whether a stop token ended them (which is then the last)."""


def arguments(load: Load, on_cpu: bool) -> dict[str, Any]:
    """Keyword arguments of ``vllm.LLM``, but for the model's path and those that need a look at the model."""
    from harness.generate.vllm_stages import NAME

    chosen: dict[str, Any] = {
        "dtype": load.dtype,
        "tensor_parallel_size": load.tensor_parallel_size,
        "enforce_eager": on_cpu if load.enforce_eager is None else load.enforce_eager,
        "enable_prefix_caching": True,  # samples of one prompt share its keys and values
        "logits_processors": [NAME],
        "skip_tokenizer_init": True,
        "generation_config": "vllm",  # otherwise the model's own sampling defaults slip in
        "seed": 0,
    }
    if load.kv_cache_gib:
        chosen["kv_cache_memory_bytes"] = int(load.kv_cache_gib * (1 << 30))
    elif not on_cpu:
        chosen["gpu_memory_utilization"] = load.gpu_memory_utilization
    if load.max_model_len:
        chosen["max_model_len"] = load.max_model_len
    if load.max_num_seqs:
        chosen["max_num_seqs"] = load.max_num_seqs
    return {**chosen, **load.options}


def whole_prompts(context: int) -> dict[str, Any]:
    """Settings that never split a prompt over steps.

    vLLM discards what it draws for an unfinished part of a prompt and winds the request's random generator back, which
    torch's CPU generators cannot do ("CPU Generator does not use offset"): a seeded request whose prompt straddles the
    token limit of a step would end the engine. On a CPU every prompt is therefore processed in one step.
    """
    return {"enable_chunked_prefill": False, "max_num_batched_tokens": max(context, LEAST_BATCHED_TOKENS)}


def open_engine(load: Load) -> Any:
    """Load the model into ``vllm.LLM``.

    Raises:
        ValueError: where the device asked for is not the one this build of vLLM is for.
    """
    from vllm import LLM  # type: ignore[import-not-found]  # an environment of its own
    from vllm.platforms import current_platform  # type: ignore[import-not-found]

    on_cpu = bool(current_platform.is_cpu())
    wrong = {"cpu": not on_cpu, "cuda": on_cpu}
    if wrong.get(load.device.split(":")[0], False):
        raise ValueError(f"engine.device={load.device}: this vLLM is built for {current_platform.device_type}")
    chosen = arguments(load, on_cpu)
    if on_cpu:
        chosen = {**whole_prompts(load.max_model_len or context_of(load.path)), **chosen}
    return LLM(load.path, **chosen)


def context_of(path: str) -> int:
    """The context vLLM will take for a model whose ``max_model_len`` is not given, in tokens."""
    from vllm.engine.arg_utils import EngineArgs  # type: ignore[import-not-found]

    return int(EngineArgs(model=path, skip_tokenizer_init=True).create_model_config().max_model_len)


def facts_of(llm: Any) -> dict[str, str]:
    """What a record should say of a loaded engine."""
    import torch
    import transformers
    import vllm
    from vllm.platforms import current_platform

    config = llm.llm_engine.vllm_config
    in_process = os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") == "0"
    return {
        "vllm": str(vllm.__version__),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": "cpu" if current_platform.is_cpu() else str(current_platform.get_device_name()),
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "threads": str(torch.get_num_threads()),
        "max_model_len": str(config.model_config.max_model_len),
        "max_num_seqs": str(config.scheduler_config.max_num_seqs),
        "max_num_batched_tokens": str(config.scheduler_config.max_num_batched_tokens),
        "chunked_prefill": str(bool(config.scheduler_config.enable_chunked_prefill)).lower(),
        "block_size": str(config.cache_config.block_size),
        "eager": str(bool(config.model_config.enforce_eager)).lower(),
        "scheduling": "in-process" if in_process else "own process",
        "batch_invariant": os.environ.get("VLLM_BATCH_INVARIANT", "0"),
    }


def draw(llm: Any, work: Work) -> tuple[list[list[Drawn]], int]:
    """Every sample of every prompt: each a request with its own seed; those of one prompt share its cache.

    Returns:
        The samples of each prompt, and how many tokens of prompts were found in the cache.
    """
    from vllm import SamplingParams

    prompts, parameters = [], []
    for ids, seeds in zip(work.prompts, work.seeds, strict=True):
        for seed in seeds:
            prompts.append({"prompt_token_ids": list(ids)})
            parameters.append(SamplingParams(seed=seed, detokenize=False, ignore_eos=True, **work.arguments))
    outputs = iter(llm.generate(prompts, parameters, use_tqdm=False))
    drawn = []
    cached = 0
    for seeds in work.seeds:
        of_prompt = []
        for _ in seeds:
            output = next(outputs)
            cached += output.num_cached_tokens or 0
            (sample,) = output.outputs
            if sample.finish_reason not in ("stop", "length"):
                raise RuntimeError(f"vLLM ended a sample with finish_reason={sample.finish_reason}")
            of_prompt.append((tuple(sample.token_ids), sample.finish_reason == "stop"))
        drawn.append(of_prompt)
    return drawn, cached


def end_with_parent(parent: int) -> None:
    """End this process and those it started as soon as the one that started it is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def serve(connection: Connection) -> int:
    """Load, then answer work until the other end closes. Returns the exit status: 1 where something went wrong."""
    try:
        load: Load = connection.recv()
        llm = open_engine(load)
        connection.send(("ready", facts_of(llm)))
        while True:
            connection.send(("done", draw(llm, connection.recv())))
    except EOFError:
        return 0
    except Exception as error:
        traceback.print_exc()  # into the log that the other end keeps
        connection.send(("failed", f"{type(error).__name__}: {error}"))
        return 1


def main() -> int:
    """Serve the socket whose number is the only argument."""
    end_with_parent(os.getppid())
    with Connection(int(sys.argv[1])) as connection:
        return serve(connection)


if __name__ == "__main__":
    sys.exit(main())
