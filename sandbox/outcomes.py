"""From the way a process ended, and from what a candidate says of itself, to an outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.api import Call, Outcome
from sandbox.guest import codec
from sandbox.run import Ending

Finding = tuple[Outcome, str]
"""An outcome and its detail."""

BY_ENDING: dict[str, Finding] = {
    "limit cpu": (Outcome.CPU_TIMEOUT, ""),
    "limit wall": (Outcome.WALL_TIMEOUT, ""),
    "limit output": (Outcome.OUTPUT_LIMIT, "too much on stdout and stderr"),
    "limit answer": (Outcome.OUTPUT_LIMIT, "answers too large"),
    "limit files": (Outcome.OUTPUT_LIMIT, "too many files in the scratch folder"),
    "limit protocol": (Outcome.RUNTIME_ERROR, "wrote to a descriptor that is not its own"),
    "killed": (Outcome.MEMORY, "killed: out of memory"),
}
_BY_STATUS = {
    "c": Outcome.COMPILE_ERROR,
    "m": Outcome.MEMORY,
    "p": Outcome.PROCESS_LIMIT,
    "n": Outcome.RUNTIME_ERROR,
    "e": Outcome.RUNTIME_ERROR,
    "q": Outcome.RUNTIME_ERROR,
    "x": Outcome.WRONG_TYPE,
}


def ended_badly(ending: Ending) -> Finding | None:
    """The outcome that the way of ending alone implies, or ``None`` for a proper end."""
    if ending.how in ("done", "ended"):
        return None
    if ending.how in BY_ENDING:
        return BY_ENDING[ending.how]
    if ending.code < 0:
        return Outcome.RUNTIME_ERROR, f"killed by signal {-ending.code}"
    return Outcome.RUNTIME_ERROR, f"ended with exit code {ending.code} before answering"


def examined_badly(ending: Ending) -> Finding:
    """The outcome for a program whose answers an oracle did not survive."""
    if ending.how in ("limit cpu", "limit wall", "killed"):
        return BY_ENDING[ending.how][0], "while the test script examined the answer"
    return Outcome.INFRA_ERROR, f"the test script's process ended: {ending.how} {ending.code}"


def interpret(record: bytes) -> Finding:
    """A candidate's record of its own failure (or ``v``)."""
    try:
        entry = codec.parse(record)
        status = entry[0]
        if status == "v":
            return Outcome.PASSED, ""
        detail = f"{entry[1]}: {entry[2]}" + (f" (line {entry[3]})" if entry[3] else "")
        return _BY_STATUS[status], detail[:300]
    except (codec.Refused, LookupError, TypeError):
        return Outcome.RUNTIME_ERROR, "malformed report"


def compare_here(
    calls: tuple[Call, ...], records: list[bytes], compare: Callable[[Any, Any], bool], bad: Finding | None
) -> tuple[Outcome, str, int]:
    """Compare decoded data by the caller's own rule, on the host. Values are plain data by construction."""
    for index, (call, record) in enumerate(zip(calls, records, strict=False)):
        try:
            entry = codec.parse(record)
            if entry[0] != "v":
                outcome, detail = interpret(record)
                return outcome, detail, index
            value = codec.value_of(entry[1])
        except Exception:
            return Outcome.WRONG_TYPE, "malformed answer", index
        foreign = codec.contains_foreign(value)
        if foreign is not None:
            return Outcome.WRONG_TYPE, f"returned {foreign}", index
        if not compare(call.expected, value):
            return Outcome.WRONG_ANSWER, f"call {index + 1}", index
    if bad is not None:
        return bad[0], bad[1], len(records)
    return Outcome.PASSED, "", len(records)
