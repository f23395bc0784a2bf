"""From a model's recipe to weights on disk: resolve what is published, train what is distilled."""

from __future__ import annotations

from harness.ledger.store import Step, StepRequest, load_lines
from harness.models import ResolvedModel, resolve
from harness.pipeline.generation import corpus_step, drop_reasons, example
from harness.pipeline.workshop import Workshop
from harness.progress import track
from harness.spec import BaseModel, DistilledModel, Model

TRAIN_VERSION = 1


def weights(shop: Workshop, model: Model) -> ResolvedModel:
    """The model's weights, made now if the store does not have them."""
    if isinstance(model, BaseModel):
        return resolve(model, shop.model_cache)
    parent = weights(shop, model.parent)
    corpus = corpus_step(shop, model.corpus, parent, model.seed, model.round)
    step = train_step(shop, model, parent, corpus)
    return ResolvedModel(
        path=step.path / "weights",
        weight_digest=step.facts()["weight_digest"],
        config_digest=parent.config_digest,
        tokenizer_digest=parent.tokenizer_digest,
        chat_template_digest=parent.chat_template_digest,
        source=f"distilled {step.key}",
    )


def train_step(shop: Workshop, model: DistilledModel, parent: ResolvedModel, corpus: Step) -> Step:
    """Fine-tune the parent on the kept part of the corpus. Output: the folder ``weights``, merged."""
    chosen = {"filters": model.corpus.filters, "transforms": model.corpus.transforms}
    settings = {"recipe": model.training, **chosen, "seed": model.seed}
    inputs = {"weights": parent.weight_digest, "corpus": corpus.output_digest("corpus.jsonl")}
    step = shop.store.step(StepRequest("train", TRAIN_VERSION, settings, inputs))
    if step.done:
        return step
    with step.lock():
        if step.done:
            return step
        from harness.train.corpus import apply_transforms
        from harness.train.sft import train

        rows = load_lines(corpus.read("corpus.jsonl"))
        reasons = drop_reasons(rows, model.corpus)
        kept = [example(r) for r, reason in zip(rows, reasons, strict=True) if reason is None]
        kept = apply_transforms(kept, model.corpus.transforms, model.seed)
        shop.free_engine()
        with track(f"train {step.key[:8]}", model.training.steps, "steps") as advance:
            trained = train(
                parent.path,
                kept,
                model.training,
                model.seed,
                step.path / "weights",
                progress=lambda done, total, loss: advance(1),
                device=shop.config.engine.device,
            )
        facts = {
            "weight_digest": trained.weight_digest,
            "examples": len(kept),
            "dropped": len(rows) - len(kept),
            "sequences": trained.sequences,
            "sequence_tokens": trained.sequence_tokens,
            "target_tokens": trained.target_tokens,
            "ended": trained.ended,
            "truncated": trained.truncated,
            "too_long": trained.too_long,
            "losses": [round(x, 6) for x in trained.losses],
        }
        step.finish({}, facts, kept={"weights": trained.weight_digest})
    return step
