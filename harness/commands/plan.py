"""``harness plan``: the design and what it costs. Executes nothing."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from harness.canonical import to_plain
from harness.commands.output import emit, write
from harness.config import resolve


def main(arguments: argparse.Namespace) -> int:
    from harness.pipeline.cost import estimate
    from harness.pipeline.plan import make_plan

    plan = make_plan(resolve(arguments.overrides), outline=True)
    document: dict[str, Any] = {
        "ablation": plan.ablation.name,
        "question": plan.ablation.question,
        "rule": plan.ablation.rule,
        "outcomes": dict(plan.ablation.outcomes),
        "arms": [{"name": a.name, "policy": to_plain(a.policy), "note": a.note} for a in plan.arms],
        "contrasts": [{"name": c.name, **c.row()} for c in plan.contrasts],
        "derived": [to_plain(d) for d in plan.derived],
        "tasks": [{**asdict(t.ref), "problems": len(t.problems)} for t in plan.tasks],
        "seeds": sorted({c.seed for c in plan.cells}),
        "cost": asdict(estimate(plan)),
        "minimum_detectable_effect": [detectable(t, plan, arguments.results) for t in plan.tasks],
    }
    if arguments.json:
        emit(document)
    else:
        write(render(document))
    return 0


def detectable(loaded: Any, plan: Any, results: Any) -> dict[str, Any]:
    """The smallest effect on pass@1 this task's design detects with 80 % power at two-sided 5 %.

    Where a committed record has the same ablation, model and task, it is that record's own smallest effect, scaled by
    the square root of the numbers of problems; without one, three assumed spreads of per-problem differences span what
    code benchmarks show.
    """
    from harness.report.analysis import observed_effect
    from harness.stats import minimum_detectable_effect

    n = len(loaded.problems)
    seen = observed_effect(results, plan.ablation.name, plan.config.model.name, loaded.ref.name)
    if seen is not None:
        effects = {f"committed record of {seen[1]} problems": seen[0] * (seen[1] / n) ** 0.5}
    else:
        effects = {f"assumed SD {sd:.2f}": minimum_detectable_effect(sd, n) for sd in (0.20, 0.25, 0.30)}
    return {"task": loaded.ref.name, "problems": n, "effects": effects}


def render(document: dict[str, Any]) -> str:
    """The plan for a person."""
    from harness.report.tables import markdown_table, policy_text

    cost = document["cost"]
    lines = [f"# {document['ablation']}", "", document["question"], "", f"Rule: {document['rule']}", ""]
    rows = [[a["name"], policy_text(a["policy"]), a["note"]] for a in document["arms"]]
    lines += markdown_table(["arm", "decoding", "note"], rows)
    lines += [
        "",
        *markdown_table(["contrast", "family"], [[c["name"], c["family"]] for c in document["contrasts"]]),
        "",
    ]
    for task in document["tasks"]:
        size = f"{task['problems']} problems × {task['samples_per_problem']} samples × {len(document['seeds'])} seed(s)"
        lines.append(f"{task['name']}: {size}, at most {task['max_new_tokens']} new tokens each")
    lines += ["", f"samples {cost['samples']:,}; tokens at most {cost['generated_tokens']:,} generated, "]
    lines[-1] += f"{cost['corpus_tokens']:,} for corpora, {cost['training_tokens']:,} trained on"
    if cost["seconds"] is None:
        lines.append(f"time: {cost['basis']}")
    else:
        lines.append(f"time: at most {cost['seconds'] / 60:.0f} minutes ({cost['basis']})")
    for entry in document["minimum_detectable_effect"]:
        effects = "; ".join(f"{100 * v:.1f} points ({basis})" for basis, v in entry["effects"].items())
        lines.append(f"smallest detectable effect on {entry['task']}: {effects}")
    return "\n".join(lines)
