"""``harness list``: what can be chosen."""

from __future__ import annotations

import argparse

import ablations
from harness.commands.output import emit, write

KINDS = {
    "models": "model",
    "tasks": "task",
    "engines": "engine",
    "sandboxes": "sandbox",
    "scales": "scale",
    "launchers": "launcher",
}


def main(arguments: argparse.Namespace) -> int:
    from harness.config import options

    found: dict[str, list[str] | dict[str, str]] = {}
    if arguments.kind in (None, "ablations"):
        found["ablations"] = {name: ablations.load(name).question for name in ablations.names()}
    for kind, group in KINDS.items():
        if arguments.kind in (None, kind):
            found[kind] = options(group)
    if arguments.json:
        emit(found)
        return 0
    lines = []
    for kind, entries in found.items():
        lines.append(f"{kind}:")
        lines += (
            [f"  {n:24} {q}" for n, q in entries.items()] if isinstance(entries, dict) else [f"  {n}" for n in entries]
        )
    write("\n".join(lines))
    return 0
