"""``harness push RUN ADDRESS``: copy a run's files to any fsspec address, by digest."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.commands.output import emit
from harness.progress import say

if TYPE_CHECKING:
    from harness.ledger.transfer import Moved


def main(arguments: argparse.Namespace) -> int:
    moved = _push(arguments)
    if arguments.json:
        emit(asdict(moved))
    else:
        say(f"{moved.folder}: {moved.files} file(s) pushed, {moved.present} there already, {len(moved.steps)} step(s)")
    return 0


def _push(arguments: argparse.Namespace) -> Moved:
    from harness.ledger.handover import find_handover, push_handover
    from harness.ledger.standing import find_record
    from harness.ledger.transfer import push

    store = arguments.runs / "store"
    handover = find_handover(arguments.run, arguments.runs)
    if handover is not None:
        return push_handover(handover, store, arguments.address, weights=arguments.weights)
    # The run's own folder goes first: the published copy may lack what is too large for git.
    record = find_record(arguments.run, arguments.results, arguments.runs, prefer_runs=True)
    return push(record, store, arguments.address, steps=arguments.store, weights=arguments.weights)
