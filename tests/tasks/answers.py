"""What the tests of tasks share: the files in ``shared``, rows to read, answers graded in a sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.grade import Item, Verdict, grade_samples, open_sandbox
from harness.tasks.base import Task

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared(name: str) -> str:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    return str(path)


def write(path: Path, *rows: dict[str, object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def outcomes(task: Task, items: list[Item]) -> dict[str, Verdict]:
    with open_sandbox("bubblewrap", 1) as executor:
        return {v.key: v for v in grade_samples(task, items, executor)}


CRUXEVAL_ROW = {"code": "def f(a, b):\n    return [a, b]", "input": "1, b='x'", "output": "[1, 'x']", "id": "s0"}
"""A problem of CRUXEval, as its file has it."""
