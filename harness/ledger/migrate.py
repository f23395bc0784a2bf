"""Older records in today's shape. A file on disk is never rewritten: its digest is in the log.

A field that an old run did not note becomes ``None``, which every reader shows as "not recorded"; nothing is guessed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from harness.errors import BadInput

SCHEMA_VERSION = 2
"""Version of ``record.json`` that :func:`harness.ledger.record.write_record` writes."""

Head = dict[str, Any]


def migrate(head: Head, where: str) -> Head:
    """``head`` as a record of :data:`SCHEMA_VERSION`; ``written_as`` keeps the version on disk.

    Raises:
        BadInput: for a version this program does not know.
    """
    version = head.get("schema")
    if version == SCHEMA_VERSION:
        return head
    if not isinstance(version, int) or version not in STEPS:
        raise BadInput(f"{where}: schema {version}, this version reads {', '.join(map(str, [*STEPS, SCHEMA_VERSION]))}")
    new = copy.deepcopy(head)
    while new["schema"] != SCHEMA_VERSION:
        STEPS[new["schema"]](new)
        new["schema"] += 1
    return {**new, "written_as": version}


def _from_1(head: Head) -> None:
    """Version 2 added prompt digests, the grader, token counts, seeds, the model of each cell, GPU and driver."""
    for task in head["tasks"]:
        task.setdefault("prompts", None)
        task.setdefault("grader", None)
    for cell in head["cells"]:
        cell.setdefault("tokens", None)
        cell.setdefault("model", None)
    head.setdefault("seeds", sorted({c["seed"] for c in head["cells"]}))
    head.setdefault("tokens", None)
    head["environment"].setdefault("gpu", None)
    head["environment"].setdefault("driver", None)


STEPS: dict[int, Callable[[Head], None]] = {1: _from_1}
