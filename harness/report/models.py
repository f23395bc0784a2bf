"""A record's models in words: what each was made from, and what a reader of the tables must know about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHORT = 12
"""Characters shown of a weight digest."""


def origin(model: Mapping[str, Any]) -> str:
    """Where a model's weights came from."""
    if model["kind"] == "base":
        return f"{model['source']} {model['revision']}".rstrip()
    if model["kind"] == "interpolated":
        first, second = (model[k][:SHORT] for k in ("first", "second"))
        return f"{100 * model['weight']:g} % of the way from {first} to {second}"
    made = f"made from {model['parent'][:SHORT]}, seed {model['seed']}, round {model['round']}"
    if model["kind"] == "scaled":
        made += f", every logit × {model['fit']['scale']:.4f}"
    return f"{made}{', unchanged: no example to train on' if left_alone(model) else ''}"


def left_alone(model: Mapping[str, Any]) -> bool:
    """Whether nothing was left of the corpus it was to be made from, so that it is the model it started from."""
    return model["kind"] in ("distilled", "scaled") and made_facts(model).get("examples") == 0


def made_facts(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the step that made it noted: counts, losses, the factor."""
    facts: Mapping[str, Any] = model.get("train") or model.get("fit") or {}
    return facts


def arm_notes(head: Mapping[str, Any], task: str) -> list[str]:
    """A line for each arm of a task whose model is not what its name would let one think, or was fitted.

    An arm without training examples is the model it started from, and a scaled one is told by its factor.
    """
    lines = []
    for arm in (a["name"] for a in head["arms"]):
        cells = [c for c in head["cells"] if (c["arm"], c["task"]) == (arm, task) and c.get("model") is not None]
        models = [(c["seed"], head["models"][c["model"]]) for c in cells]
        alone = [seed for seed, m in models if left_alone(m)]
        if alone:
            which = "" if len(alone) == len(models) else f" (seed {', '.join(map(str, alone))})"
            lines.append(f"`{arm}`{which}: no examples left to train on; it is the model it started from.")
        fitted = [(seed, m["fit"]) for seed, m in models if m["kind"] == "scaled" and not left_alone(m)]
        for seed, fit in fitted:
            which = f", seed {seed}" if len(models) > 1 else ""
            bound = "; the search ended there, the loss still falls beyond" if fit["at_bound"] else ""
            lines.append(
                f"`{arm}`{which}: every logit × {fit['scale']:.3f}; mean loss on the corpus "
                f"{fit['loss_before']:.4f} before, {fit['loss_after']:.4f} nats after{bound}."
            )
    return lines
