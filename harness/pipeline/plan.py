"""What a run will do, worked out before anything is executed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import ablations
from harness.ablation import Ablation, Context
from harness.errors import BadInput
from harness.generate.engines import check_arms
from harness.settings import ModelConfig, RunConfig
from harness.spec import (
    Arm,
    BaseModel,
    Contrast,
    CorpusRecipe,
    Derived,
    DistilledModel,
    InterpolatedModel,
    Measurement,
    Model,
    Policy,
    ScaledModel,
    Selection,
    TaskRef,
)
from harness.tasks.base import Problem, Task
from harness.tasks.registry import load_task, outline_task
from harness.tasks.selection import select
from harness.train.pools import declared_size, load_pool


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A task with the problems this run takes of it."""

    ref: TaskRef
    task: Task
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm on one task with one seed: the unit that is generated and graded."""

    arm: str
    seed: int
    task: str
    model: Model
    policy: Policy


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole design of a run."""

    config: RunConfig
    ablation: Ablation
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]
    tasks: tuple[LoadedTask, ...]
    cells: tuple[Cell, ...]
    derived: tuple[Derived, ...] = ()
    measurement: Measurement | None = None

    def task(self, name: str) -> LoadedTask:
        return next(t for t in self.tasks if t.ref.name == name)

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model to be evaluated, parents before children, each once."""
        return tuple(dict.fromkeys(c.model for c in self.cells))


def make_plan(config: RunConfig, outline: bool = False) -> Plan:
    """Expand an ablation into cells, ordered so that arms of one model stand together.

    ``outline`` is for looking at a design: sets of problems that would have to be fetched are only counted.

    Raises:
        BadInput: for settings that make no design (a temperature below zero, an arm of unknown name in a contrast).
    """
    ablation = ablations.load(config.ablation)
    given = context(config)
    arms = ablation.arms(config.settings, given)
    contrasts = ablation.contrasts(config.settings)
    derived = ablation.derived(config.settings)
    measurement = ablation.measurement(config.settings, given)
    _check(arms, contrasts, derived, measurement)
    check_arms(config.engine, arms, measured=measurement is not None)
    _check_heldout(derived, [ref.name for ref in config.tasks])
    tasks = tuple(_load(ref, outline) for ref in config.tasks)
    seeds = config.scale.seeds or (config.seed,)
    cells = [
        Cell(arm.name, config.seed + seed, t.ref.name, seeded(arm.model, config.seed + seed), arm.policy)
        for arm in arms
        for seed in seeds
        for t in tasks
    ]
    order = {model: i for i, model in enumerate(dict.fromkeys(c.model for c in cells))}
    cells.sort(key=lambda c: order[c.model])
    plan = Plan(config, ablation, arms, contrasts, tasks, tuple(cells), derived, measurement)
    if not outline and not given.corpus.pool_digest and sampled(plan.models):
        load_pool(given.corpus.pool)  # says that it is not here, and how to have it
    return plan


def context(config: RunConfig) -> Context:
    """The base model and SSD's recipes at the run's scale.

    Of a pool that does not come with the program the published size is taken: designs without training need no more.
    """
    name = config.scale.pool
    size, pool_digest = declared_size(name), ""
    if size is None:
        pool = load_pool(name)
        size, pool_digest = len(pool.prompts), pool.digest
    n_prompts = config.scale.train_prompts or size
    if n_prompts > size:
        raise BadInput(f"scale.train_prompts={n_prompts}: the pool {name} has {size} prompts")
    corpus = CorpusRecipe(
        pool=name,
        pool_digest=pool_digest,
        n_prompts=n_prompts,
        policy=config.model.decoding.train,
        max_new_tokens=config.scale.train_max_new_tokens,
    )
    base, treatment = _published(config.model), config.treatment
    return Context(
        base,
        config.model.decoding,
        corpus,
        config.train,
        None if treatment is None else _published(treatment),
        None if treatment is None else treatment.decoding,
    )


def _published(model: ModelConfig) -> BaseModel:
    return BaseModel(model.source, model.revision, model.template)


def answer_form(config: RunConfig, model: Model) -> str:
    """How a model marks its answer: as the checkpoint it is, or was made from, does."""
    first = ancestors(model)[0]
    assert isinstance(first, BaseModel)
    for named in (config.model, config.treatment):
        if named is not None and (named.source, named.revision) == (first.source, first.revision):
            return named.answer
    return config.model.answer


def seeded(model: Model, seed: int) -> Model:
    """The model with its seed, and those of the distilled models it is made from, set."""
    if isinstance(model, BaseModel):
        return model
    if isinstance(model, InterpolatedModel):
        return replace(model, first=seeded(model.first, seed), second=seeded(model.second, seed))
    if isinstance(model, ScaledModel):
        return replace(model, parent=seeded(model.parent, seed), seed=seed)
    start = None if model.start is None else seeded(model.start, seed)
    return replace(model, parent=seeded(model.parent, seed), start=start, seed=seed)


def ancestors(model: Model) -> list[Model]:
    """The model and everything it is made from, makers before what they make, each once."""
    made_from: tuple[Model, ...] = ()
    if isinstance(model, DistilledModel):
        made_from = (model.parent,) if model.start is None else (model.parent, model.start)
    elif isinstance(model, InterpolatedModel):
        made_from = (model.first, model.second)
    elif isinstance(model, ScaledModel):
        made_from = (model.parent,)
    return list(dict.fromkeys([*(a for m in made_from for a in ancestors(m)), model]))


def distilled(models: Iterable[Model]) -> list[DistilledModel]:
    """Every distilled model among these and their ancestors, makers first, each once."""
    found = dict.fromkeys(a for m in models for a in ancestors(m))
    return [m for m in found if isinstance(m, DistilledModel)]


def sampled(models: Iterable[Model]) -> list[DistilledModel | ScaledModel]:
    """Every model among these and their ancestors that is made from a sampled corpus, makers first, each once."""
    found = dict.fromkeys(a for m in models for a in ancestors(m))
    return [m for m in found if isinstance(m, DistilledModel | ScaledModel)]


def _load(ref: TaskRef, outline: bool) -> LoadedTask:
    load = outline_task if outline else load_task
    task = load(ref.name, path=ref.path, options=ref.options, profile=ref.profile)
    return LoadedTask(ref, task, tuple(select(task.problems(), ref.limit)))


def _check(
    arms: Sequence[Arm], contrasts: Sequence[Contrast], derived: Sequence[Derived], measurement: Measurement | None
) -> None:
    """Whether the parts of a design fit together; what does not is a mistake in the ablation's file."""
    matched = measurement.matched if measurement is not None else ()
    names = [*(a.name for a in arms), *(d.name for d in derived), *(name for name, _ in matched)]
    if len(set(names)) != len(names):
        raise ValueError("two arms have one name")
    _check_known("contrasts", {n for c in contrasts for n in (c.treatment, c.control)}, set(names))
    sampled = {a.name for a in arms}
    for made in derived:
        parts = made.candidates if isinstance(made, Selection) else [name for name, _ in made.weights]
        _check_known(made.name, set(parts), sampled)
    if measurement is not None:
        named = {*measurement.arms, measurement.reference, *measurement.contexts} - {"reference"}
        _check_known("the measurement", {arm for _, arm in matched}, set(measurement.arms))
        _check_known("the measurement", named, sampled)


def _check_known(what: str, named: set[str], known: set[str]) -> None:
    if unknown := named - known:
        raise ValueError(f"{what}: no arm is called {', '.join(sorted(unknown))}")


def _check_heldout(derived: Sequence[Derived], tasks: Sequence[str]) -> None:
    """A held-out task must be among the run's tasks, with another one to score on."""
    for name in {d.heldout for d in derived if isinstance(d, Selection) and d.by == "heldout"}:
        if name not in tasks or len(tasks) < 2:
            other = next((t for t in tasks if t != name), "starter")
            raise BadInput(
                f"task=[{','.join(tasks)}]: settings are chosen on {name} and scored on another task; "
                f"say task=[{name},{other}], or another task to choose on with ablation.heldout=TASK"
            )
