"""What a task is: problems, how they are put to a model, and how an answer becomes a program with a test plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from sandbox.api import Limits, Outcome, Plan

AnswerField = Literal["completion", "solution", "response"]
"""How a sample is given: continues the prompt, is a whole program, or is raw model text to extract code from."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One prompt with its tests.

    ``prompt`` is what the benchmark publishes (for HumanEval: signature and docstring). ``tests`` is in the form its
    task understands and never leaves the grading side. ``stratum`` is the benchmark's own difficulty label, if any;
    ``date`` is the day it was first published (``2025-02-08``), where the benchmark says so.
    """

    id: str
    prompt: str
    entry_point: str
    tests: Any
    canonical_solution: str = ""
    stratum: str = ""
    meta: tuple[tuple[str, str], ...] = field(default=())
    date: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """An answer turned into a program. ``source`` is ``None`` where no code was found (``reason`` says why)."""

    source: str | None
    reason: str = ""


class Task(Protocol):
    """A named, versioned list of problems."""

    @property
    def name(self) -> str:
        """The name it is asked for by."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same answers could get other verdicts, or the model another prompt."""
        ...

    def problems(self) -> Sequence[Problem]:
        """All problems, in the benchmark's order."""
        ...

    def messages(self, problem: Problem) -> list[dict[str, str]]:
        """The chat messages put to an instruct model (the engine applies the model's own chat template)."""
        ...

    def program(self, problem: Problem, answer: str, form: AnswerField) -> Program:
        """The program an answer stands for."""
        ...

    def plan(self, problem: Problem) -> Plan:
        """How a program for ``problem`` is exercised, and what decides whether it passes."""
        ...

    def limits(self, problem: Problem) -> Limits:
        """The committed limits of this benchmark."""
        ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a task says of an answer that no program need be run for."""

    outcome: Outcome
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


@runtime_checkable
class JudgesAnswers(Protocol):
    """A task that settles some or all of its answers by reading them."""

    def judge(self, problem: Problem, answer: str, form: AnswerField) -> Judgement | None:
        """``no_answer`` where the answer has not the form asked for; ``None`` where a program must be run."""
        ...
