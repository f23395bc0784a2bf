"""Benchmarks in HumanEval's form: a Python prompt that ends inside a function, and a script that defines ``check``.

HumanEval, the starter set and any JSON Lines file of that form (EvalPlus's MBPP among them) differ in where their
problems come from and in nothing else, so one class serves them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.grade.files import read_lines
from harness.grade.programs import assemble, preamble
from harness.tasks.base import AnswerField, Problem, Program
from harness.tasks.selection import content_digest
from sandbox.api import CheckScript, Limits

FORM_VERSION = 1
"""Raised when the wording of :meth:`HumanEvalStyleTask.messages` or the way programs are made changes."""

FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")

INSTRUCTION = (
    "Write this Python function. Answer with only the code in one Python code block. "
    "Do not repeat the docstring and do not explain."
)
"""What comes before the prompt. Chosen among five wordings in a pilot (``docs/pilots.md``)."""


@dataclass(frozen=True, slots=True)
class HumanEvalStyleTask:
    """A list of problems whose tests are ``check(candidate)`` scripts.

    ``version`` follows the content: a file with one changed test is another version, and nothing graded under the old
    one is taken for its own.
    """

    name: str
    items: tuple[Problem, ...]
    job_limits: Limits
    version: str = ""

    def __post_init__(self) -> None:
        if not self.version:
            object.__setattr__(self, "version", f"{FORM_VERSION}-{content_digest(self.items)[:12]}")

    def problems(self) -> Sequence[Problem]:
        """All problems, in the order of their file."""
        return self.items

    def messages(self, problem: Problem) -> list[dict[str, str]]:
        """One user turn: what is wanted, then the published prompt in a fenced block, unchanged."""
        return [{"role": "user", "content": f"{INSTRUCTION}\n\n```python\n{problem.prompt.strip()}\n```"}]

    def program(self, problem: Problem, answer: str, form: AnswerField) -> Program:
        """The program an answer stands for (:func:`harness.grade.programs.assemble`)."""
        return assemble(problem, answer, form)

    def plan(self, problem: Problem) -> CheckScript:
        """The published test script, which may use the helpers that the prompt defines before its function."""
        return CheckScript(script=problem.tests, entry_point=problem.entry_point, context=preamble(problem))

    def limits(self, problem: Problem) -> Limits:
        """The same limits for every problem of the task."""
        return self.job_limits


def read_problems(path: Path) -> tuple[Problem, ...]:
    """Problems of a HumanEval-form ``.jsonl`` or ``.jsonl.gz`` file, in its order.

    Every row has :data:`FIELDS`, all texts, and may have ``stratum``.

    Raises:
        BadInput: naming the file and the row, where the file cannot be read, a row is not such an object, or an id
            occurs twice; and where there is no problem at all.
    """
    found: dict[str, Problem] = {}
    for number, row in enumerate(read_lines(path), 1):
        at = f"{path}, problem {number}"
        problem = _problem(row, at)
        if problem.id in found:
            raise BadInput(f"{at}: task_id {problem.id!r} occurs twice")
        found[problem.id] = problem
    return tuple(found.values())


def _problem(row: Mapping[str, Any], at: str) -> Problem:
    for field in FIELDS:
        if field not in row:
            raise BadInput(f"{at}: no {field} (a problem needs {', '.join(FIELDS)})")
        if not isinstance(row[field], str):
            raise BadInput(f"{at}: {field} is not a string")
    entry_point = row["entry_point"].strip()  # two rows of MBPP in this form carry a space behind the name
    if not entry_point.isidentifier():
        raise BadInput(f"{at}: entry_point {row['entry_point']!r} is no Python name")
    stratum = row.get("stratum", "")
    if not isinstance(stratum, str):
        raise BadInput(f"{at}: stratum is not a string")
    return Problem(
        id=row["task_id"],
        prompt=row["prompt"],
        entry_point=entry_point,
        tests=row["test"],
        canonical_solution=row["canonical_solution"],
        stratum=stratum,
    )
