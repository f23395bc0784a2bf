"""``harness tables``: rebuild the derived files, or check that they regenerate."""

from __future__ import annotations

import argparse

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.report import rebuild

    if arguments.check:
        wrong = rebuild.differences(arguments.results)
        for name in wrong:
            say(f"differs: {name}")
        if arguments.json:
            emit({"differs": wrong})
        elif not wrong:
            say("every table regenerates, byte for byte")
        return 1 if wrong else 0
    changed = [str(p) for p in rebuild.write(arguments.results)]
    for name in changed:
        say(f"wrote {name}")
    if arguments.json:
        emit({"wrote": changed})
    return 0
