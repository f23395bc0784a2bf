"""``harness publish RUN``: copy a finished run into results/records."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.ledger.record import load_record

    record = load_record(arguments.run)
    target: Path = arguments.results / "records" / record.path.name
    for source in sorted(record.path.iterdir()):
        if source.is_file():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / source.name)
    if not record.head["evidence"]:
        say(f"note: {record.head['config']['scale']['name']} scale is too small to be evidence, and its tables say so")
    if record.head["code"]["dirty"] is not False:
        say("note: this run was made from a tree with uncommitted changes, and its record says so")
    if arguments.json:
        emit({"record": str(target)})
    else:
        say(f"published {target}; `harness tables` makes its tables")
    return 0
