"""``harness fetch RUN ADDRESS``: bring a run's files back, each checked against its record or handover."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.ledger.handover import fetch_handover
    from harness.ledger.transfer import fetch

    runs, address = arguments.runs, arguments.address
    moved = fetch_handover(arguments.run, runs, address, weights=arguments.weights) or fetch(
        arguments.run, arguments.results, runs, address, steps=arguments.store, weights=arguments.weights
    )
    if arguments.json:
        emit(asdict(moved))
    else:
        say(f"{moved.folder}: {moved.files} file(s) fetched, {moved.present} here already, {len(moved.steps)} step(s)")
    return 0
