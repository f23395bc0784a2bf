"""Rows of a benchmark: from a file that the user names, or from the Hub at a pinned revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput, MissingCapability
from harness.grade.files import read_lines


@dataclass(frozen=True, slots=True)
class HubSource:
    """A split of a data set on the Hub. ``revision`` is a commit, so that the rows cannot change under a record."""

    repository: str
    configuration: str
    split: str
    revision: str
    rows: int


def rows_of(task: str, path: str, source: HubSource, fields: Sequence[str]) -> tuple[tuple[str, dict[str, str]], ...]:
    """``(where, row)`` of every row, in order; ``where`` names the file or data set and the row, for messages.

    Args:
        task: The task's name, for messages.
        path: A ``.jsonl`` or ``.jsonl.gz`` file; empty takes the Hub.
        source: What to read from the Hub.
        fields: Columns every row must have, all texts.

    Raises:
        BadInput: for a file that cannot be read, or a row that lacks a field.
        MissingCapability: where ``datasets`` is missing, the Hub cannot be reached, or what it gave is not the pinned
            split.
    """
    if path:
        found: Sequence[Mapping[str, Any]] = read_lines(Path(path))
        origin = path
    else:
        found = _from_hub(task, source)
        origin = f"{source.repository}@{source.revision[:8]}"
    return tuple((f"{origin}, row {n}", _checked(row, fields, f"{origin}, row {n}")) for n, row in enumerate(found, 1))


def _checked(row: Mapping[str, Any], fields: Sequence[str], at: str) -> dict[str, str]:
    for field in fields:
        if field not in row:
            raise BadInput(f"{at}: no {field} (a row needs {', '.join(fields)})")
        if not isinstance(row[field], str):
            raise BadInput(f"{at}: {field} is not a string")
    return {field: row[field] for field in fields}


def _from_hub(task: str, source: HubSource) -> Sequence[Mapping[str, Any]]:
    try:
        from datasets import load_dataset  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingCapability(
            f"task={task}: the `datasets` package is missing: `pip install datasets` mends it, "
            f"or name a file with task.{task}.path=…"
        ) from error
    try:
        data = load_dataset(
            source.repository, source.configuration or None, split=source.split, revision=source.revision
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise MissingCapability(
            f"task={task}: {source.repository} at {source.revision[:8]} cannot be had from the Hub "
            f"({type(error).__name__}); name a file with task.{task}.path=…"
        ) from error
    if len(data) != source.rows:
        raise MissingCapability(
            f"task={task}: {source.repository} at {source.revision[:8]} gave {len(data)} rows, not {source.rows}"
        )
    return [dict(row) for row in data]
