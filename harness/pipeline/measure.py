"""The measuring step: models read the same answers, and samples are counted, for ablations that ask for it.

Every arm's model and the reference arm's model read the same token sequences: the first samples of the arms named as
contexts, and the benchmark's solutions. At most these two models are loaded at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.canonical import digest
from harness.errors import BadInput
from harness.ledger.store import Step, StepRequest, dump_lines, load_lines
from harness.measure.groups import summed, text_row
from harness.measure.matching import GRID, matching_temperature
from harness.measure.texts import text_measures
from harness.pipeline.generation import engine_key
from harness.pipeline.plan import Cell, LoadedTask, Plan
from harness.pipeline.reading import CONTEXT_SAMPLES, Engines, Reader, Reading, engines
from harness.pipeline.weights import weights
from harness.pipeline.workshop import Workshop, chunks, in_parts
from harness.spec import Model, Policy
from harness.tasks.base import Problem

MEASURE_VERSION = 1
PART = 4
"""Problems of a stored part."""

OUTPUT = "positions.jsonl.zst"

Row = dict[str, Any]
Sampled = Sequence[tuple[Cell, Step]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: the rows of ``measures.parquet``, and the temperatures found for matched arms."""

    rows: list[Row]
    fitted: list[Row]


def measure(shop: Workshop, plan: Plan, sampled: Sampled) -> Measured:
    """Everything that the plan asks to be measured; nothing for an ablation that measures nothing.

    Raises:
        BadInput: for greedy arms, or models with different tokenizers.
    """
    wanted = plan.measurement
    out = Measured([], [])
    if wanted is None:
        return out
    for task, seed in dict.fromkeys((c.task, c.seed) for c, _ in sampled):
        here = [(c, s) for c, s in sampled if (c.task, c.seed) == (task, seed)]
        reading = Reading(plan.task(task), {c.arm: s for c, s in here}, wanted)
        _forced_rows(shop, reading, {c.arm: c for c, _ in here}, seed, out)
        out.rows.extend(_text_rows(reading, task, seed))
    return out


def _forced_rows(shop: Workshop, reading: Reading, cells: dict[str, Cell], seed: int, out: Measured) -> None:
    wanted, task = reading.measurement, reading.loaded.ref.name
    reference = cells[wanted.reference]
    by_model: dict[Model, list[str]] = {}
    for arm in wanted.arms:
        by_model.setdefault(cells[arm].model, []).append(arm)
    if wanted.matched:
        by_model.setdefault(reference.model, [wanted.reference])
    entropies: dict[str, float] = {}
    curve: list[float] = []
    with engines(shop) as load:
        for model, arms in by_model.items():
            policies = tuple(dict.fromkeys(cells[a].policy for a in arms))
            curved = bool(wanted.matched) and model == reference.model
            sequences = read_output(measure_step(shop, reading, model, reference, policies, load, curved))
            if curved:
                curve = _mean_curve(sequences)
            for arm in (a for a in arms if a in wanted.arms):
                which = policies.index(cells[arm].policy)
                where = {"arm": arm, "seed": seed, "task": task}
                out.rows.extend(summed(sequences, which, where, wanted.branch_thresholds))
                entropies[arm] = _mean_entropy(sequences, which)
        for name, arm in wanted.matched:
            temperature = float(f"{matching_temperature(curve, entropies[arm]):.6g}")
            policy = Policy.single(temperature)
            sequences = read_output(measure_step(shop, reading, reference.model, reference, (policy,), load))
            where = {"arm": name, "seed": seed, "task": task}
            out.rows.extend(summed(sequences, 0, where, wanted.branch_thresholds))
            found = {"temperature": temperature, "entropy": _mean_entropy(sequences, 0), "wanted": entropies[arm]}
            out.fitted.append({**where, "matches": arm, **found})


def _mean_entropy(sequences: Sequence[Row], which: int) -> float:
    """Over every position of every answer read, in nats."""
    values: list[float] = [x for s in sequences for x in s["values"][which]["entropy"]]
    return sum(values) / len(values)


def _mean_curve(sequences: Sequence[Row]) -> list[float]:
    positions = sum(len(s["token_ids"]) for s in sequences)
    return [sum(s["curve"][i] for s in sequences) / positions for i in range(len(GRID))]


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


def measure_step(
    shop: Workshop,
    reading: Reading,
    model: Model,
    reference: Cell,
    policies: tuple[Policy, ...],
    load: Engines,
    curved: bool = False,
) -> Step:
    """Read every answer with one model and the reference. Output :data:`OUTPUT`: a row an answer, with lists as long.

    A row has ``problem``, ``context``, ``index``, ``token_ids``, ``classes``, ``visits`` and ``branches`` of the prefix
    tree, ``reference_entropy``, and ``values``: for each policy its quantities. ``curved`` adds ``curve``: the
    reference's entropy at each temperature of :data:`harness.measure.matching.GRID`, summed over the answer.
    """
    from harness.measure.positions import temperature_of

    wanted = reading.measurement
    subject, base = weights(shop, model), weights(shop, reference.model)
    if subject.tokenizer_digest != base.tokenizer_digest:
        raise BadInput("teacher-forced measures need models with one tokenizer; these have different ones")
    temperature = temperature_of(reference.policy, reference.arm)
    for policy in policies:
        temperature_of(policy, "a measured arm")
    settings: Row = {
        "policies": policies,
        "reference": temperature,
        "kept": wanted.kept,
        "predicted": wanted.predicted,
        "contexts": wanted.contexts,
        "samples": CONTEXT_SAMPLES,
        "max_new_tokens": reading.loaded.ref.max_new_tokens,
        "engine": {k: v for k, v in engine_key(shop.config.engine).items() if k != "max_batch_rows"},
    }
    if curved:
        settings["curve"] = GRID
    models = {"model": subject.digest, "reference": base.digest}
    prompts = digest([[p.id, reading.loaded.task.messages(p)] for p in reading.loaded.problems])
    inputs = {**models, "prompts": prompts, **reading.inputs()}
    step = shop.store.step(StepRequest("measure", MEASURE_VERSION, settings, inputs))
    with shop.making(step) as still:
        if not still:
            return step
        reader = Reader(reading, subject, base, temperature, policies, load, curved)

        def read(part: Sequence[int]) -> list[Row]:
            return [r for i in part for r in reader.problem(reading.loaded.problems[i])]

        rows = in_parts(step, chunks(len(reading.loaded.problems), PART), read, "problems")
        facts = {"answers": len(rows), "positions": sum(len(r["token_ids"]) for r in rows)}
        step.finish({OUTPUT: _packed(rows)}, facts)
    return step


def _packed(rows: list[Row]) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=10).compress(dump_lines(rows))


def read_output(step: Step) -> list[Row]:
    """The rows of a finished measuring step."""
    import zstandard

    data = zstandard.ZstdDecompressor().decompress(step.read(OUTPUT), max_output_size=2**33)
    return load_lines(data)
