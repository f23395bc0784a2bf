"""The ``transformers`` engine: sampling with a model's own weights on a CPU or a GPU.

Not promised: equal logits across hardware, library versions, thread counts or batch shapes, and so equal samples there.
Promised: within one such setting the same requests give the same samples, and a sample's noise does not depend on the
batch it was drawn in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.canonical import text_digest
from harness.errors import BadInput, MissingCapability
from harness.generate import batching, prompts
from harness.generate.api import Completion, Request
from harness.generate.policy import is_greedy
from harness.models.transformers_quiet import quiet_transformers
from harness.spec import Policy

if TYPE_CHECKING:
    from harness.generate.decode import Row

GIB = 1 << 30

DEFAULT_ROWS = {"cpu": 64, "cuda": 256}
DEFAULT_CACHE_GIB = {"cpu": 1.0, "cuda": 16.0}
"""Limits of a batch by device kind: fixed numbers, not what is free just now, because they shape the batch plan."""


class TransformersEngine:
    """Generates with one set of weights. Build it with :meth:`load`."""

    name = "transformers"

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        max_batch_rows: int = 64,
        max_cache_gib: float = 1.0,
        on_tokens: Callable[[int], None] | None = None,
    ) -> None:
        """Wrap a loaded model and tokenizer.

        Args:
            model: a causal language model in evaluation mode.
            tokenizer: its tokenizer.
            max_batch_rows: samples decoded at once.
            max_cache_gib: limit of a batch's KV cache, GiB.
            on_tokens: told after each step how many tokens it drew (for a progress bar).
        """
        if max_batch_rows < 1 or max_cache_gib <= 0:
            raise BadInput(f"engine.max_batch_rows={max_batch_rows}, max_cache_gib={max_cache_gib}: must be positive")
        self.model = model
        self.tokenizer = tokenizer
        self.max_batch_rows = max_batch_rows
        self.max_cache_gib = max_cache_gib
        self.on_tokens = on_tokens
        self.max_cache_tokens = max(1, int(max_cache_gib * GIB) // cache_bytes_per_token(model))
        self.stop_ids = prompts.stop_ids(model.generation_config, tokenizer)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: str = "auto",
        dtype: Literal["float32", "bfloat16"] = "float32",
        max_batch_rows: int | None = None,
        max_cache_gib: float | None = None,
        threads: int | None = None,
        on_tokens: Callable[[int], None] | None = None,
    ) -> TransformersEngine:
        """Load a model folder.

        Args:
            path: folder with config, safetensors and tokenizer (:func:`harness.models.resolve`).
            device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
            dtype: of weights and cache.
            max_batch_rows: samples decoded at once; by default 64 on a CPU, 256 on CUDA.
            max_cache_gib: limit of a batch's KV cache; by default 1 on a CPU, 16 on CUDA.
            threads: CPU threads of torch, for the whole process; by default left as they are.
            on_tokens: told after each step how many tokens it drew.

        Raises:
            MissingCapability: where torch, transformers or the device is missing.
            BadInput: where the folder cannot be loaded.
        """
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise MissingCapability(
                f"engine=transformers needs {error.name}: pip install 'harness-referee[run]'"
            ) from None
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        kind = device.split(":")[0]
        if kind not in DEFAULT_ROWS:
            raise BadInput(f"engine.device={device}: must be auto, cpu, cuda or cuda:N")
        if kind == "cuda" and not torch.cuda.is_available():
            raise MissingCapability(f"engine.device={device}: torch {torch.__version__} sees no CUDA device")
        if dtype not in ("float32", "bfloat16"):
            raise BadInput(f"engine.dtype={dtype}: must be float32 or bfloat16")
        if threads is not None:
            torch.set_num_threads(threads)
        with quiet_transformers():
            try:
                model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype))
                tokenizer = AutoTokenizer.from_pretrained(path)
            except (OSError, ValueError, KeyError) as error:
                raise BadInput(f"{path}: cannot be loaded as a causal language model ({error})") from None
        model = model.to(device).eval()
        return cls(
            model,
            tokenizer,
            max_batch_rows=max_batch_rows if max_batch_rows is not None else DEFAULT_ROWS[kind],
            max_cache_gib=max_cache_gib if max_cache_gib is not None else DEFAULT_CACHE_GIB[kind],
            on_tokens=on_tokens,
        )

    def close(self) -> None:
        """Give the weights' memory back."""
        import gc

        import torch

        self.model = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def encode(self, request: Request) -> tuple[int, ...]:
        """Token ids of a request's prompt (:func:`harness.generate.prompts.encode`)."""
        return prompts.encode(self.tokenizer, request)

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The prompt text of (role, content) messages (:func:`harness.generate.prompts.render`)."""
        return prompts.render(self.tokenizer, messages)

    def plan(self, requests: Sequence[Request], max_new_tokens: int) -> list[list[int]]:
        """Batches as lists of request indices (:func:`harness.generate.batching.plan_batches`)."""
        loads = [batching.Load(r.key, len(self.encode(r)), len(r.noise_keys)) for r in requests]
        return batching.plan_batches(
            loads, max_new_tokens, max_rows=self.max_batch_rows, max_cache_tokens=self.max_cache_tokens
        )

    def generate(self, requests: Sequence[Request], policy: Policy, max_new_tokens: int) -> list[Completion]:
        """Draw every sample of every request.

        ``Completion.token_ids`` is what was drawn, the stop token included where ``finish`` is ``stop``; ``text``
        leaves special tokens out. A greedy policy draws one sample a request and repeats it.

        Raises:
            BadInput: for a prompt that does not fit the model's context with ``max_new_tokens``.
        """
        import torch

        from harness.generate import decode

        if not requests:
            return []
        encoded = [self.encode(r) for r in requests]
        context = getattr(self.model.config, "max_position_embeddings", None)
        prompts.check_lengths(requests, encoded, max_new_tokens, context)
        greedy = is_greedy(policy)
        rows = [
            decode.Row(prompt=i, key=key)
            for i, r in enumerate(requests)
            for key in (r.noise_keys[:1] if greedy else r.noise_keys)
        ]
        longest = max(map(len, encoded))
        size = batching.split_rows(
            len(rows), longest, max_new_tokens, max_rows=self.max_batch_rows, max_cache_tokens=self.max_cache_tokens
        )
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else min(self.stop_ids, default=0)
        with torch.inference_mode():
            prefix = decode.prefill(self.model, encoded, pad)
            for start in range(0, len(rows), size):
                decode.decode(
                    self.model,
                    prefix,
                    rows[start : start + size],
                    policy,
                    max_new_tokens,
                    self.stop_ids,
                    self.on_tokens,
                )
        by_request: list[list[Row]] = [[] for _ in requests]
        for row in rows:
            by_request[row.prompt].append(row)
        completions = []
        for request, prompt, drawn in zip(requests, encoded, by_request, strict=True):
            texts = [prompts.decode(self.tokenizer, row.tokens, row.stopped) for row in drawn]
            for index in range(len(request.noise_keys)):
                which = 0 if greedy else index
                row = drawn[which]
                completions.append(
                    Completion(
                        key=request.key,
                        index=index,
                        text=texts[which],
                        token_ids=tuple(row.tokens),
                        finish="stop" if row.stopped else "length",
                        prompt_tokens=len(prompt),
                    )
                )
        return completions

    def describe(self) -> dict[str, str]:
        """Versions, device, dtype, threads, batch limits, stop tokens and the chat template's digest."""
        import torch
        import transformers

        device = self.model.device
        return {
            "engine": self.name,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "threads": str(torch.get_num_threads()),
            "max_batch_rows": str(self.max_batch_rows),
            "max_cache_gib": str(self.max_cache_gib),
            "stop_ids": " ".join(map(str, sorted(self.stop_ids))),
            "chat_template_digest": text_digest(str(self.tokenizer.chat_template or "")),
        }


def cache_bytes_per_token(model: Any) -> int:
    """Bytes of KV cache of one position of one row: 2 · layers · key-value heads · head size · bytes of the dtype."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * head_dim * model.dtype.itemsize)
