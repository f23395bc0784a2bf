"""``harness push RUN ADDRESS``: copy a run's files to any fsspec address, by digest."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.ledger.standing import find_record
    from harness.ledger.transfer import push

    # The run's own folder goes first: the published copy may lack what is too large for git.
    record = find_record(arguments.run, arguments.results, arguments.runs, prefer_runs=True)
    moved = push(record, arguments.runs / "store", arguments.address, steps=arguments.store, weights=arguments.weights)
    if arguments.json:
        emit(asdict(moved))
    else:
        say(f"{moved.folder}: {moved.files} file(s) pushed, {moved.present} there already, {len(moved.steps)} step(s)")
    return 0
