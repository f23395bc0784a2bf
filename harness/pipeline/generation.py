"""Sampling steps: a corpus from the pool, and samples of a task's problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from harness.canonical import digest, key64
from harness.generate.api import Completion, Request
from harness.ledger.store import Step, StepRequest, dump_lines
from harness.models import ResolvedModel
from harness.pipeline.plan import LoadedTask
from harness.pipeline.workshop import Workshop, in_parts
from harness.settings import EngineConfig
from harness.spec import CorpusRecipe, Policy
from harness.tasks.base import Task
from harness.train.corpus import Example, apply_filters
from harness.train.pools import load_pool

SAMPLES_VERSION = 1
CORPUS_VERSION = 1

Messages = tuple[tuple[str, str], ...]
Row = dict[str, Any]


def samples_step(
    shop: Workshop, loaded: LoadedTask, model: ResolvedModel, policy: Policy, seed: int, round_: int = 0
) -> Step:
    """Sample every problem of a task. Output ``samples.jsonl``: one row a sample, in order of problem and index."""
    prompts = [(p.id, _messages(loaded.task, p)) for p in loaded.problems]
    count = loaded.ref.samples_per_problem
    settings = {
        "policy": policy,
        "max_new_tokens": loaded.ref.max_new_tokens,
        "samples": count,
        "seed": seed,
        "round": round_,
        "task": loaded.ref.name,
        "engine": engine_key(shop.config.engine),
    }
    inputs = {**_model_inputs(model), "prompts": digest(prompts)}
    step = shop.store.step(StepRequest("samples", SAMPLES_VERSION, settings, inputs))
    requests = [
        Request(name, tuple(key64(seed, "eval", round_, loaded.ref.name, name, i) for i in range(count)), messages)
        for name, messages in prompts
    ]
    _sample(shop, step, model, requests, policy, loaded.ref.max_new_tokens, "samples.jsonl", list)
    return step


def corpus_step(shop: Workshop, recipe: CorpusRecipe, parent: ResolvedModel, seed: int, round_: int) -> Step:
    """Sample the pool from the frozen parent. Output ``corpus.jsonl``, unfiltered.

    Filters and transforms are applied when training, so that recipes which differ in these alone share the samples.
    """
    pool = load_pool(recipe.pool)
    prompts = pool.prompts[: recipe.n_prompts]
    sampled = replace(recipe, filters=(), transforms=())
    settings = {"recipe": sampled, "seed": seed, "round": round_, "engine": engine_key(shop.config.engine)}
    step = shop.store.step(StepRequest("corpus", CORPUS_VERSION, settings, _model_inputs(parent)))
    requests = []
    for prompt in prompts:
        keys = tuple(key64(seed, "corpus", round_, recipe.pool, prompt.id, i) for i in range(recipe.samples_per_prompt))
        if recipe.prompt_format == "chat":
            requests.append(Request(prompt.id, keys, (("user", prompt.text),)))
        else:
            requests.append(Request(prompt.id, keys, text=prompt.text))
    texts = {p.id: p.text for p in prompts}

    def annotate(rows: list[Row]) -> list[Row]:
        return [{**r, "prompt": texts[r["problem"]]} for r in rows]

    _sample(shop, step, parent, requests, recipe.policy, recipe.max_new_tokens, "corpus.jsonl", annotate)
    return step


def drop_reasons(rows: list[Row], recipe: CorpusRecipe) -> list[str | None]:
    """For each corpus row the filter that drops it, or ``None`` where it is kept."""
    dropped = apply_filters([example(r) for r in rows], recipe.filters).dropped
    reasons = {key: name for name, keys in dropped.items() for key in keys}
    return [reasons.get(example(r).key) for r in rows]


def example(row: Row) -> Example:
    """A corpus row as a training example."""
    key = f"{row['problem']}#{row['index']}"
    messages = (("user", row["prompt"]),)
    return Example(key, messages, row["text"], row["finish"] == "stop", tuple(row["token_ids"]))


def engine_key(settings: EngineConfig) -> dict[str, Any]:
    """What of an engine decides the numbers on one machine. Device and threads go into the record, not the key."""
    return {"name": settings.name, "dtype": settings.dtype, "max_batch_rows": settings.max_batch_rows}


def _messages(task: Task, problem: Any) -> Messages:
    return tuple((m["role"], m["content"]) for m in task.messages(problem))


def _model_inputs(model: ResolvedModel) -> dict[str, str]:
    return {
        "weights": model.weight_digest,
        "config": model.config_digest,
        "tokenizer": model.tokenizer_digest,
        "chat_template": model.chat_template_digest,
    }


def _sample(
    shop: Workshop,
    step: Step,
    model: ResolvedModel,
    requests: Sequence[Request],
    policy: Policy,
    max_new_tokens: int,
    output: str,
    annotate: Callable[[list[Row]], list[Row]],
) -> None:
    """Generate batch by batch, each stored when finished, then join them in request order."""
    with shop.making(step) as wanted:
        if not wanted:
            return
        engine = shop.engine(model.path)

        def generate(batch: Sequence[int]) -> list[Row]:
            return [_row(c) for c in engine.generate([requests[j] for j in batch], policy, max_new_tokens)]

        batches = engine.plan(requests, max_new_tokens)
        found = in_parts(step, batches, generate, "samples", per_item=len(requests[0].noise_keys))
        rows = {(r["problem"], r["index"]): r for r in found}
        ordered = annotate([rows[r.key, i] for r in requests for i in range(len(r.noise_keys))])
        facts = {
            "samples": len(ordered),
            "new_tokens": sum(r["tokens"] for r in ordered),
            "engine": engine.describe(),
        }
        step.finish({output: dump_lines(ordered)}, facts)


def _row(completion: Completion) -> Row:
    return {
        "problem": completion.key,
        "index": completion.index,
        "text": completion.text,
        "token_ids": list(completion.token_ids),
        "tokens": completion.tokens,
        "prompt_tokens": completion.prompt_tokens,
        "finish": completion.finish,
    }
