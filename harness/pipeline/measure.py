"""The measuring step: models read the same answers, and samples are counted, for ablations that ask for it.

Every arm's model and the reference arm's model read the same token sequences: the first samples of the arms named as
contexts, and the benchmark's solutions. At most these two models are loaded at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.canonical import digest
from harness.errors import BadInput
from harness.generate.api import Request
from harness.ledger.store import Step, StepRequest, dump_lines, load_lines
from harness.measure import contexts
from harness.measure.branching import PrefixTree
from harness.measure.classes import given_names, token_classes
from harness.measure.contexts import REFERENCE, Passage
from harness.measure.groups import summed, text_row
from harness.measure.texts import text_measures
from harness.models import ResolvedModel
from harness.pipeline.generation import engine_key
from harness.pipeline.plan import Cell, LoadedTask, Plan
from harness.pipeline.weights import weights
from harness.pipeline.workshop import Workshop, chunks
from harness.progress import track
from harness.spec import Measurement, Model, Policy
from harness.tasks.base import Problem

if TYPE_CHECKING:
    from harness.generate.engine import TransformersEngine

MEASURE_VERSION = 1
CONTEXT_SAMPLES = 2
"""Samples of a problem that each context gives, the first ones."""

PART = 4
"""Problems of a stored part."""

OUTPUT = "positions.jsonl.zst"

Row = dict[str, Any]
Sampled = Sequence[tuple[Cell, Step]]


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


def measure(shop: Workshop, plan: Plan, sampled: Sampled) -> list[Row]:
    """The rows of ``measures.parquet``; empty for an ablation that measures nothing.

    Raises:
        BadInput: for greedy arms, or models with different tokenizers.
    """
    wanted = plan.measurement
    if wanted is None:
        return []
    rows: list[Row] = []
    for task, seed in dict.fromkeys((c.task, c.seed) for c, _ in sampled):
        here = [(c, s) for c, s in sampled if (c.task, c.seed) == (task, seed)]
        reading = Reading(plan.task(task), {c.arm: s for c, s in here}, wanted)
        rows += _forced_rows(shop, reading, {c.arm: c for c, _ in here}, seed)
        rows += _text_rows(reading, task, seed)
    return rows


def _forced_rows(shop: Workshop, reading: Reading, cells: dict[str, Cell], seed: int) -> list[Row]:
    wanted, task = reading.measurement, reading.loaded.ref.name
    by_model: dict[Model, list[str]] = {}
    for arm in wanted.arms:
        by_model.setdefault(cells[arm].model, []).append(arm)
    rows: list[Row] = []
    with _engines(shop) as load:
        for model, arms in by_model.items():
            policies = tuple(dict.fromkeys(cells[a].policy for a in arms))
            step = measure_step(shop, reading, model, cells[wanted.reference], policies, load)
            sequences = read_output(step)
            for arm in arms:
                where = {"arm": arm, "seed": seed, "task": task}
                rows += summed(sequences, policies.index(cells[arm].policy), where, wanted.branch_thresholds)
    return rows


def _text_rows(reading: Reading, task: str, seed: int) -> list[Row]:
    problems = {p.id: p for p in reading.loaded.problems}
    rows: list[Row] = []
    for arm in reading.measurement.arms:
        for name, samples in reading.rows(arm).items():
            where = {"arm": arm, "seed": seed, "task": task}
            values = sample_measures(reading.loaded, problems[name], samples)
            rows.append(text_row(where, name, len(samples), values))
    return rows


def sample_measures(loaded: LoadedTask, problem: Problem, samples: Sequence[Row]) -> dict[str, float | None]:
    """The text-level measures of one problem's samples (rows with ``text`` and ``tokens``)."""
    programs = [loaded.task.program(problem, s["text"], "response").source for s in samples]
    return text_measures([s["text"] for s in samples], programs, [s["tokens"] for s in samples])


class _Engines:
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
def _engines(shop: Workshop) -> Iterator[_Engines]:
    engines = _Engines(shop)
    try:
        yield engines
    finally:
        engines.close()


def measure_step(
    shop: Workshop,
    reading: Reading,
    model: Model,
    reference: Cell,
    policies: tuple[Policy, ...],
    load: _Engines,
) -> Step:
    """Read every answer with one model and the reference. Output :data:`OUTPUT`: a row an answer, with lists as long.

    A row has ``problem``, ``context``, ``index``, ``token_ids``, ``classes``, ``visits`` and ``branches`` of the prefix
    tree, ``reference_entropy``, and ``values``: for each policy its quantities.
    """
    from harness.measure.positions import temperature_of

    wanted = reading.measurement
    subject, base = weights(shop, model), weights(shop, reference.model)
    if subject.tokenizer_digest != base.tokenizer_digest:
        raise BadInput("teacher-forced measures need models with one tokenizer; these have different ones")
    temperature = temperature_of(reference.policy, reference.arm)
    for policy in policies:
        temperature_of(policy, "a measured arm")
    settings = {
        "policies": policies,
        "reference": temperature,
        "kept": wanted.kept,
        "predicted": wanted.predicted,
        "contexts": wanted.contexts,
        "samples": CONTEXT_SAMPLES,
        "max_new_tokens": reading.loaded.ref.max_new_tokens,
        "engine": {k: v for k, v in engine_key(shop.config.engine).items() if k != "max_batch_rows"},
    }
    models = {"model": subject.digest, "reference": base.digest}
    prompts = digest([[p.id, reading.loaded.task.messages(p)] for p in reading.loaded.problems])
    inputs = {**models, "prompts": prompts, **reading.inputs()}
    step = shop.store.step(StepRequest("measure", MEASURE_VERSION, settings, inputs))
    if step.done:
        return step
    shop.may_make(step)
    with step.lock():
        if step.done:
            return step
        reader = _Reader(reading, subject, base, temperature, policies, load)
        parts = chunks(len(reading.loaded.problems), PART)
        stored = [step.part(i) for i in range(len(parts))]
        ready = sum(len(p) for p, s in zip(parts, stored, strict=True) if s is not None)
        rows: list[Row] = []
        with track(f"measure {step.key[:8]}", len(reading.loaded.problems), "problems", ready) as advance:
            for index, part in enumerate(parts):
                data = stored[index]
                if data is None:
                    data = dump_lines([r for i in part for r in reader.problem(reading.loaded.problems[i])])
                    step.write_part(index, data)
                    advance(len(part))
                rows += load_lines(data)
        facts = {"answers": len(rows), "positions": sum(len(r["token_ids"]) for r in rows)}
        step.finish({OUTPUT: _packed(rows)}, facts)
    return step


class _Reader:
    """Reads problems with a pair of models; everything is loaded on first need."""

    def __init__(
        self,
        reading: Reading,
        subject: ResolvedModel,
        base: ResolvedModel,
        temperature: float,
        policies: tuple[Policy, ...],
        load: _Engines,
    ) -> None:
        self.reading, self.subject, self.base = reading, subject, base
        self.temperature, self.policies, self.load = temperature, policies, load
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

    def _values(self, forced: Any, other: Any, tokens: Sequence[int]) -> Row:
        import torch

        from harness.measure.positions import measure as look
        from harness.measure.positions import reference_view

        wanted = self.reading.measurement
        entropy: list[float] = []
        values: list[dict[str, list[float]]] = [{} for _ in self.policies]
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
        return {"reference_entropy": entropy, "values": values}


def _encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a solution, ended as the model ends its own answers."""
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    return ids if tokenizer.eos_token_id is None else [*ids, tokenizer.eos_token_id]


def _packed(rows: list[Row]) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=10).compress(dump_lines(rows))


def read_output(step: Step) -> list[Row]:
    """The rows of a finished measuring step."""
    import zstandard

    data = zstandard.ZstdDecompressor().decompress(step.read(OUTPUT), max_output_size=2**33)
    return load_lines(data)
