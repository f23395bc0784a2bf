"""``harness preregister``: write down a design before anything is run, or append a deviation from one."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.ledger import prereg

    if arguments.deviation is not None:
        return _deviate(arguments)
    document = registration(arguments.overrides)
    path = prereg.write(arguments.results, arguments.name or str(document["ablation"]), document)
    if arguments.json:
        emit({"registered": str(path), "design": document["design"]})
    else:
        say(f"wrote {path}; commit it before the run, `harness audit` checks that it came first")
    return 0


def registration(overrides: list[str]) -> dict[str, Any]:
    """The design of ``harness run`` with the same overrides, as it will stand in the registration."""

    from harness.canonical import to_plain
    from harness.config import resolve
    from harness.ledger import prereg
    from harness.ledger.provenance import code_state
    from harness.pipeline.plan import make_plan
    from harness.tasks.selection import id_list_digest

    plan = make_plan(resolve(overrides))
    config = to_plain(plan.config.recorded())
    tasks = [
        {
            "name": t.ref.name,
            "version": t.task.version,
            "problems": len(t.problems),
            "samples_per_problem": t.ref.samples_per_problem,
            "id_list": id_list_digest([p.id for p in t.problems]),
        }
        for t in plan.tasks
    ]
    head = {
        "arms": [{"name": a.name, "note": a.note, "policy": to_plain(a.policy)} for a in plan.arms],
        "contrasts": [c.row() for c in plan.contrasts],
        **({"derived": [to_plain(d) for d in plan.derived]} if plan.derived else {}),
        "tasks": tasks,
        "seeds": sorted({c.seed for c in plan.cells}),
    }
    return {
        "schema": prereg.SCHEMA_VERSION,
        "ablation": plan.ablation.name,
        "question": plan.ablation.question,
        "command": "harness run " + " ".join(overrides),
        "rule": plan.ablation.rule,
        "hypotheses": dict(plan.ablation.outcomes),
        **head,
        "exclusions": list(prereg.EXCLUSIONS),
        "stopping": "one run of the whole design; no interim looks",
        "config": {k: config[k] for k in ("settings", "model", "tasks", "train", "scale", "seed")},
        "written_at_commit": code_state()["commit"],
        "design": prereg.design_digest(plan.ablation.name, plan.ablation.rule, config, head),
    }


def _deviate(arguments: argparse.Namespace) -> int:
    from harness.errors import BadInput
    from harness.ledger import log, prereg
    from harness.nearest import nearest

    names = [r.name for r in prereg.registrations(arguments.results)]
    wanted = arguments.name or next(
        (o.removeprefix("ablation=") for o in arguments.overrides if o.startswith("ablation=")), ""
    )
    if wanted not in names:
        raise BadInput(f"--deviation: no registration called {wanted!r}{nearest(wanted, names)}")
    event = log.append(arguments.results, "deviation", {"prereg": wanted}, arguments.deviation)
    if arguments.json:
        emit({"deviation": wanted, "entry": event.index, "hash": event.hash})
    else:
        say(f"entry {event.index} of the log says how {wanted} deviates; commit {arguments.results / log.LOG}")
    return 0
