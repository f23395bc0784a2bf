"""Function tests as benchmarks publish them, text, read as values."""

from __future__ import annotations

import json
from typing import Any


class Unreadable(ValueError):
    """The text of a test is not in the form that a grader reads."""


def json_lines(text: str) -> tuple[Any, ...]:
    """One JSON value a line; empty lines are passed over."""
    return tuple(_json(line) for line in text.split("\n") if line.strip())


def json_lines_all(text: str) -> tuple[Any, ...]:
    """LiveCodeBench's reader: one JSON value a line, and an empty line is an error."""
    return tuple(_json(line) for line in text.split("\n"))


def json_value(text: str) -> Any:
    """One JSON value."""
    return _json(text)


def ssd_arguments(text: str) -> tuple[Any, ...]:
    """The SSD evaluator's reader.

    A text with ``=`` anywhere is taken for ``name=value`` parts between commas, whatever it is. Otherwise each line is
    a quoted string (quotes off, escapes left), a JSON list, a whole or a decimal number, or the text itself: ``false``
    and ``null`` are texts.

    Raises:
        Unreadable: where that reader fails, which its worker process does not survive.
    """
    if "=" in text:
        return tuple(_after_equals(part) for part in text.split(","))
    return tuple(_ssd_line(line.strip()) for line in text.split("\n") if line.strip())


def ssd_expected(text: str) -> Any:
    """A JSON value, else the text."""
    try:
        return _json(text.strip())
    except Unreadable:
        return text.strip()


def _after_equals(part: str) -> Any:
    pieces = part.split("=")
    if len(pieces) != 2:
        raise Unreadable(f"{part.strip()[:40]!r} is not one name=value")
    value = pieces[1].strip()
    number = _number(value)
    return value.strip('"') if number is None else number


def _ssd_line(line: str) -> Any:
    if line.startswith('"') and line.endswith('"'):
        return line.strip('"')
    if line.startswith("[") and line.endswith("]"):
        return _json(line)
    number = _number(line)
    return line if number is None else number


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{text[:40]!r} is no JSON") from error
