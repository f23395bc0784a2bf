"""From a model's recipe to weights on disk: resolve what is published, make what is made.

A corpus of which nothing is kept is a result, not a failure (a filter may leave nothing of a model that always answers
with code): the model then stays what it started from, ``examples`` is 0 in the step's facts, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.errors import BadInput
from harness.ledger.store import Step, StepRequest, load_lines
from harness.models import ResolvedModel
from harness.pipeline.generation import corpus_step, drop_reasons, example
from harness.pipeline.plan import distilled
from harness.pipeline.workshop import Workshop
from harness.progress import say, track
from harness.spec import BaseModel, CorpusRecipe, DistilledModel, InterpolatedModel, Model, ScaledModel
from harness.train.corpus import Example, NothingToTrainOn

TRAIN_VERSION = 1
INTERPOLATE_VERSION = 1
SCALE_VERSION = 1

HOW = ("threads", "device", "processes", "sharding", "backend")
"""What a record says of how a model was trained: weights are bit-equal only at equal counts."""


def weights(shop: Workshop, model: Model) -> ResolvedModel:
    """The model's weights, made now if the store does not have them."""
    if isinstance(model, BaseModel):
        return shop.base(model)
    if isinstance(model, InterpolatedModel):
        first, second = weights(shop, model.first), weights(shop, model.second)
        return _made(first, interpolation_step(shop, model, first, second))
    if isinstance(model, ScaledModel):
        parent = weights(shop, model.parent)
        return _made(parent, scale_step(shop, model, parent))
    return _made(weights(shop, model.start or model.parent), train_step(shop, model))


def _made(like: ResolvedModel, step: Step) -> ResolvedModel:
    """Weights that a step made, with the architecture and tokenizer of the model they were made from.

    That model itself where the step had no example to make anything from.
    """
    if step.facts().get("examples") == 0:
        return like
    digest = step.facts()["weight_digest"]
    return replace(like, path=step.path / "weights", weight_digest=digest, source=f"{step.request.name} {step.key}")


def corpus_of(shop: Workshop, model: DistilledModel | ScaledModel) -> Step:
    """The corpus sampled for a model from its parent."""
    return corpus_step(shop, model.corpus, weights(shop, model.parent), model.seed, model.round)


def interpolation_step(shop: Workshop, model: InterpolatedModel, first: ResolvedModel, second: ResolvedModel) -> Step:
    """Mix two models' tensors in float32. Output: the folder ``weights``.

    Raises:
        BadInput: if the models do not have the same architecture.
    """
    if first.config_digest != second.config_digest:
        raise BadInput("interpolation needs two models of one architecture")
    inputs = {"first": first.weight_digest, "second": second.weight_digest}
    step = shop.store.step(StepRequest("interpolate", INTERPOLATE_VERSION, {"weight": model.weight}, inputs))
    with shop.making(step) as wanted:
        if not wanted:
            return step
        from harness.train.interpolate import interpolate

        digest = interpolate(first.path, second.path, model.weight, step.path / "weights")
        step.finish({}, {"weight_digest": digest}, kept={"weights": digest})
    return step


def train_step(shop: Workshop, model: DistilledModel) -> Step:
    """Fine-tune on the kept part of the corpus. Output: the folder ``weights``, merged."""
    start = weights(shop, model.start or model.parent)
    made_before = distilled([model.parent]) if model.accumulate else []
    corpora = [(m.corpus, corpus_of(shop, m)) for m in [*made_before, model]]
    chosen = {"filters": model.corpus.filters, "transforms": model.corpus.transforms}
    settings = {"recipe": model.training, **chosen, "seed": model.seed}
    inputs = {"weights": start.weight_digest, "corpus": corpora[-1][1].output_digest("corpus.jsonl")}
    for number, (_, earlier) in enumerate(corpora[:-1], 1):
        inputs[f"corpus of round {number}"] = earlier.output_digest("corpus.jsonl")
    step = shop.store.step(StepRequest("train", TRAIN_VERSION, settings, inputs))
    with shop.making(step) as wanted:
        if not wanted:
            return step
        from harness.train.sft import train

        kept, sampled = _kept(corpora, model.corpus.transforms, model.seed)
        shop.free_engine()
        shop.use_threads()
        try:
            with track(f"train {step.key[:8]}", model.training.steps, "steps") as advance:
                trained = train(
                    start.path,
                    kept,
                    model.training,
                    model.seed,
                    step.path / "weights",
                    progress=lambda done, total, loss: advance(1),
                    device=shop.config.engine.device,
                )
        except NothingToTrainOn:
            counts = ("sequences", "sequence_tokens", "target_tokens", "ended", "truncated")
            nothing: dict[str, Any] = {**dict.fromkeys(counts, 0), "too_long": len(kept), "losses": []}
            return _left_alone(step, start, sampled, nothing)
        facts: dict[str, Any] = {
            "weight_digest": trained.weight_digest,
            "examples": len(kept),
            "dropped": sampled - len(kept),
            "sequences": trained.sequences,
            "sequence_tokens": trained.sequence_tokens,
            "target_tokens": trained.target_tokens,
            "ended": trained.ended,
            "truncated": trained.truncated,
            "too_long": trained.too_long,
            "losses": [round(x, 6) for x in trained.losses],
            "checkpoint": trained.checkpoint,
            "trained_with": {k: v for k, v in trained.versions if k in HOW},
        }
        if trained.heldout:
            facts["heldout"] = trained.heldout
            facts["heldout_losses"] = [[step, round(x, 6)] for step, x in trained.heldout_losses]
        step.finish({}, facts, kept={"weights": trained.weight_digest})
    return step


def scale_step(shop: Workshop, model: ScaledModel, parent: ResolvedModel) -> Step:
    """Fit one factor on the parent's logits to the kept part of the corpus. Output: the folder ``weights``."""
    corpus = corpus_of(shop, model)
    chosen = {"filters": model.corpus.filters, "transforms": model.corpus.transforms}
    settings = {**chosen, "seed": model.seed, "dtype": shop.config.engine.dtype}
    inputs = {"weights": parent.weight_digest, "corpus": corpus.output_digest("corpus.jsonl")}
    step = shop.store.step(StepRequest("scale", SCALE_VERSION, settings, inputs))
    with shop.making(step) as wanted:
        if not wanted:
            return step
        from harness.train.scale import scale_model

        kept, sampled = _kept([(model.corpus, corpus)], model.corpus.transforms, model.seed)
        shop.free_engine()
        shop.use_threads()
        engine = shop.config.engine
        try:
            made = scale_model(parent.path, kept, step.path / "weights", device=engine.device, dtype=engine.dtype)
        except NothingToTrainOn:
            return _left_alone(step, parent, sampled, {"scale": 1.0, "sequences": 0, "positions": 0})
        facts = {
            "weight_digest": made.weight_digest,
            "examples": len(kept),
            "dropped": sampled - len(kept),
            "scale": made.fit.scale,
            "loss_before": made.fit.before,
            "loss_after": made.fit.after,
            "at_bound": made.fit.at_bound,
            "sequences": made.sequences,
            "positions": made.positions,
            "all_positions": made.all_positions,
        }
        step.finish({}, facts, kept={"weights": made.weight_digest})
    return step


def _kept(
    corpora: Sequence[tuple[CorpusRecipe, Step]], transforms: Sequence[str], seed: int
) -> tuple[list[Example], int]:
    """What is kept of these corpora, oldest first, transformed, and how many samples there were."""
    from harness.train.corpus import apply_transforms

    kept: list[Example] = []
    sampled = 0
    for recipe, corpus in corpora:
        rows = load_lines(corpus.read("corpus.jsonl"))
        sampled += len(rows)
        kept += [example(r) for r, why in zip(rows, drop_reasons(rows, recipe), strict=True) if why is None]
    return apply_transforms(kept, transforms, seed), sampled


def _left_alone(step: Step, start: ResolvedModel, sampled: int, facts: dict[str, Any]) -> Step:
    """Finish a step that had nothing to make a model from: the model is the one it started from."""
    say(f"{step.request.name} {step.key[:8]}: no example is left of {sampled}; the model stays what it started from")
    step.finish({}, {"weight_digest": start.weight_digest, "examples": 0, "dropped": sampled, **facts})
    return step
