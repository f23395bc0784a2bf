"""A plan as single pieces of work, so that what several plans share can be counted once.

The pieces are those that the store keeps apart: samples of a model under a policy, a corpus, a trained model. Their
GPU-hours are the estimates of :mod:`harness.pipeline.cost`, and add up to its total for one plan.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from harness.errors import BadInput
from harness.models import catalogue
from harness.pipeline.cost import (
    Tokens,
    corpus_key,
    corpus_tokens,
    count,
    expected_lengths,
    gpu_rates,
    trained_tokens,
)
from harness.pipeline.plan import Plan, sampled

Work = Mapping[Hashable, float]
"""GPU-hours by piece of work."""


def work(plan: Plan) -> dict[Hashable, float]:
    """The expected GPU-hours of every piece of a plan's work.

    Raises:
        BadInput: for a model or an engine whose GPU-hours cannot be estimated.
    """
    shape = catalogue.architecture(plan.config.model.name, plan.config.model.source)
    lengths = expected_lengths(plan)
    rates = None if shape is None else gpu_rates(plan, shape, lengths)
    if rates is None:
        raise BadInput(f"model={plan.config.model.name}: its GPU-hours cannot be estimated")
    pieces: dict[Hashable, float] = {}
    for cell in plan.cells:
        tokens = count(replace(plan, cells=(cell,), measurement=None), lengths).generated
        pieces["samples", cell.model, cell.policy, cell.task, cell.seed] = rates.hours(Tokens(tokens, 0, 0, 0)).total
    for model in sampled(plan.models):
        share = Tokens(0, corpus_tokens(model.corpus, lengths), 0, 0)
        pieces[("corpus", *corpus_key(model))] = rates.hours(share).total
        pieces["weights", model] = rates.hours(Tokens(0, 0, trained_tokens(model, lengths), 0)).total
    measured = count(plan, lengths).measured
    if measured:
        pieces["measurement", plan.ablation.name] = rates.hours(Tokens(0, 0, 0, measured)).total
    return pieces


def added(pieces: Work, done: Work) -> float:
    """GPU-hours of the pieces that are not done yet."""
    return sum(hours for piece, hours in pieces.items() if piece not in done)


def together(parts: Sequence[Work]) -> dict[Hashable, float]:
    """All pieces, each once."""
    return {piece: hours for part in parts for piece, hours in part.items()}
