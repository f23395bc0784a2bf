"""``harness publish RUN``: copy a finished run into results/, or withdraw one with a reason."""

from __future__ import annotations

import argparse

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.errors import BadInput
    from harness.ledger import log, publish
    from harness.ledger.record import load_record
    from harness.ledger.standing import find_record

    if arguments.withdraw:
        if not arguments.reason:
            raise BadInput("--withdraw needs --reason TEXT: a correction without a reason is no correction")
        event = publish.withdraw(
            find_record(str(arguments.run), arguments.results), arguments.results, arguments.reason
        )
        if arguments.json:
            emit({"withdrawn": event.subject["run"], "entry": event.index, "hash": event.hash})
        else:
            say(f"entry {event.index} of the log withdraws {event.subject['folder']}; `harness tables` leaves it out")
        return 0
    done = publish.publish(load_record(arguments.run), arguments.results, arguments.allow_dirty)
    for note in done.notes:
        say(f"note: {note}")
    if arguments.json:
        emit(
            {
                "record": str(done.record.path),
                "run": done.record.run_id,
                "left_out": list(done.left_out),
                "exploratory": done.event.subject["exploratory"],
                "log_head": done.event.hash,
            }
        )
    else:
        say(
            f"published {done.record.path}; `harness tables` makes its tables; commit {arguments.results / log.LOG} too"
        )
    return 0
