"""What a page shows, as values: the analysis of a record put in words and notes, without any HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import ablations
from harness.ablation import Ablation
from harness.ledger.record import Record
from harness.ledger.standing import why_exploratory
from harness.report import figures
from harness.report.analysis import KS, Analyse, ArmSummary, ContrastResult, TaskAnalysis
from harness.report.figures import Drawing
from harness.report.hostile import visible
from harness.report.numbers import UNDEFINED, p_text, plain, signed, size_text, span
from harness.report.site.facts import cells, commands, facts
from harness.report.site.provenance import SHORT, Note, Notebook
from harness.report.tables import policy_text


@dataclass(frozen=True, slots=True)
class ArmRow:
    """A line of the arms' table. A number without a note is undefined."""

    name: str
    note: str
    decoding: str
    numbers: tuple[Note | str, ...]


@dataclass(frozen=True, slots=True)
class ContrastRow:
    """A line of the contrasts' table; ``query`` opens the explorer on its two arms, empty where one has no samples."""

    label: str
    exploratory: bool
    numbers: tuple[Note, ...]
    holds: str
    query: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task of a record. ``drawings`` are (figure, caption); ``absent`` says why a figure is not there."""

    name: str
    size: str
    status: str
    sentence: str
    infra: str
    columns: tuple[str, ...]
    arms: tuple[ArmRow, ...]
    contrasts: tuple[ContrastRow, ...]
    strata: tuple[tuple[str, ...], ...]
    strata_arms: tuple[str, str]
    drawings: tuple[tuple[Drawing, str], ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record. ``caveat`` is why it is no evidence, else empty; ``first`` are the arms the explorer opens on."""

    short: str
    model: str
    scale: str
    question: str
    caveat: str
    rule_changed: str
    tasks: tuple[TaskView, ...]
    first: tuple[str, str]
    facts: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, str], ...]
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PageView:
    """One ablation, with its records: evidence before the rest, newest first."""

    name: str
    question: str
    rule: str
    asked_by: str
    outcomes: tuple[tuple[str, str], ...]
    records: tuple[RecordView, ...]


def page_views(records: Sequence[Record], results: Path, analysed: Analyse) -> list[PageView]:
    """A page for every ablation of this program, those with records first."""
    pages = []
    for name in ablations.names():
        ablation = ablations.load(name)
        mine = [r for r in records if r.ablation == name]
        mine.sort(key=lambda r: (why_exploratory(r) != "", -int(r.head["finished"]), r.run_id))
        views = tuple(_record(r, ablation, results, analysed) for r in mine)
        outcomes = tuple(ablation.outcomes.items())
        pages.append(PageView(name, ablation.question, ablation.rule, ablation.asked_by, outcomes, views))
    return sorted(pages, key=lambda p: (not p.records, all(r.caveat for r in p.records), p.name))


def _record(record: Record, ablation: Ablation, results: Path, analysed: Analyse) -> RecordView:
    head, config = record.head, record.head["config"]
    notebook = Notebook(record, results)
    counts = record.counts()
    tasks = [
        _task(record, notebook, a, t, [r for r in counts if r["task"] == t["name"]])
        for a, t in zip(analysed(record), head["tasks"], strict=True)
    ]
    names = [a["name"] for a in head["arms"]]
    pairs = [(c["control"], c["treatment"]) for c in head["contrasts"]]
    # Arms worked out from others have no samples to be shown.
    first = next((p for p in pairs if set(p) <= set(names)), (names[0], names[-1]))
    return RecordView(
        short=record.run_id[:SHORT],
        model=config["model"]["name"],
        scale=config["scale"]["name"],
        question=head["question"],
        caveat=why_exploratory(record),
        rule_changed=head["rule"] if head["rule"] != ablation.rule else "",
        tasks=tuple(tasks),
        first=first,
        facts=tuple(facts(head)),
        commands=tuple(commands(record, results)),
        cells=tuple(cells(head)),
    )


def _task(
    record: Record, notebook: Notebook, analysis: TaskAnalysis, task: Mapping[str, Any], rows: list[dict[str, Any]]
) -> TaskView:
    head = record.head
    seeds = analysis.arms[0].seeds
    infra = sum(a.infra_errors for a in analysis.arms)
    policies = {a["name"]: (policy_text(a["policy"]), a["note"]) for a in head["arms"]}
    drawings, absent, strata, arms = _figures(record, analysis, rows)
    per_problem = f"{size_text(task['problems'], 'problem')} × {size_text(task['samples_per_problem'], 'sample')}"
    return TaskView(
        name=task["name"],
        size=f"{per_problem} × {size_text(seeds, 'training seed')}",
        status=analysis.decision.status,
        sentence=analysis.decision.sentence.rstrip("."),
        infra=size_text(infra, "sample") if infra else "",
        columns=(*(f"pass@{k} %" for k in KS), "no code %", "cut %", "tokens"),
        arms=tuple(_arm_row(notebook, a, task["name"], *policies[a.arm]) for a in analysis.arms),
        contrasts=tuple(_contrast_row(notebook, c, task["name"]) for c in analysis.contrasts),
        strata=strata,
        strata_arms=arms,
        drawings=tuple(drawings),
        absent=tuple(absent),
    )


def _arm_row(notebook: Notebook, arm: ArmSummary, task: str, decoding: str, note: str) -> ArmRow:
    numbers: list[Note | str] = []
    for k in KS:
        estimate = arm.pass_at[k]
        if estimate is None or estimate.estimate != estimate.estimate:
            numbers.append(UNDEFINED)
            continue
        interval = span([100 * e for e in estimate.interval], sign=False)
        text = f"{plain(100 * estimate.estimate)} {interval}"
        numbers.append(notebook.arm(text, f"pass@{k}", arm, task, estimate))
    for value, what in ((100 * arm.no_code_rate, "Share without code"), (100 * arm.truncation_rate, "Share cut short")):
        numbers.append(notebook.arm(plain(value), f"{what}, per cent,", arm, task))
    numbers.append(notebook.arm(plain(arm.mean_tokens, 0), "Mean tokens a sample", arm, task))
    return ArmRow(arm.arm, note, decoding, tuple(numbers))


def _contrast_row(notebook: Notebook, c: ContrastResult, task: str) -> ContrastRow:
    k, r = c.contrast, c.result
    row = figures.forest_rows((c,), rates=True) or figures.forest_rows((c,), rates=False)
    scale, digits = row[0].scale, row[0].digits
    shown_there = {k.treatment, k.control} <= {a["name"] for a in notebook.record.head["arms"]}
    shown = (
        ("identical" if r.identical else signed(scale * r.difference, digits), "Difference"),
        (span([scale * e for e in r.interval], digits), "95 % interval of the difference"),
        (p_text(c.p_value), "p-value"),
        (plain(scale * r.minimum_detectable_effect, digits), "Smallest detectable difference"),
    )
    return ContrastRow(
        label=row[0].label,
        exploratory=row[0].exploratory,
        numbers=tuple(notebook.contrast(text, what, c, task) for text, what in shown),
        holds="yes" if c.holds else "no",
        query=urlencode({"a": visible(k.control), "b": visible(k.treatment), "task": visible(task)})
        if shown_there
        else "",
    )


def _figures(
    record: Record, analysis: TaskAnalysis, rows: list[dict[str, Any]]
) -> tuple[list[tuple[Drawing, str]], list[str], tuple[tuple[str, ...], ...], tuple[str, str]]:
    task, short = analysis.task, record.run_id[:SHORT]
    drawings: list[tuple[Drawing, str]] = []
    absent: list[str] = []

    def add(kind: str, alt: str, caption: str, draw: Any, data: Any) -> None:
        name = f"{record.ablation}-{short}-{_file_name(task)}-{kind}"
        drawings.append((Drawing(name, visible(f"{alt}, {task}, run {short}"), draw, data), caption))

    for rates, kind in ((True, "forest"), (False, "forest-other")):
        forest = figures.forest_rows(analysis.contrasts, rates)
        if forest:
            caption = "Contrasts with 95 % intervals; shaded: where each holds. Full marks hold."
            add(kind, f"Forest plot of {size_text(len(forest), 'contrast')}", caption, figures.draw_forest, forest)
    curves = figures.decoding_curves(record.head, task, analysis.arms)
    if curves:
        caption = "pass@1 by decoding temperature, 95 % intervals. Hollow: two-stage decoding."
        add("curves", "Decoding curves", caption, figures.draw_curves, curves)
    else:
        absent.append("No decoding curves: no model is decoded at two temperatures.")
    splits = tuple(figures.variance_split(rows, a.arm) for a in analysis.arms)
    if analysis.arms[0].problems > 1:
        together = any(s.samples is None for s in splits)
        caption = (
            "What the precision of each arm is limited by: more problems, samples or training seeds would shrink it."
        )
        caption += " With one sample a problem, problems and samples cannot be told apart." if together else ""
        caption += " One training seed: its part is unknown." if splits[0].n_seeds == 1 else ""
        add("variance", "Variance of each arm's pass@1 split by source", caption, figures.draw_variance, splits)
    for kind, alt, caption, draw, data in _mechanism(record, task):
        add(kind, alt, caption, draw, data)
    contrast = next((c.contrast for c in analysis.contrasts if c.contrast.metric == "pass@1"), None)
    strata = figures.strata(rows, contrast) if contrast else ()
    if contrast is None:
        return drawings, absent, (), ("", "")
    if not strata:
        absent.append(
            "No difficulty strata: fewer than two labels have two problems or more, and none are made from results."
        )
        return drawings, absent, (), ("", "")
    pair = (contrast.treatment, contrast.control)
    caption = f"pass@1 by the benchmark’s own difficulty labels, {visible(' and '.join(pair))}."
    add("strata", "pass@1 by difficulty", caption, figures.draw_strata, (strata, *pair))
    return drawings, absent, tuple(_stratum_row(s) for s in strata), pair


def _mechanism(record: Record, task: str) -> Iterator[tuple[str, str, str, Any, Any]]:
    """Figures of measured distributions, for records that have measures."""
    measures = [m for m in record.measures() if m["task"] == task]
    if changes := figures.entropy_changes(measures, record.head):
        caption = "Change of entropy against the base, by the base’s own entropy at the position; 95 % intervals."
        yield "entropy", "Change in entropy by base entropy", caption, figures.draw_entropy_changes, changes
    if tails := figures.class_tails(measures, record.head):
        caption = (
            "Probability outside the kept set by token class, 95 % intervals. "
            "Which classes are locks and which forks was fixed beforehand."
        )
        yield "tails", "Tail mass by token class", caption, figures.draw_class_tails, tails


def _stratum_row(s: figures.Stratum) -> tuple[str, ...]:
    rates = [
        f"{plain(100 * e.estimate)} {span([100 * x for x in e.interval], sign=False)}" for e in (s.treatment, s.control)
    ]
    d = s.difference
    interval = span([100 * x for x in d.interval])
    return (s.label, str(s.problems), *rates, "identical" if d.identical else signed(100 * d.difference), interval)


def _file_name(task: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in task)
