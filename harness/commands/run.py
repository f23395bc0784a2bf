"""``harness run``: run or resume an ablation, then print its tables."""

from __future__ import annotations

import argparse

from harness.commands.output import emit, write


def main(arguments: argparse.Namespace) -> int:
    from harness.config import resolve
    from harness.pipeline.run import run

    config = resolve(arguments.overrides)
    record = run(config, arguments.runs)

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
