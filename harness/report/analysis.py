"""From a record's counts to arm summaries, contrasts and a decision. Derived every time, stored nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ablations
from harness.ablation import ContrastView, Decision, Findings
from harness.ledger.record import Record, Row
from harness.measure.metrics import is_measured
from harness.report.matrices import metric_matrix
from harness.report.values import UndefinedHere, Values, contrasts_of
from harness.spec import Contrast, Derived, Selection
from harness.stats import Estimate, PairedContrast, budget_curve, mean_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

KS = (1, 5)


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm on one task. Rates are shares of samples; ``pass_at`` holds ``None`` where n < k."""

    arm: str
    pass_at: Mapping[int, Estimate | None]
    no_code_rate: float
    truncation_rate: float
    mean_tokens: float
    infra_errors: int
    samples: int
    problems: int
    seeds: int


@dataclass(frozen=True, slots=True)
class DerivedSummary:
    """A derived arm on one task. ``made`` says of what; ``budget`` is, for a selection, the cross-fitted pass@1 that
    choosing the best of a random 1, 2, … of its candidates is expected to give."""

    arm: str
    made: str
    pass_at_1: Estimate | None
    budget: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MeasuredSummary:
    """What was measured of an arm on one task: the mean over problems of each measure that a contrast names."""

    arm: str
    means: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ContrastResult:
    """A contrast with its statistics. ``holds``: its null hypothesis is rejected at its level."""

    contrast: Contrast
    result: PairedContrast
    holds: bool

    @property
    def p_value(self) -> float:
        """The p-value printed: TOST's for equivalence, otherwise two-sided against no difference."""
        return self.result.equivalence.p_value if self.contrast.test == "equivalence" else self.result.p_value

    def view(self) -> ContrastView:
        r = self.result
        return ContrastView(
            self.contrast,
            r.difference,
            r.interval[0],
            r.interval[1],
            self.p_value,
            r.minimum_detectable_effect,
            self.holds,
            r.p_value_declared,
        )


@dataclass(frozen=True, slots=True)
class TaskAnalysis:
    """All of one task."""

    task: str
    arms: tuple[ArmSummary, ...]
    contrasts: tuple[ContrastResult, ...]
    decision: Decision
    derived: tuple[DerivedSummary, ...] = ()
    measured: tuple[MeasuredSummary, ...] = ()


Analyse = Callable[[Record], tuple[TaskAnalysis, ...]]


def analyse(record: Record) -> tuple[TaskAnalysis, ...]:
    """Analyse every task of a record, in the record's order."""
    rows = record.counts()
    return tuple(_analyse_task(record, Values(record, t["name"], rows)) for t in record.head["tasks"])


def remembering() -> Analyse:
    """An :func:`analyse` that works out each record once: for one pass over records that nobody changes meanwhile."""
    done: dict[Path, tuple[TaskAnalysis, ...]] = {}

    def once(record: Record) -> tuple[TaskAnalysis, ...]:
        if record.path not in done:
            done[record.path] = analyse(record)
        return done[record.path]

    return once


def _analyse_task(record: Record, values: Values) -> TaskAnalysis:
    ablation = ablations.load(record.ablation)
    arms = tuple(_summarise(values.rows, a["name"]) for a in record.head["arms"])
    contrasts, undefined = _contrasts(record, values)
    derived = tuple(d for made in values.derived.values() if (d := _summarise_derived(values, made)) is not None)
    if any(c.family == "confirmatory" for c in undefined):
        # A setting is not scored on the task it was chosen on, so this task can decide nothing.
        decision = Decision("untested", "settings were chosen on these problems, so nothing is tested on them")
    else:
        decision = ablation.decide(_findings(arms, contrasts, derived))
    return TaskAnalysis(values.task, arms, contrasts, decision, derived, _measured(record, values))


def _measured(record: Record, values: Values) -> tuple[MeasuredSummary, ...]:
    if "measures.parquet" not in record.head["files"]:
        return ()
    metrics = dict.fromkeys(c.metric for c in contrasts_of(record) if is_measured(c.metric))
    return tuple(
        MeasuredSummary(arm, {m: _mean(values.sampled(arm, m)) for m in metrics}) for arm in values.measured_arms()
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float("nan") if np.isnan(values).all() else float(np.nanmean(values))


def _contrasts(record: Record, values: Values) -> tuple[tuple[ContrastResult, ...], tuple[Contrast, ...]]:
    """The contrasts that mean something on this task, and those that do not."""
    defined, undefined = [], []
    for contrast in contrasts_of(record):
        try:
            result = values.contrast(contrast)
        except UndefinedHere:
            undefined.append(contrast)
            continue
        defined.append(ContrastResult(contrast, result, result.supported))
    return tuple(defined), tuple(undefined)


def _summarise_derived(values: Values, made: Derived) -> DerivedSummary | None:
    try:
        estimate = _estimate(values.matrix(made.name, "pass@1"))
    except UndefinedHere:
        return None
    if not isinstance(made, Selection):
        return DerivedSummary(made.name, " + ".join(f"{w:.3g}·{a}" for a, w in made.weights), estimate, ())
    chosen = values.chosen(made)
    where = {"test": "on these problems", "crossfit": "on the other folds", "heldout": f"on {made.heldout}"}[made.by]
    times = [(made.candidates[i], int((chosen == i).sum())) for i in np.unique(chosen)]
    names = ", ".join(a if len(times) == 1 else f"{a} ({n} of {chosen.size} problems)" for a, n in times)
    scores = values.scores(made)
    curve = tuple(budget_curve(scores, values.folds())) if len(values.problems) > 1 and _whole(scores) else ()
    return DerivedSummary(made.name, f"best of {len(made.candidates)} {where}: {names}", estimate, curve)


def _whole(scores: NDArray[np.float64]) -> bool:
    return not bool(np.isnan(scores).any())


def overall_decision(record: Record, analyses: Sequence[TaskAnalysis]) -> Decision | None:
    """One decision over all tasks, for ablations that have a rule for it and records of two tasks or more."""
    rule = ablations.load(record.ablation).overall
    if rule is None or len(analyses) < 2:
        return None
    tested = {t.task: t for t in analyses if t.decision.status != "untested"}
    return rule({name: _findings(t.arms, t.contrasts, t.derived) for name, t in tested.items()}) if tested else None


def _findings(
    arms: Sequence[ArmSummary], contrasts: Sequence[ContrastResult], derived: Sequence[DerivedSummary]
) -> Findings:
    scores = {a.arm: e.estimate for a in arms if (e := a.pass_at[1]) is not None}
    scores |= {d.arm: d.pass_at_1.estimate for d in derived if d.pass_at_1 is not None}
    return Findings({c.contrast.name: c.view() for c in contrasts}, scores)


def _summarise(rows: list[Row], arm: str) -> ArmSummary:
    mine = [r for r in rows if r["arm"] == arm]
    samples = sum(r["n"] + r["infra"] for r in mine)
    return ArmSummary(
        arm=arm,
        pass_at={k: _estimate(metric_matrix(rows, arm, f"pass@{k}")) for k in KS},
        no_code_rate=sum(r["no_code"] for r in mine) / samples,
        truncation_rate=sum(r["truncated"] for r in mine) / samples,
        mean_tokens=sum(r["tokens"] for r in mine) / samples,
        infra_errors=sum(r["infra"] for r in mine),
        samples=samples,
        problems=len({r["problem"] for r in mine}),
        seeds=len({r["seed"] for r in mine}),
    )


def _estimate(values: NDArray[np.float64]) -> Estimate | None:
    if np.isnan(values).all():
        return None
    return mean_interval(values)


def as_json(analyses: Sequence[TaskAnalysis]) -> list[dict[str, Any]]:
    """The analysis as plain JSON types, for ``--json``."""
    return [
        {
            "task": t.task,
            "arms": [_arm_json(a) for a in t.arms],
            "derived": [_derived_json(d) for d in t.derived],
            "measured": [{"arm": m.arm, **{k: _json(v) for k, v in m.means.items()}} for m in t.measured],
            "contrasts": [_contrast_json(c) for c in t.contrasts],
            "verdict": {"status": t.decision.status, "sentence": t.decision.sentence},
        }
        for t in analyses
    ]


def _json(value: float) -> float | None:
    return None if np.isnan(value) else value


def _arm_json(arm: ArmSummary) -> dict[str, Any]:
    rates = {}
    for k, e in arm.pass_at.items():
        rates[f"pass@{k}"] = None if e is None else {"estimate": e.estimate, "interval": list(e.interval)}
    fields = ("no_code_rate", "truncation_rate", "mean_tokens", "infra_errors", "samples", "problems", "seeds")
    return {"arm": arm.arm, **rates, **{f: getattr(arm, f) for f in fields}}


def _derived_json(d: DerivedSummary) -> dict[str, Any]:
    e = d.pass_at_1
    score = None if e is None else {"estimate": e.estimate, "interval": list(e.interval)}
    return {"arm": d.arm, "made": d.made, "pass@1": score, "budget": list(d.budget)}


def _contrast_json(c: ContrastResult) -> dict[str, Any]:
    r = c.result
    return {
        "contrast": c.contrast.name,
        "family": c.contrast.family,
        "difference": r.difference,
        "interval": [r.interval[0], r.interval[1]],
        "p_value": c.p_value,
        "minimum_detectable_effect": r.minimum_detectable_effect,
        "identical": r.identical,
        "holds": c.holds,
    }


def observed_effects(results: Path, ablation: str, model: str, task: str) -> dict[str, tuple[float, int]]:
    """What the newest committed record of this design could detect: for each metric, the first contrast's smallest
    effect in the metric's unit (a share for pass@k), and its number of problems.

    Empty without such a record; a metric whose arms were identical is left out. They are the table's own numbers, so
    that a plan and a table agree, also where too few problems differ for anything but a conservative test.
    """
    from harness.ledger.standing import standing_records

    matching = [
        r
        for r in standing_records(results)
        if r.ablation == ablation
        and r.head["config"]["model"]["name"] == model
        and r.head["evidence"]
        and r.head["contrasts"]
        and any(t["name"] == task for t in r.head["tasks"])
    ]
    if not matching:
        return {}
    record = max(matching, key=lambda r: int(r.head["finished"]))
    values = Values(record, task)
    first: dict[str, Contrast] = {}
    for contrast in contrasts_of(record):
        first.setdefault(contrast.metric, contrast)
    found: dict[str, tuple[float, int]] = {}
    for metric, contrast in first.items():
        try:
            result = values.contrast(contrast)
        except UndefinedHere:
            continue
        effect = result.minimum_detectable_effect
        if np.isfinite(effect) and effect > 0:
            found[metric] = effect, result.n_problems
    return found
