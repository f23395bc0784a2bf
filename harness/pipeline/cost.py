"""What a run would cost, from its design and a table of measured throughputs.

An upper bound: every sample is counted at its token limit. Real runs end earlier because models stop by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from harness.pipeline.plan import Plan, sampled
from harness.spec import CorpusRecipe, DistilledModel, ScaledModel

TRAIN_OVERHEAD_TOKENS = 120
"""Prompt tokens a training example adds to its response, on the pool's average (forward and backward pass)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Token counts (upper bounds) and, where a throughput is known, seconds. ``basis`` says where it is from."""

    samples: int
    generated_tokens: int
    corpus_tokens: int
    training_tokens: int
    seconds: float | None
    basis: str


def estimate(plan: Plan) -> Cost:
    """The cost of a plan whose store is empty. What several arms or models share is counted once."""
    per_cell = {t.ref.name: len(t.problems) * t.ref.samples_per_problem for t in plan.tasks}
    limits = {t.ref.name: t.ref.max_new_tokens for t in plan.tasks}
    drawn = dict.fromkeys((c.model, c.policy, c.task, c.seed) for c in plan.cells)
    samples = sum(per_cell[task] for _, _, task, _ in drawn)
    generated = sum(per_cell[task] * limits[task] for _, _, task, _ in drawn)
    made = sampled(plan.models)
    corpora = {(replace(m.corpus, filters=(), transforms=()), m.parent, m.seed, m.round) for m in made}
    corpus = sum(_count(recipe) * recipe.max_new_tokens for recipe, *_ in corpora)
    training = sum(map(_trained_tokens, made))
    entry = _throughput(plan)
    if entry is None:
        known = "no measured throughput for this model and engine; add a line to harness/pipeline/throughput.yaml"
        return Cost(samples, generated, corpus, training, None, known)
    seconds = (generated + corpus) / entry["generate_tokens_per_second"] + training / entry["train_tokens_per_second"]
    return Cost(samples, generated, corpus, training, seconds, entry["basis"])


def _count(recipe: CorpusRecipe) -> int:
    return recipe.n_prompts * recipe.samples_per_prompt


def _trained_tokens(model: DistilledModel | ScaledModel) -> int:
    """Tokens of forward and backward passes. Fitting a factor is one forward pass, a third of that."""
    length = model.corpus.max_new_tokens + TRAIN_OVERHEAD_TOKENS
    if isinstance(model, ScaledModel):
        return _count(model.corpus) * length // 3
    return model.training.steps * model.training.batch_size * min(model.training.max_length, length)


def _throughput(plan: Plan) -> dict[str, Any] | None:
    import yaml

    table = yaml.safe_load((resources.files("harness.pipeline") / "throughput.yaml").read_text())
    config = plan.config
    for entry in table:
        if entry["model"] == config.model.name and entry["engine"] == config.engine.name:
            return dict(entry)
    return None
