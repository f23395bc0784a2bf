"""A whole run: every cell sampled, every sample graded, one record."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.canonical import to_plain
from harness.errors import BadInput
from harness.ledger.handover import Handover, write_handover
from harness.ledger.identity import run_id
from harness.ledger.provenance import code_state, environment
from harness.ledger.record import Record, Row, load_record, write_record
from harness.ledger.store import Step, load_lines
from harness.measure.groups import to_parquet
from harness.pipeline.generation import drop_reasons, samples_step
from harness.pipeline.grading import tests_digest, verdicts_step
from harness.pipeline.manifest import grader, other_machines, prompt_digests, totals
from harness.pipeline.measure import measure
from harness.pipeline.plan import Cell, Plan, answer_form, make_plan, sampled
from harness.pipeline.weights import corpus_of, scale_step, train_step, weights
from harness.pipeline.workshop import NotInStore, Workshop
from harness.progress import say
from harness.settings import RunConfig
from harness.spec import DistilledModel, InterpolatedModel, Model, ScaledModel
from harness.tasks.selection import id_list_digest
from harness.train.decontaminate import overlap_report
from harness.train.pools import load_pool


@dataclass(frozen=True, slots=True)
class Graded:
    """A cell with its finished steps."""

    cell: Cell
    samples: Step
    verdicts: Step


class Launcher(Protocol):
    """Who carries the steps out, where it is not this process."""

    def carry_out(self, plan: Plan, runs: Path) -> None:
        """Bring every step of the plan's phases into the store below ``runs``."""


def run(config: RunConfig, runs: Path, launcher: Launcher | None = None) -> Record:
    """Carry out a run, or what of it is not in the store yet, and write its record under ``runs``.

    Raises:
        BadInput: if the run begins at a later phase and something from before it is not in the store.
    """
    started = time.time()
    plan = make_plan(config)
    overlap = contamination(plan)
    _warn(config, overlap)
    with _finished(plan, runs, launcher) as shop:
        generated = _generate(shop, plan)
        measured = measure(shop, plan, generated)
        graded = [
            Graded(c, s, verdicts_step(shop, plan.task(c.task), s, answer_form(config, c.model))) for c, s in generated
        ]
        head = _head(shop, plan, graded, overlap)
        folder = runs / f"{config.ablation}-{head['run_id'][:12]}"
        if (folder / "record.json").exists():
            return load_record(folder)
        if measured.fitted:
            head["fitted"] = measured.fitted
        head["environment"] = environment()
        if others := other_machines(shop.store, head["environment"]):
            head["environment"]["nodes"] = others
        head["started"], head["finished"] = round(started), round(time.time())
        verdicts, samples = _rows(plan, graded)
        measures = to_parquet(measured.rows) if measured.rows else b""
        return write_record(folder, head, verdicts, samples, _corpora(shop, plan), measures)


def prepare(config: RunConfig, runs: Path, launcher: Launcher | None = None) -> Handover:
    """Carry out a run that ends before grading (``until=``), and write down what another machine needs to go on."""
    plan = make_plan(config)
    _warn(config, contamination(plan))
    with _finished(plan, runs, launcher) as shop:
        if "generate" in config.phases:
            measure(shop, plan, _generate(shop, plan))
        else:
            _make_models(shop, plan)
        return write_handover(config.ablation, to_plain(config.recorded()), runs, shop.store)


def _finished(plan: Plan, runs: Path, launcher: Launcher | None) -> Workshop:
    """The workshop in which a run is put together: after a launcher's work, nothing is left to be made in it."""
    if launcher is None:
        return Workshop(plan.config, runs)
    launcher.carry_out(plan, runs)
    return Workshop(plan.config, runs, phases=())


def _warn(config: RunConfig, overlap: dict[str, Any]) -> None:
    if config.scale.evidence and code_state()["dirty"] is not False:
        say("warning: uncommitted changes, or no git: this run can only be published as exploratory")
    if overlap["overlapping"]:
        say(f"warning: {overlap['overlapping']} training prompts share a 13-gram with an evaluation problem")


def contamination(plan: Plan) -> dict[str, Any]:
    """13-gram overlap of the training pools with every evaluation problem of the run's tasks."""
    pools = dict.fromkeys(m.corpus.pool for m in sampled(plan.models))
    training = {p.id: p.instruction for name in pools for p in load_pool(name).prompts}
    evaluation = {f"{t.ref.name}:{p.id}": p.prompt for t in plan.tasks for p in t.task.problems()}
    return overlap_report(training, evaluation).summary()


def _generate(shop: Workshop, plan: Plan) -> list[tuple[Cell, Step]]:
    """Samples of every cell.

    Raises:
        BadInput: naming every cell that lacks something which may not be made here.
    """
    out = []
    missing: dict[str, list[str]] = {}
    for cell in plan.cells:
        try:
            model = weights(shop, cell.model)
            out.append((cell, samples_step(shop, plan.task(cell.task), model, cell.policy, cell.seed)))
        except NotInStore as lack:
            missing.setdefault(lack.step, []).append(f"{cell.arm} (task {cell.task}, seed {cell.seed})")
    if missing:
        raise _not_here(shop, plan.config, missing)
    return out


def _make_models(shop: Workshop, plan: Plan) -> None:
    for model in plan.models:
        weights(shop, model)


def _not_here(shop: Workshop, config: RunConfig, missing: dict[str, list[str]]) -> BadInput:
    said = "; ".join(f"{step.split('/')[0]} for {', '.join(cells)}: {step}" for step, cells in missing.items())
    if not shop.phases:
        return BadInput(
            f"launcher={config.launcher}: not in {shop.store.root} after its work: {said} (is one version "
            "of this package installed on all nodes?)"
        )
    return BadInput(
        f"from={config.phases[0]}: not in {shop.store.root}: {said} "
        "(`harness fetch` brings what another machine made with the same settings)"
    )


def _head(shop: Workshop, plan: Plan, graded: list[Graded], overlap: dict[str, Any]) -> dict[str, Any]:
    """``record.json`` but for the machine, the time and the digests of the record's files."""
    config = to_plain(plan.config.recorded())
    tasks = [
        {
            "name": t.ref.name,
            "version": t.task.version,
            "problems": len(t.problems),
            "samples_per_problem": t.ref.samples_per_problem,
            "id_list": id_list_digest([p.id for p in t.problems]),
            "tests": tests_digest(t),
            "prompts": prompt_digests(t),
            "grader": grader(t),
            **({"dates": dates} if (dates := {p.id: p.date for p in t.problems if p.date}) else {}),
        }
        for t in plan.tasks
    ]
    cells = [
        {
            "arm": g.cell.arm,
            "seed": g.cell.seed,
            "task": g.cell.task,
            "model": plan.models.index(g.cell.model),
            "samples": {"key": g.samples.key, "digest": g.samples.output_digest("samples.jsonl")},
            "verdicts": {"key": g.verdicts.key, "digest": g.verdicts.output_digest("verdicts.jsonl")},
            "executor": g.verdicts.facts()["executor"],
            "engine": g.samples.facts()["engine"],
            "tokens": g.samples.facts()["new_tokens"],
            **(
                {"answer": form} if (form := answer_form(plan.config, g.cell.model)) != plan.config.model.answer else {}
            ),
        }
        for g in graded
    ]
    models = [_model_row(shop, m) for m in plan.models]
    head = {
        "ablation": plan.ablation.name,
        "question": plan.ablation.question,
        "rule": plan.ablation.rule,
        "code": code_state(),
        "config": config,
        "evidence": plan.config.scale.evidence,
        "arms": [{"name": a.name, "note": a.note, "policy": to_plain(a.policy)} for a in plan.arms],
        "contrasts": [c.row() for c in plan.contrasts],
        **({"derived": [to_plain(d) for d in plan.derived]} if plan.derived else {}),
        **({"measurement": to_plain(plan.measurement)} if plan.measurement else {}),
        "tasks": tasks,
        "models": models,
        "contamination": overlap,
        "cells": cells,
        "seeds": sorted({c["seed"] for c in cells}),
        "tokens": totals(cells, models),
    }
    return {"run_id": run_id(head), **head}


def _model_row(shop: Workshop, model: Model) -> dict[str, Any]:
    resolved = weights(shop, model)
    row: dict[str, Any] = {
        "weights": resolved.weight_digest,
        "tokenizer": resolved.tokenizer_digest,
        "chat_template": resolved.chat_template_digest,
    }
    if isinstance(model, DistilledModel):
        facts = train_step(shop, model).facts()
        return {
            "kind": "distilled",
            "seed": model.seed,
            "round": model.round,
            "parent": weights(shop, model.parent).weight_digest,
            "corpus": corpus_of(shop, model).output_digest("corpus.jsonl"),
            "train": {k: v for k, v in facts.items() if k != "weight_digest"},
            **row,
        }
    if isinstance(model, ScaledModel):
        parent = weights(shop, model.parent)
        facts = scale_step(shop, model, parent).facts()
        return {
            "kind": "scaled",
            "seed": model.seed,
            "round": model.round,
            "parent": parent.weight_digest,
            "corpus": corpus_of(shop, model).output_digest("corpus.jsonl"),
            "fit": {k: v for k, v in facts.items() if k != "weight_digest"},
            **row,
        }
    if isinstance(model, InterpolatedModel):
        mixed = {"first": model.first, "second": model.second}
        made_from = {name: weights(shop, m).weight_digest for name, m in mixed.items()}
        return {"kind": "interpolated", "weight": model.weight, **made_from, **row}
    return {"kind": "base", "source": model.source, "revision": model.revision or resolved.revision, **row}


def _rows(plan: Plan, graded: list[Graded]) -> tuple[list[Row], list[Row]]:
    """Verdict and sample rows of a record, in the order of the plan."""
    verdicts: list[Row] = []
    samples: list[Row] = []
    for g in graded:
        where = {"arm": g.cell.arm, "seed": g.cell.seed, "task": g.cell.task}
        strata = {p.id: p.stratum for p in plan.task(g.cell.task).problems}
        pairs = zip(
            load_lines(g.samples.read("samples.jsonl")), load_lines(g.verdicts.read("verdicts.jsonl")), strict=True
        )
        for sample, verdict in pairs:
            shared = {k: sample[k] for k in ("tokens", "finish")}
            verdicts.append({**where, "stratum": strata[sample["problem"]], **verdict, **shared})
            samples.append({**where, **{k: sample[k] for k in ("problem", "index", "text")}, **shared})
    return verdicts, samples


def _corpora(shop: Workshop, plan: Plan) -> list[Row]:
    """Every corpus once for each set of filters: models that differ in something else were made from the same rows."""
    rows: list[Row] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for model in sampled(plan.models):
        corpus, filters = corpus_of(shop, model), model.corpus.filters
        if (corpus.key, filters) in seen:
            continue
        seen.add((corpus.key, filters))
        where = {"seed": model.seed, "round": model.round, "corpus": corpus.key, "filters": filters}
        fields = ("problem", "index", "prompt", "text", "finish", "tokens")
        found = load_lines(corpus.read("corpus.jsonl"))
        for row, reason in zip(found, drop_reasons(found, model.corpus), strict=True):
            rows.append({**where, **{k: row[k] for k in fields}, "dropped": reason})
    return rows
