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
from harness.spec import Contrast
from harness.stats import Estimate, PairedContrast, mean_interval, paired_contrast, pass_at_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANALYSIS_SEED = 20260401
"""Seed of every resampling, fixed so that tables are the same bytes wherever they are rebuilt."""

KS = (1, 5)
_COLUMNS = {"format_failure": "no_code"}


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
        )


@dataclass(frozen=True, slots=True)
class TaskAnalysis:
    """All of one task."""

    task: str
    arms: tuple[ArmSummary, ...]
    contrasts: tuple[ContrastResult, ...]
    decision: Decision


Analyse = Callable[[Record], tuple[TaskAnalysis, ...]]


def analyse(record: Record) -> tuple[TaskAnalysis, ...]:
    """Analyse every task of a record, in the record's order."""
    rows = record.counts()
    return tuple(
        _analyse_task(record, t["name"], [r for r in rows if r["task"] == t["name"]]) for t in record.head["tasks"]
    )


def remembering() -> Analyse:
    """An :func:`analyse` that works out each record once: for one pass over records that nobody changes meanwhile."""
    done: dict[Path, tuple[TaskAnalysis, ...]] = {}

    def once(record: Record) -> tuple[TaskAnalysis, ...]:
        if record.path not in done:
            done[record.path] = analyse(record)
        return done[record.path]

    return once


def metric_matrix(rows: Sequence[Row], arm: str, metric: str) -> NDArray[np.float64]:
    """A metric of an arm as [seeds, problems]; problems in sorted order, seeds likewise.

    ``pass@k`` is the unbiased estimate (NaN where n < k); ``no_code``, ``truncated`` and ``tokens`` are means a sample.
    ``format_failure`` is another name of ``no_code``: answers without the form asked for, be it a program or not.
    """
    mine = [r for r in rows if r["arm"] == arm]
    seeds = sorted({r["seed"] for r in mine})
    problems = sorted({r["problem"] for r in mine})
    at = {(r["seed"], r["problem"]): r for r in mine}
    shape = (len(seeds), len(problems))

    def field(name: str) -> NDArray[np.float64]:
        return np.array([[at[s, p][name] for p in problems] for s in seeds], dtype=np.float64).reshape(shape)

    if metric.startswith("pass@"):
        return np.asarray(pass_at_k(field("n"), field("passed"), int(metric.removeprefix("pass@"))), dtype=np.float64)
    total = field("n") + field("infra")
    return np.asarray(field(_COLUMNS.get(metric, metric)) / total, dtype=np.float64)


def _analyse_task(record: Record, task: str, rows: list[Row]) -> TaskAnalysis:
    ablation = ablations.load(record.ablation)
    arms = tuple(_summarise(rows, a["name"]) for a in record.head["arms"])
    contrasts = tuple(_contrast(rows, Contrast(**c)) for c in record.head["contrasts"])
    decision = ablation.decide(_findings(arms, contrasts))
    return TaskAnalysis(task, arms, contrasts, decision)


def overall_decision(record: Record, analyses: Sequence[TaskAnalysis]) -> Decision | None:
    """One decision over all tasks, for ablations that have a rule for it and records of two tasks or more."""
    rule = ablations.load(record.ablation).overall
    if rule is None or len(analyses) < 2:
        return None
    return rule({t.task: _findings(t.arms, t.contrasts) for t in analyses})


def _findings(arms: Sequence[ArmSummary], contrasts: Sequence[ContrastResult]) -> Findings:
    scores = {a.arm: e.estimate for a in arms if (e := a.pass_at[1]) is not None}
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


def _contrast(rows: list[Row], contrast: Contrast) -> ContrastResult:
    a = metric_matrix(rows, contrast.treatment, contrast.metric)
    b = metric_matrix(rows, contrast.control, contrast.metric)
    result = paired_contrast(a, b, test=contrast.test, margin=contrast.margin, seed=ANALYSIS_SEED)
    return ContrastResult(contrast, result, result.supported)


def as_json(analyses: Sequence[TaskAnalysis]) -> list[dict[str, Any]]:
    """The analysis as plain JSON types, for ``--json``."""
    return [
        {
            "task": t.task,
            "arms": [_arm_json(a) for a in t.arms],
            "contrasts": [_contrast_json(c) for c in t.contrasts],
            "verdict": {"status": t.decision.status, "sentence": t.decision.sentence},
        }
        for t in analyses
    ]


def _arm_json(arm: ArmSummary) -> dict[str, Any]:
    rates = {}
    for k, e in arm.pass_at.items():
        rates[f"pass@{k}"] = None if e is None else {"estimate": e.estimate, "interval": list(e.interval)}
    fields = ("no_code_rate", "truncation_rate", "mean_tokens", "infra_errors", "samples", "problems", "seeds")
    return {"arm": arm.arm, **rates, **{f: getattr(arm, f) for f in fields}}


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


def observed_effect(results: Path, ablation: str, model: str, task: str) -> tuple[float, int] | None:
    """What the newest committed record of this design could detect: the first contrast's smallest effect, and its N.

    ``None`` without such a record, or where the arms were identical. It is the table's own number, so that a plan and a
    table agree, also where too few problems differ for anything but a conservative test.
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
        return None
    record = max(matching, key=lambda r: int(r.head["finished"]))
    rows = [r for r in record.counts() if r["task"] == task]
    result = _contrast(rows, Contrast(**record.head["contrasts"][0])).result
    effect = result.minimum_detectable_effect
    return (effect, result.n_problems) if np.isfinite(effect) and effect > 0 else None
