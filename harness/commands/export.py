"""``harness export RUN --to FORMAT``: a record in another project's format."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.ledger.standing import find_record

    arms, tasks = arguments.arm or [], arguments.task or []
    if arguments.format == "ro-crate":
        from harness.export.ro_crate import ro_crate

        written = ro_crate(Path(arguments.run), arguments.out)
    else:
        record = find_record(arguments.run, arguments.results, arguments.runs)
        if arguments.format == "human-eval":
            from harness.export.human_eval import human_eval as write
        elif arguments.format == "evalplus":
            from harness.export.human_eval import evalplus as write
        elif arguments.format == "eval-arena":
            from harness.export.eval_arena import eval_arena as write
        else:
            from harness.export.inspect_log import inspect_logs as write
        written = write(record, arguments.out, arms, tasks)
    if arguments.json:
        emit({"wrote": [str(p) for p in written]})
    else:
        for path in written:
            say(f"wrote {path}")
    return 0
