"""A run as jobs for other processes: which there are, what each needs, and how one is carried out.

A job is a step of the store, or a share of a grading step. It finds its inputs in the store by their keys, so that
what it needs is only an order; and because a finished step is never done again, a job may be repeated, on any machine,
when the one that had it dies.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Literal

from harness.ledger.store import Step
from harness.pipeline.generation import samples_step
from harness.pipeline.grading import CHUNK, grade_share, verdicts_step
from harness.pipeline.measure import measure
from harness.pipeline.plan import Cell, Plan, ancestors, answer_form, make_plan
from harness.pipeline.weights import corpus_of, weights
from harness.pipeline.workshop import NotInStore, Workshop
from harness.settings import RunConfig
from harness.spec import BaseModel, DistilledModel, Model, ScaledModel

PHASES = {
    "corpus": "train",
    "model": "train",
    "samples": "generate",
    "measure": "generate",
    "share": "grade",
    "verdicts": "grade",
}


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. ``needs`` are positions, in the list of jobs, of those that must be finished before."""

    kind: Literal["corpus", "model", "samples", "measure", "share", "verdicts"]
    subject: Model | Cell
    needs: tuple[int, ...] = ()
    share: int = 0
    shares: int = 1

    @property
    def phase(self) -> str:
        return PHASES[self.kind]

    @property
    def trains(self) -> bool:
        """Whether it changes weights (which may need other hardware than sampling)."""
        return self.kind == "model"


@dataclass(frozen=True, slots=True)
class Done:
    """What a job leaves: the steps it used or made, as ``NAME/KEY``, and the parts of a share."""

    steps: tuple[str, ...]
    parts: tuple[tuple[int, bytes], ...] = ()


def jobs(plan: Plan, samples_per_share: int) -> tuple[Job, ...]:
    """The jobs of the plan's phases, each after those it needs."""
    out: list[Job] = []
    phases = plan.config.phases

    def add(job: Job) -> tuple[int, ...]:
        if job.phase not in phases:
            return ()
        out.append(job)
        return (len(out) - 1,)

    made: dict[Model, tuple[int, ...]] = {}
    sampled: dict[object, tuple[int, ...]] = {}
    for model in dict.fromkeys(a for m in plan.models for a in ancestors(m)):
        needs = tuple(dict.fromkeys(n for a in ancestors(model)[:-1] for n in made[a]))
        if isinstance(model, BaseModel):
            made[model] = ()
            continue
        if isinstance(model, DistilledModel | ScaledModel):
            # Recipes that differ in filters alone share their samples.
            recipe = replace(model.corpus, filters=(), transforms=())
            request = (recipe, model.parent, model.seed, model.round)
            if request not in sampled:
                sampled[request] = add(Job("corpus", model, needs))
            needs += sampled[request]
        made[model] = add(Job("model", model, needs))
    cells: dict[object, tuple[int, ...]] = {}
    for cell in plan.cells:
        wanted = (cell.model, cell.policy, cell.task, cell.seed)
        if wanted not in cells:
            cells[wanted] = add(Job("samples", cell, made[cell.model]))
            loaded = plan.task(cell.task)
            count = len(loaded.problems) * loaded.ref.samples_per_problem
            shares = ceil(ceil(count / CHUNK) / max(1, samples_per_share // CHUNK))
            ready = cells[wanted]
            if shares > 1:
                ready += tuple(n for i in range(shares) for n in add(Job("share", cell, cells[wanted], i, shares)))
            add(Job("verdicts", cell, ready))
    if plan.measurement is not None:
        for task, seed in dict.fromkeys((c.task, c.seed) for c in plan.cells):
            read = _together(plan, task, seed)
            inputs = dict.fromkeys(n for c in read for n in cells[c.model, c.policy, c.task, c.seed])
            add(Job("measure", read[0], tuple(inputs)))
    return tuple(out)


def _together(plan: Plan, task: str, seed: int) -> list[Cell]:
    """The cells that are measured together: every arm on one task with one seed."""
    return [c for c in plan.cells if (c.task, c.seed) == (task, seed)]


def unfinished(found: Sequence[Job], plan: Plan, runs: Path) -> tuple[tuple[Job, ...], Done]:
    """The jobs whose step is not in the store, with their needs renumbered, and what is there of the others."""
    shop = Workshop(plan.config, runs, phases=())
    numbers: dict[int, int] = {}
    out: list[Job] = []
    for number, job in enumerate(found):
        if not _finished(replace(job, kind="verdicts") if job.kind == "share" else job, plan, shop):
            numbers[number] = len(out)
            out.append(replace(job, needs=tuple(numbers[n] for n in job.needs if n in numbers)))
    return tuple(out), Done(tuple(name for name, step in shop.store.asked.items() if step.done))


def _finished(job: Job, plan: Plan, shop: Workshop) -> bool:
    try:
        _carry_out(job, plan, shop, {})
    except NotInStore:
        return False
    return True


def execute(job: Job, config: RunConfig, runs: Path, parts: Mapping[int, bytes] | None = None) -> Done:
    """Carry out one job in this process, with the store below ``runs``.

    Raises:
        NotInStore: if an input is not there.
    """
    if config.engine.threads:
        # For what reads it at import; torch itself is told once it is there.
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(config.engine.threads)
    with Workshop(config, runs, phases=(job.phase,)) as shop:
        made = _carry_out(job, make_plan(config), shop, parts or {})
        steps = tuple(name for name, step in shop.store.asked.items() if step.done)
    return Done(steps, made if isinstance(made, tuple) else ())


def _carry_out(
    job: Job, plan: Plan, shop: Workshop, parts: Mapping[int, bytes]
) -> Step | tuple[tuple[int, bytes], ...] | None:
    subject = job.subject
    if not isinstance(subject, Cell):
        if job.kind == "corpus" and isinstance(subject, DistilledModel | ScaledModel):
            return corpus_of(shop, subject)
        weights(shop, subject)
        return None
    if job.kind == "measure":
        read = _together(plan, subject.task, subject.seed)
        measure(shop, plan, [(cell, _samples(shop, plan, cell)) for cell in read])
        return None
    loaded, samples = plan.task(subject.task), _samples(shop, plan, subject)
    form = answer_form(plan.config, subject.model)
    if job.kind == "share":
        return tuple(grade_share(shop, loaded, samples, job.share, job.shares, form).items())
    if job.kind == "verdicts":
        return verdicts_step(shop, loaded, samples, form, parts)
    return samples


def _samples(shop: Workshop, plan: Plan, cell: Cell) -> Step:
    return samples_step(shop, plan.task(cell.task), weights(shop, cell.model), cell.policy, cell.seed)


def at_width(config: RunConfig, cpus: int, grade_cpus: int) -> RunConfig:
    """The configuration of a job that was given so many cores: threads and sandbox workers, unless they were chosen."""
    return replace(
        config,
        engine=replace(config.engine, threads=config.engine.threads or cpus),
        sandbox=replace(config.sandbox, workers=config.sandbox.workers or grade_cpus),
    )
