"""The vLLM engine: offline generation in a process of its own, one for each data-parallel replica.

Not promised: samples equal to those of ``engine=transformers``. The law they follow is the same and each sample has its
own seed, but vLLM draws by its own generator. Nor, by default, equal logits when the batch changes (see vLLM's page on
reproducibility); so archive samples.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from harness.canonical import text_digest
from harness.errors import BadInput, MissingCapability
from harness.generate import batching, prompts
from harness.generate.api import Completion, Request
from harness.generate.policy import is_greedy
from harness.generate.vllm_policy import sample_seed, sampling_arguments
from harness.generate.vllm_process import Worker, environments
from harness.generate.vllm_worker import Drawn, Load, Work
from harness.models.transformers_quiet import quiet_transformers
from harness.spec import Policy


class VllmEngine:
    """Generates with one set of weights. Build it with :meth:`load`; :meth:`close` ends its processes."""

    name = "vllm"

    def __init__(self, workers: Sequence[Worker], tokenizer: Any, stop_ids: frozenset[int], *, max_batch_rows: int):
        """Take over started workers and wait until all have loaded.

        Args:
            workers: one a replica.
            tokenizer: the model's.
            stop_ids: ids that end a sample.
            max_batch_rows: samples of a batch, which is what a killed run loses at most; vLLM schedules within it.
        """
        self.workers = list(workers)
        self.tokenizer = tokenizer
        self.stop_ids = stop_ids
        self.max_batch_rows = max_batch_rows
        self.settings: dict[str, str] = {}
        self.cached_tokens = 0
        """Prompt tokens that were found in the cache so far: what sharing prefixes saved."""
        try:
            for worker in self.workers:
                self.settings = worker.answer("ready")
        except BaseException:
            self.close()
            raise

    @classmethod
    def load(
        cls,
        path: Path,
        settings: Load | None = None,
        *,
        data_parallel_size: int = 1,
        max_batch_rows: int = 2048,
        threads: int | None = None,
    ) -> VllmEngine:
        """Load a model folder.

        Args:
            path: folder with config, safetensors and tokenizer (:func:`harness.models.resolve`).
            settings: for vLLM; its ``path`` is not used.
            data_parallel_size: replicas, each a process with its own weights and a share of the requests.
            max_batch_rows: samples of a batch.
            threads: CPU threads of each replica; by default vLLM's choice.

        Raises:
            MissingCapability: where vLLM is not installed or sees too few devices.
            BadInput: where the folder has no tokenizer.
            EngineFailed: where vLLM cannot load it.
        """
        if find_spec("vllm") is None:
            raise MissingCapability(
                "engine=vllm needs vLLM: pip install 'harness-referee[vllm]' in an environment of its own "
                "(on a CPU: make venv-vllm)"
            )
        for name, value in (("data_parallel_size", data_parallel_size), ("max_batch_rows", max_batch_rows)):
            if value < 1:
                raise BadInput(f"engine.{name}={value}: must be at least 1")
        chosen = replace(settings or Load(""), path=str(path))
        tokenizer, generation_config = load_tokenizer(path)
        workers = [
            Worker.start(chosen, environment)
            for environment in environments(data_parallel_size, chosen.tensor_parallel_size, threads)
        ]
        return cls(workers, tokenizer, prompts.stop_ids(generation_config, tokenizer), max_batch_rows=max_batch_rows)

    def close(self) -> None:
        """End the engine's processes, which gives all their memory back."""
        for worker in self.workers:
            worker.close()
        self.workers = []

    def encode(self, request: Request) -> tuple[int, ...]:
        """Token ids of a request's prompt (:func:`harness.generate.prompts.encode`)."""
        return prompts.encode(self.tokenizer, request)

    def plan(self, requests: Sequence[Request], max_new_tokens: int) -> list[list[int]]:
        """Batches as lists of request indices; memory sets no limit to them, since vLLM queues what does not fit."""
        loads = [batching.Load(r.key, len(self.encode(r)), len(r.noise_keys)) for r in requests]
        return batching.plan_batches(loads, max_new_tokens, max_rows=self.max_batch_rows, max_cache_tokens=sys.maxsize)

    def generate(self, requests: Sequence[Request], policy: Policy, max_new_tokens: int) -> list[Completion]:
        """Draw every sample of every request.

        What a completion holds is as in :meth:`harness.generate.engine.TransformersEngine.generate`.

        Raises:
            BadInput: for a prompt that does not fit the model's context with ``max_new_tokens``.
            EngineFailed: where a worker fails; the engine is of no use then.
        """
        if not requests:
            return []
        encoded = [self.encode(r) for r in requests]
        prompts.check_lengths(requests, encoded, max_new_tokens, int(self.settings["max_model_len"]))
        greedy = is_greedy(policy)
        seeds = [tuple(sample_seed(key) for key in (r.noise_keys[:1] if greedy else r.noise_keys)) for r in requests]
        arguments = {
            **sampling_arguments(policy),
            "max_tokens": max_new_tokens,
            "stop_token_ids": sorted(self.stop_ids),
        }
        drawn = self._draw(encoded, seeds, arguments)
        completions = []
        for request, prompt, samples in zip(requests, encoded, drawn, strict=True):
            texts = [prompts.decode(self.tokenizer, tokens, stopped) for tokens, stopped in samples]
            for index in range(len(request.noise_keys)):
                which = 0 if greedy else index
                tokens, stopped = samples[which]
                finish: Literal["stop", "length"] = "stop" if stopped else "length"
                completions.append(Completion(request.key, index, texts[which], tokens, finish, len(prompt)))
        return completions

    def _draw(
        self, encoded: Sequence[tuple[int, ...]], seeds: Sequence[tuple[int, ...]], arguments: dict[str, Any]
    ) -> list[list[Drawn]]:
        """Spread the requests over the replicas and put their samples back in order."""
        shares = spread([len(s) for s in seeds], len(self.workers))
        for worker, share in zip(self.workers, shares, strict=True):
            worker.send(Work(tuple(encoded[i] for i in share), tuple(seeds[i] for i in share), arguments))
        found: dict[int, list[Drawn]] = {}
        for worker, share in zip(self.workers, shares, strict=True):
            drawn, cached = worker.answer("done")
            self.cached_tokens += cached
            found |= dict(zip(share, drawn, strict=True))
        return [found[i] for i in range(len(encoded))]

    def describe(self) -> dict[str, str]:
        """Versions, device, dtype, parallelism, limits, stop tokens and the chat template's digest."""
        return {
            "engine": self.name,
            **self.settings,
            "data_parallel_size": str(len(self.workers)),
            "max_batch_rows": str(self.max_batch_rows),
            "stop_ids": " ".join(map(str, sorted(self.stop_ids))),
            "chat_template_digest": text_digest(str(self.tokenizer.chat_template or "")),
        }


def load_tokenizer(path: Path) -> tuple[Any, Any]:
    """A model folder's tokenizer and generation settings (``None`` where it has none).

    Raises:
        BadInput: where there is no tokenizer.
    """
    from transformers import AutoTokenizer, GenerationConfig

    with quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(path)
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(f"{path}: its tokenizer cannot be loaded ({error})") from None
        settings = GenerationConfig.from_pretrained(path) if (path / "generation_config.json").is_file() else None
    return tokenizer, settings


def spread(weights: Sequence[int], parts: int) -> list[list[int]]:
    """Distribute indices over ``parts`` so that their weights are nearly equal: each in turn to the lightest part."""
    shares: list[list[int]] = [[] for _ in range(parts)]
    loads = [0] * parts
    for index, weight in enumerate(weights):
        lightest = loads.index(min(loads))
        shares[lightest].append(index)
        loads[lightest] += weight
    return shares
