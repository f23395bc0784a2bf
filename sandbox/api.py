"""What the sandbox offers: jobs in, reports out.

What this does not promise: see ``sandbox/README.md``. A job is one candidate program and the plan that exercises it.
The candidate runs isolated; expected outputs, test scripts and comparisons stay on the other side of a border that
only values of a closed set of types cross.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol


class Outcome(enum.StrEnum):
    """How a program ended. ``infra_error`` is our fault and never scored.

    ``no_code`` and ``no_answer`` are decided before execution: nothing in the answer has the form that was asked for (a
    program; a number, a value or a text).
    """

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    WRONG_TYPE = "wrong_type"
    RUNTIME_ERROR = "runtime_error"
    CPU_TIMEOUT = "cpu_timeout"
    WALL_TIMEOUT = "wall_timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    PROCESS_LIMIT = "process_limit"
    NO_CODE = "no_code"
    NO_ANSWER = "no_answer"
    COMPILE_ERROR = "compile_error"
    INFRA_ERROR = "infra_error"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one job. CPU time decides; wall time is a backstop of at least ten times as much.

    The times hold for each call or input of a plan, or (``whole_program``) once for all of them together.
    """

    cpu_seconds: float = 5.0
    wall_seconds: float = 50.0
    memory_bytes: int = 512 * 2**20
    output_bytes: int = 2**20
    processes: int = 16
    whole_program: bool = False


@dataclass(frozen=True, slots=True)
class CheckScript:
    """A dataset's test script that defines ``check(candidate)`` (HumanEval, MBPP), run in a sandboxed oracle.

    ``entry_point`` is the function under test. ``script`` is never visible to the candidate. ``context`` is source the
    script may need in its own namespace (helper functions of the prompt).
    """

    script: str
    entry_point: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the candidate's entry point and the value expected back (which stays with the oracle)."""

    args: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True, slots=True)
class Calls:
    """Function tests by value: ``compare(expected, actual)`` runs on the oracle's side."""

    entry_point: str
    calls: tuple[Call, ...]
    compare: Callable[[Any, Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class StdinTests:
    """Whole-program tests: text in, text out. ``compare(expected, actual)`` is the benchmark's own rule."""

    cases: tuple[tuple[str, str], ...]
    compare: Callable[[str, str], bool] | None = None


Plan = CheckScript | Calls | StdinTests


@dataclass(frozen=True, slots=True)
class Job:
    """One program to execute. ``key`` is the caller's name for it and comes back with the report."""

    key: str
    source: str
    plan: Plan
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to a job. ``cpu_seconds`` is the candidate's, measured by its parent."""

    key: str
    outcome: Outcome
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    detail: str = ""
    tests_passed: int = 0
    tests_total: int = 0

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


class Executor(Protocol):
    """Runs jobs. Use as a context manager: leaving it removes every worker, container, process and mount."""

    name: str

    def run(self, jobs: Iterable[Job]) -> Iterator[Report]:
        """Yield one report a job, in order of completion. Jobs are drawn lazily; memory stays flat."""
        ...

    def describe(self) -> dict[str, str]:
        """What a record needs: executor, versions, image digest, isolation features in force."""
        ...

    def __enter__(self) -> Executor: ...

    def __exit__(self, *exc: object) -> None: ...
