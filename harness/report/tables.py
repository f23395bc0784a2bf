"""Tables of a record: aligned Markdown for people, CSV for programs. Pure functions of the record."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from harness.ledger.record import Record
from harness.ledger.standing import why_exploratory
from harness.report.analysis import KS, Analyse, ArmSummary, ContrastResult, TaskAnalysis, analyse, overall_decision
from harness.report.models import arm_notes
from harness.report.numbers import is_rate
from harness.spec import STRATA, Contrast
from harness.stats import Estimate
from harness.stats.strata import SMALLEST_STRATUM

TOO_SMALL = "**Too small to be evidence**: this scale only shows that every part works."


def render_markdown(record: Record, level: int = 1, analysed: Analyse = analyse) -> str:
    """The whole of a record as Markdown, headings starting at ``level``."""
    head = record.head
    config = head["config"]
    title = f"{record.ablation} · {config['model']['name']} · {config['scale']['name']} · run {record.run_id[:12]}"
    lines = [f"{'#' * level} {title}", "", head["question"], ""]
    if head["evidence"] and (why := why_exploratory(record)):
        lines += [f"**Exploratory**: {why}. No claim rests on it.", ""]
    analyses = analysed(record)
    for analysis, task in zip(analyses, head["tasks"], strict=True):
        lines += _task_section(analysis, task, head, level + 1)
    together = overall_decision(record, analyses)
    if together is not None:
        lines += [f"**Verdict (all tasks): {together.status}** — {together.sentence}.", ""]
    lines += ["", *_notes(head)]
    return "\n".join(lines).rstrip("\n") + "\n"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """An aligned Markdown table; columns in ``right`` are right-aligned."""
    # A rule needs two characters to align to the right.
    widths = [max(2, *(len(r[i]) for r in [header, *rows])) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (w - 1) + ":") if i in right else "-" * w for i, w in enumerate(widths)]
    return [line(header), f"| {' | '.join(rule)} |", *[line(r) for r in rows]]


def arms_csv(records: Sequence[Record], analysed: Analyse = analyse) -> str:
    """One row a (run, task, arm); rates as fractions, empty where undefined."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    passes = [f"pass@{k}{part}" for k in KS for part in ("", "_lower", "_upper")]
    rates = ("no_code_rate", "truncation_rate", "mean_tokens", "infra_errors", "samples", "problems", "seeds")
    writer.writerow(["run", "model", "scale", "task", "arm", *passes, *rates])
    for record in records:
        where = [record.run_id[:12], record.head["config"]["model"]["name"], record.head["config"]["scale"]["name"]]
        for t in analysed(record):
            for a in t.arms:
                cells = [c for k in KS for c in _estimate_cells(a.pass_at[k])]
                writer.writerow([*where, t.task, a.arm, *cells, *[_number(getattr(a, f)) for f in rates]])
    return sink.getvalue()


def contrasts_csv(records: Sequence[Record], analysed: Analyse = analyse) -> str:
    """One row a (run, task, contrast); differences as fractions."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    fields = ("difference", "lower", "upper", "p_value", "minimum_detectable_effect", "identical", "holds")
    writer.writerow(
        ["run", "model", "scale", "task", "treatment", "control", "metric", "test", "margin", "family", *fields]
    )
    for record in records:
        where = [record.run_id[:12], record.head["config"]["model"]["name"], record.head["config"]["scale"]["name"]]
        for t in analysed(record):
            for c in t.contrasts:
                k, r = c.contrast, c.result
                design = [k.treatment, k.control, k.metric, k.test, _number(k.margin), k.family]
                numbers = (r.difference, r.interval[0], r.interval[1], c.p_value, r.minimum_detectable_effect)
                writer.writerow([*where, t.task, *design, *map(_number, numbers), r.identical, c.holds])
    return sink.getvalue()


def policy_text(policy: dict[str, Any]) -> str:
    """``T 1.6 k 20 p 0.8 → T 0.9 k 20 p 0.8`` for two stages."""

    def stage(s: dict[str, Any]) -> str:
        parts = ["greedy" if s["temperature"] == 0 else f"T {s['temperature']:g}"]
        parts += [f"θ {s['entropy_theta']:g}"] if s.get("entropy_theta") else []
        parts += [f"min-p {s['min_p']:g}"] if s["min_p"] else []
        parts += [f"k {s['top_k']}"] if s["top_k"] else []
        parts += [f"p {s['top_p']:g}"] if s["top_p"] < 1 else []
        return " ".join(parts)

    return " → ".join(stage(s) for s in policy["stages"])


def _task_section(analysis: TaskAnalysis, task: dict[str, Any], head: dict[str, Any], level: int) -> list[str]:
    seeds = analysis.arms[0].seeds
    size = f"{task['problems']} problems × {task['samples_per_problem']} samples × {seeds} seed{'s' * (seeds > 1)}"
    lines = [f"{'#' * level} {task['name']} ({size})", ""]
    policies = {a["name"]: policy_text(a["policy"]) for a in head["arms"]}
    header = ["arm", "decoding", *[f"pass@{k} % [95 %]" for k in KS], "no code %", "cut %", "tokens"]
    rows = [[a.arm, policies[a.arm], *[_percent(a.pass_at[k]) for k in KS], *_rates(a)] for a in analysis.arms]
    lines += markdown_table(header, rows, right=range(2, len(header)))
    lines += [line for note in arm_notes(head, task["name"]) for line in ("", note)]
    if analysis.derived:
        rows = [[d.arm, d.made, _percent(d.pass_at_1), _curve(d.budget)] for d in analysis.derived]
        lines += ["", *markdown_table(["derived arm", "made of", "pass@1 % [95 %]", "by budget"], rows, right=(2,))]
    if analysis.measured:
        names = list(analysis.measured[0].means)
        rows = [[m.arm, *[_measure(k, v) for k, v in m.means.items()]] for m in analysis.measured]
        header = ["measured, mean over problems", *(f"{n} %" if is_rate(n) else n for n in names)]
        lines += ["", *markdown_table(header, rows, right=range(1, len(header)))]
    lines += ["", *(_contrast_table(analysis.contrasts) if analysis.contrasts else []), ""]
    infra = sum(a.infra_errors for a in analysis.arms)
    if infra:
        lines += [f"{infra} samples could not be graded (infrastructure errors); they are excluded, never scored.", ""]
    verdict = f"**Verdict ({task['name']}): {analysis.decision.status}** — {analysis.decision.sentence}."
    return [*lines, verdict, *([TOO_SMALL] if not head["evidence"] else []), ""]


def _measure(name: str, value: float) -> str:
    if math.isnan(value):
        return "—"
    return f"{100 * value:.1f}" if is_rate(name) else f"{value:.3f}"


def _curve(budget: Sequence[float]) -> str:
    """Expected cross-fitted pass@1 of the best of 1, 2, 4, … settings, in per cent."""
    sizes = [g for g in (1, 2, 4, 8, 16, 32) if g < len(budget)] + ([len(budget)] if budget else [])
    return ", ".join(f"{g}: {100 * budget[g - 1]:.1f}" for g in sizes)


def _contrast_table(contrasts: Sequence[ContrastResult]) -> list[str]:
    header = ["contrast", "difference", "95 % interval", "p", "smallest detectable", "holds"]
    rows = []
    for c in contrasts:
        r = c.result
        if r.identical:
            rows.append([_name(c.contrast), "identical", "", "", "", "yes" if c.holds else "no"])
            continue
        if math.isnan(r.difference):
            rows.append([_name(c.contrast), "—", "", "", "", "undefined"])
            continue
        scale, digits = (100.0, 1) if is_rate(c.contrast.metric) else (1.0, 3)
        interval = f"[{scale * r.interval[0]:+.{digits}f}, {scale * r.interval[1]:+.{digits}f}]"
        numbers = [
            f"{scale * r.difference:+.{digits}f}",
            interval,
            _p_text(c.p_value),
            f"{scale * r.minimum_detectable_effect:.{digits}f}",
        ]
        rows.append([_name(c.contrast), *numbers, "yes" if c.holds else "no"])
    return markdown_table(header, rows, right=range(1, 5))


def _name(contrast: Contrast) -> str:
    scale = 100 if is_rate(contrast.metric) else 1
    extra = f" within ±{scale * contrast.margin:g}" if contrast.test != "superiority" else ""
    what = [
        *([contrast.metric] if contrast.metric != "pass@1" else []),
        *([STRATA[contrast.strata]] if contrast.strata else []),
    ]
    about = f" ({'; '.join(what)})" if what else ""
    mark = "" if contrast.family == "confirmatory" else " †"
    return contrast.name.rpartition(" [")[0] + extra + about + mark


def _notes(head: dict[str, Any]) -> list[str]:
    overlap = head["contamination"]
    return [
        f"Rule, fixed before the run: {head['rule']}",
        "",
        "Differences, intervals and smallest detectable effects (80 % power, two-sided 5 %) are in points, "
        f"{_own_units(head)}over problems; p is two-sided (sign-flip) for superiority and TOST's for equivalence. "
        "† exploratory, outside the rule. "
        f"A dash is undefined (fewer samples than k{_small_groups(head)}). "
        f"Training prompts sharing a 13-gram with an evaluation problem: {overlap['overlapping']} of "
        f"{overlap['checked']}.",
    ]


def _small_groups(head: dict[str, Any]) -> str:
    return (
        f", or {SMALLEST_STRATUM - 1} problems or fewer in a group"
        if any(c.get("strata") for c in head["contrasts"])
        else ""
    )


def _own_units(head: dict[str, Any]) -> str:
    """What to add where some contrast is not about shares."""
    return "" if all(is_rate(c["metric"]) for c in head["contrasts"]) else "or in a metric's own unit, "


def _rates(a: ArmSummary) -> list[str]:
    return [f"{100 * a.no_code_rate:.1f}", f"{100 * a.truncation_rate:.1f}", f"{a.mean_tokens:.0f}"]


def _percent(e: Estimate | None) -> str:
    if e is None:
        return "—"
    return f"{100 * e.estimate:.1f} [{100 * e.interval[0]:.1f}, {100 * e.interval[1]:.1f}]"


def _p_text(p: float) -> str:
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"


def _estimate_cells(e: Estimate | None) -> list[str]:
    return ["", "", ""] if e is None else [_number(v) for v in (e.estimate, e.interval[0], e.interval[1])]


def _number(value: float) -> str:
    if isinstance(value, float) and math.isnan(value):
        return ""
    return f"{value:.6g}"
