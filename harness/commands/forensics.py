"""``harness forensics FILE.yaml``: arithmetic and granularity checks of a published table."""

from __future__ import annotations

import argparse

from harness.commands.output import emit, write


def main(arguments: argparse.Namespace) -> int:
    from harness.forensics.command import run

    markdown, document = run(arguments.file, arguments.out)
    if arguments.json:
        emit(document)
    elif arguments.out is None:
        write(markdown)
    return 0
