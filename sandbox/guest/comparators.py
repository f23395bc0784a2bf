"""Comparison rules by name. They run in the oracle (values) or on the host (text), never beside the candidate.

The rules follow what the named benchmarks publish; the code is this project's own.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Any


def equal(expected: Any, actual: Any) -> bool:
    """Python's own ``==``."""
    return bool(expected == actual)


VALUE_RULES: dict[str, Callable[[Any, Any], bool]] = {"equal": equal}


def same_text(expected: str, actual: str) -> bool:
    """Equal after trailing white space of every line, and empty lines at the end, are removed."""
    return [line.rstrip() for line in expected.rstrip().splitlines()] == [
        line.rstrip() for line in actual.rstrip().splitlines()
    ]


def _numbers(line: str) -> list[decimal.Decimal] | None:
    try:
        numbers = [decimal.Decimal(word) for word in line.split()]
    except decimal.InvalidOperation:
        return None
    return None if any(n.is_snan() for n in numbers) else numbers  # comparing a signalling NaN raises


def livecodebench_text(expected: str, actual: str) -> bool:
    """LiveCodeBench's rule: stripped lines, equal as text or else as white-space separated decimal numbers."""
    wanted = [line.strip() for line in expected.strip().split("\n")]
    given = [line.strip() for line in actual.strip().split("\n")]
    if len(wanted) != len(given):
        return False
    for want, have in zip(wanted, given, strict=True):
        if want == have:
            continue
        numbers = _numbers(want)
        if numbers is None or numbers != _numbers(have):
            return False
    return True


TEXT_RULES: dict[str, Callable[[str, str], bool]] = {
    "same_text": same_text,
    "livecodebench_text": livecodebench_text,
}
