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
    cost = estimate(plan)
    document: dict[str, Any] = {
        "ablation": plan.ablation.name,
        "question": plan.ablation.question,
        "rule": plan.ablation.rule,
        "outcomes": dict(plan.ablation.outcomes),
        "arms": [{"name": a.name, "policy": to_plain(a.policy), "note": a.note} for a in plan.arms],
        "contrasts": [{"name": c.name, **c.row()} for c in plan.contrasts],
        "derived": [to_plain(d) for d in plan.derived],
        "tasks": [{**asdict(t.ref), "problems": len(t.problems), "counted": counted(t)} for t in plan.tasks],
        "seeds": sorted({c.seed for c in plan.cells}),
        "models": published_models(plan),
        "cost": {**asdict(cost), "wall_hours": cost.wall_hours, "usd": cost.usd},
        "minimum_detectable_effect": [e for t in plan.tasks for e in detectable(t, plan, arguments.results)],
    }
    if arguments.json:
        emit(document)
    else:
        write(render(document))
    return 0


def counted(loaded: Any) -> bool:
    """Whether the problems were only counted, because their files are not read for a plan."""
    return str(loaded.task.version).startswith("outline")


def published_models(plan: Any) -> list[dict[str, str]]:
    """The published models a run starts from, and whether they are pinned to a commit."""
    from harness.pipeline.plan import ancestors
    from harness.spec import BaseModel

    found = dict.fromkeys(a for m in plan.models for a in ancestors(m))
    return [
        {"source": m.source, "revision": m.revision, "pinned": pinned(m)} for m in found if isinstance(m, BaseModel)
    ]


def pinned(model: Any) -> str:
    """What holds a published model to what it is."""
    from harness.models.resolve import HUB_ID

    if model.revision:
        return f"pinned to {model.revision[:12]}"
    hub = HUB_ID.fullmatch(model.source) is not None
    return "revision not pinned yet; a run resolves it once and records it" if hub else "known by its digest"


def detectable(loaded: Any, plan: Any, results: Any) -> list[dict[str, Any]]:
    """The smallest effect on each metric that this task's design detects with 80 % power at two-sided 5 %.

    Where a committed record has the same ablation, model and task, it is that record's own smallest effect, scaled by
    the square root of the numbers of problems. Without one, three assumed spreads of per-problem differences span what
    code benchmarks show in pass@1; what is measured token by token has no such experience, and is left open.
    """
    from harness.measure.metrics import is_measured
    from harness.report.analysis import observed_effects
    from harness.stats import minimum_detectable_effect

    n = len(loaded.problems)
    seen = observed_effects(results, plan.ablation.name, plan.config.model.name, loaded.ref.name)
    out = []
    asked = dict.fromkeys(c.metric for c in plan.contrasts if c.family == "confirmatory")
    for metric in asked if asked and all(map(is_measured, asked)) else ["pass@1"]:
        if metric in seen:
            effect, problems = seen[metric]
            effects = {f"committed record of {problems} problems": effect * (problems / n) ** 0.5}
        elif metric == "pass@1":
            effects = {f"assumed SD {sd:.2f}": minimum_detectable_effect(sd, n) for sd in (0.20, 0.25, 0.30)}
        else:
            effects = {}
        out.append({"task": loaded.ref.name, "problems": n, "metric": metric, "effects": effects})
    return out


def cost_lines(cost: dict[str, Any]) -> list[str]:
    """Time, memory, storage and price for a person."""
    if cost["seconds"] is None:
        return [f"time: {cost['basis']}"]
    lines = []
    machine, expected = cost["machine"], cost["expected"]
    if machine is None:
        lines.append(f"time: at most {cost['seconds'] / 60:.0f} minutes ({cost['basis']})")
    else:
        hours, most = cost["hours"], sum(cost["hours_at_most"].values())
        parts = {"sampling": "generate", "corpora": "corpus", "training": "train", "measuring": "measure"}
        spent = ", ".join(f"{hours[key]:,.1f} {name}" for name, key in parts.items() if hours[key])
        lines += [
            f"tokens expected: {expected['generated']:,} generated, {expected['corpus']:,} for corpora, "
            f"{expected['training']:,} trained on (lengths assumed: plan.answer_tokens, plan.corpus_tokens)",
            f"GPU-hours on {machine['gpu']}: {sum(hours.values()):,.1f} expected ({spent}); at most {most:,.0f}",
            f"time and cost: {cost['wall_hours']:,.1f} hours on {machine['gpus']} GPU(s), ${cost['usd']:,.0f} at "
            f"${machine['usd_per_gpu_hour']:.2f} a GPU-hour (plan.gpu, plan.gpus, plan.usd_per_gpu_hour)",
            f"basis: {cost['basis']}",
            *memory_lines(machine),
        ]
    if cost["storage_bytes"] is not None:
        lines.append(
            f"storage: {size(cost['storage_bytes'])} of samples and weights"
            + (f", {size(cost['scratch_bytes'])} of checkpoints while training" if cost["scratch_bytes"] else "")
        )
    return lines


def memory_lines(machine: dict[str, Any]) -> list[str]:
    """What fits where."""
    decoding, training = machine["decoding"], machine["training"]
    layout = f" (say {' '.join(machine['overrides'])})" if machine["overrides"] else ""
    lines = [
        f"memory, generation: {decoding['tensor_parallel']} GPU(s) a replica, each with {decoding['weights_gib']:.1f} "
        f"GiB of weights and {decoding['cache_gib']:.1f} GiB for keys and values: {decoding['sequences']} sequences at "
        f"once at the expected length, {decoding['sequences_at_limit']} at the limit{layout}"
    ]
    if training is not None:
        said = "fits" if training["fits"] else "does NOT fit"
        lines.append(
            f"memory, training: {training['total_gib']:.1f} GiB on each of {training['processes']} GPU(s) at the "
            f"longest sequence ({training['states_gib']:.1f} weights and optimiser, {training['activations_gib']:.1f} "
            f"activations, {training['gathered_gib']:.1f} gathered and libraries): {said} in "
            f"{training['usable_gib']:.1f}; "
            f"{training['host_gib']:.0f} GiB of host memory to read the weights"
        )
        if not training["fits"]:
            fewest, longest = training["fewest_devices"], training["longest"]
            ways = [f"train.max_length={longest}"] if longest else []
            ways += [f"{fewest} GPUs (one machine is supported)"] if fewest else []
            lines.append(f"  would fit: {'; '.join([*ways, 'train=lora with fsdp', 'a GPU with more memory'])}")
    return lines


def size(count: int) -> str:
    """Bytes in the unit a person would use."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"


def render(document: dict[str, Any]) -> str:
    """The plan for a person."""
    from harness.report.numbers import is_rate
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
        design = (
            f"{task['problems']} problems × {task['samples_per_problem']} samples × {len(document['seeds'])} seed(s)"
        )
        note = " (published number; the problems themselves are not read for a plan)" if task["counted"] else ""
        lines.append(f"{task['name']}: {design}, at most {task['max_new_tokens']} new tokens each{note}")
    lines += ["", *(f"model {m['source']}: {m['pinned']}" for m in document["models"])]
    lines += ["", f"samples {cost['samples']:,}; tokens at most {cost['generated_tokens']:,} generated, "]
    lines[-1] += f"{cost['corpus_tokens']:,} for corpora, {cost['training_tokens']:,} trained on"
    lines += cost_lines(cost)
    for entry in document["minimum_detectable_effect"]:
        scale, digits, unit = (100, 1, " points") if is_rate(entry["metric"]) else (1, 3, "")
        effects = "; ".join(f"{scale * v:.{digits}f}{unit} ({basis})" for basis, v in entry["effects"].items())
        of = "" if entry["metric"] == "pass@1" else f" ({entry['metric']})"
        lines.append(
            f"smallest detectable effect on {entry['task']}{of}: {effects or 'not known before a first record'}"
        )
    return "\n".join(lines)
