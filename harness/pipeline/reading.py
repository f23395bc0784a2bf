"""Models reading answers: what is read, the pair of models loaded for it, and one problem at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.canonical import digest
from harness.generate.api import Request
from harness.ledger.store import Step, load_lines
from harness.measure import contexts
from harness.measure.branching import PrefixTree
from harness.measure.classes import given_names, token_classes
from harness.measure.contexts import REFERENCE, Passage
from harness.measure.matching import GRID, entropy_curve
from harness.models import ResolvedModel
from harness.pipeline.plan import LoadedTask
from harness.pipeline.workshop import Workshop
from harness.spec import Measurement, Policy
from harness.tasks.base import Problem

if TYPE_CHECKING:
    from harness.generate.engine import TransformersEngine
    from harness.measure.forward import Forced

CONTEXT_SAMPLES = 2
"""Samples of a problem that each context gives, the first ones."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read on one task with one seed: by problem, the answers of each context and all samples for branching."""

    loaded: LoadedTask
    samples: dict[str, Step]
    measurement: Measurement

    def inputs(self) -> dict[str, str]:
        """Digests of everything that is read."""
        names = [c for c in self.measurement.contexts if c != REFERENCE]
        steps = {f"context {n}": self.samples[n].output_digest("samples.jsonl") for n in names}
        steps["branching"] = self.samples[self.measurement.reference].output_digest("samples.jsonl")
        if REFERENCE in self.measurement.contexts:
            answers = [contexts.reference_answer(self.loaded.task, p) for p in self.loaded.problems]
            steps["context reference"] = digest(answers)
        return steps

    def rows(self, arm: str) -> dict[str, list[Row]]:
        """An arm's samples by problem."""
        found: dict[str, list[Row]] = {p.id: [] for p in self.loaded.problems}
        for row in load_lines(self.samples[arm].read("samples.jsonl")):
            found[row["problem"]].append(row)
        return found


class Engines:
    """Loads models one path at a time: the model under test and, kept beside it, the reference."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._loaded: dict[str, tuple[str, TransformersEngine]] = {}

    def __call__(self, role: str, model: ResolvedModel) -> TransformersEngine:
        from harness.generate.engine import TransformersEngine

        path = str(model.path)
        for known, engine in self._loaded.values():
            if known == path:
                return engine
        self._shop.free_engine()
        if role in self._loaded:
            self._loaded.pop(role)[1].close()
        settings = self._shop.config.engine
        engine = TransformersEngine.load(
            model.path, device=settings.device, dtype=settings.dtype, threads=settings.threads or None
        )
        self._loaded[role] = (path, engine)
        return engine

    def close(self) -> None:
        for _, engine in self._loaded.values():
            engine.close()
        self._loaded.clear()


@contextmanager
def engines(shop: Workshop) -> Iterator[Engines]:
    loaded = Engines(shop)
    try:
        yield loaded
    finally:
        loaded.close()


class Reader:
    """Reads problems with a pair of models; everything is loaded on first need."""

    def __init__(
        self,
        reading: Reading,
        subject: ResolvedModel,
        base: ResolvedModel,
        temperature: float,
        policies: tuple[Policy, ...],
        load: Engines,
        curved: bool,
    ) -> None:
        self.reading, self.subject, self.base = reading, subject, base
        self.temperature, self.policies, self.load, self.curved = temperature, policies, load, curved
        wanted = reading.measurement
        self.samples = {c: reading.rows(c) for c in wanted.contexts if c != REFERENCE}
        self.tree_samples = reading.rows(wanted.reference)

    def problem(self, problem: Problem) -> list[Row]:
        """The rows of one problem."""
        from harness.measure.forward import Forced

        base, subject = self.load("reference", self.base), self.load("subject", self.subject)
        messages = tuple((m["role"], m["content"]) for m in self.reading.loaded.task.messages(problem))
        prompt = base.encode(Request(problem.id, (0,), messages))
        forced = Forced(base.model, prompt)
        other = forced if subject is base else Forced(subject.model, prompt)
        tree = PrefixTree(r["token_ids"] for r in self.tree_samples[problem.id])
        given = given_names(problem.prompt)
        rows = []
        for passage in self._passages(problem, base.tokenizer):
            visits, branches = tree.counts(passage.tokens)
            rows.append(
                {
                    "problem": passage.problem,
                    "context": passage.context,
                    "index": passage.index,
                    "token_ids": list(passage.tokens),
                    "classes": token_classes(passage.text, passage.spans, given),
                    "visits": visits,
                    "branches": branches,
                    **self._values(forced, other, passage.tokens),
                }
            )
        return rows

    def _passages(self, problem: Problem, tokenizer: Any) -> Iterator[Passage]:
        limit = self.reading.loaded.ref.max_new_tokens
        for context in self.reading.measurement.contexts:
            if context == REFERENCE:
                text = contexts.reference_answer(self.reading.loaded.task, problem)
                found = [] if text is None else [(0, text, _encode(tokenizer, text)[:limit])]
            else:
                rows = self.samples[context][problem.id][:CONTEXT_SAMPLES]
                found = [(r["index"], r["text"], r["token_ids"]) for r in rows]
            for index, text, tokens in found:
                spans = contexts.token_spans(tokenizer, tokens, text)
                yield Passage(problem.id, context, index, text, tuple(tokens), spans)

    def _values(self, forced: Forced, other: Forced, tokens: Sequence[int]) -> Row:
        import torch

        from harness.measure.positions import measure as look
        from harness.measure.positions import reference_view

        wanted = self.reading.measurement
        entropy: list[float] = []
        values: list[dict[str, list[float]]] = [{} for _ in self.policies]
        curve = [0.0] * len(GRID)
        theirs_then_mine = (
            ((start, x, x) for start, x in forced.logits(tokens))
            if other is forced
            else ((s, x, y) for (s, x), (_, y) in zip(forced.logits(tokens), other.logits(tokens), strict=True))
        )
        for start, theirs, mine in theirs_then_mine:
            view = reference_view(theirs, self.temperature, wanted.kept, wanted.predicted)
            entropy += [float(f"{x:.8g}") for x in view.entropy.tolist()]
            following = torch.tensor(list(tokens[start : start + len(mine)]), device=mine.device)
            for column, policy in zip(values, self.policies, strict=True):
                for name, numbers in look(mine, following, policy, view).lists().items():
                    column.setdefault(name, []).extend(numbers)
            if self.curved:
                curve = [a + b for a, b in zip(curve, entropy_curve(theirs), strict=True)]
        found: Row = {"reference_entropy": entropy, "values": values}
        return {**found, "curve": curve} if self.curved else found


def _encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a solution, ended as the model ends its own answers."""
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    return ids if tokenizer.eos_token_id is None else [*ids, tokenizer.eos_token_id]
