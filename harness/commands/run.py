"""``harness run``: run or resume an ablation, then print its tables."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.commands.output import emit, write

if TYPE_CHECKING:
    from harness.launch.submitted import Submitted
    from harness.ledger.handover import Handover


def main(arguments: argparse.Namespace) -> int:
    from harness.config import resolve
    from harness.launch import open_launcher
    from harness.launch.submitted import Submitted
    from harness.pipeline.run import prepare, run

    config = resolve(arguments.overrides)
    launcher = open_launcher(config)
    try:
        if "grade" not in config.phases:
            return _handed_over(arguments, prepare(config, arguments.runs, launcher))
        record = run(config, arguments.runs, launcher)
    except Submitted as queued:
        return _queued(arguments, queued)

    from harness.report.analysis import analyse, as_json, overall_decision
    from harness.report.tables import render_markdown

    if arguments.json:
        analyses = analyse(record)
        together = overall_decision(record, analyses)
        emit(
            {
                "run": record.run_id,
                "record": str(record.path),
                "evidence": record.head["evidence"],
                "tasks": as_json(analyses),
                "overall": {"status": together.status, "sentence": together.sentence} if together else None,
            }
        )
    else:
        write(render_markdown(record))
    return 0


def _handed_over(arguments: argparse.Namespace, handover: Handover) -> int:
    """Say what was made and what comes next."""
    if arguments.json:
        emit({"handover": handover.id, "folder": str(handover.path), "steps": sorted(handover.steps)})
        return 0
    made: dict[str, int] = {}
    for name in handover.steps:
        kind = name.split("/")[0]
        made[kind] = made.get(kind, 0) + 1
    overrides = " ".join(o for o in arguments.overrides if not o.startswith(("from=", "until=")))
    after = "grade" if "samples" in made else "generate --weights"
    phase, _, flag = after.partition(" ")
    write(
        f"{handover.path}: {', '.join(f'{n} {k}' for k, n in sorted(made.items()))}\n"
        f"here:      harness push {' '.join(filter(None, [handover.path.name, 'ADDRESS', flag]))}\n"
        f"elsewhere: harness fetch {' '.join(filter(None, [handover.path.name, 'ADDRESS', flag]))}\n"
        f"           harness run {overrides} from={phase}"
    )
    return 0


def _queued(arguments: argparse.Namespace, queued: Submitted) -> int:
    """Say what is in the queue; the same command looks again."""
    if arguments.json:
        emit({"submitted": queued.new, "jobs": queued.jobs, "logs": queued.folder})
    else:
        jobs = "\n".join(f"  {name}  {what}" for name, what in queued.jobs.items())
        write(f"{queued}\n{jobs}\nthe same command says how they stand, and prints the tables at the end")
    return 0
