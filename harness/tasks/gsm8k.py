"""GSM8K (Cobbe et al., arXiv:2110.14168): grade-school word problems, graded by the final number.

The format asked for is GSM8K's own: a last line ``#### <number>``. Read as final answers, the last one in the text
counting: ``#### x``, ``\\boxed{x}`` and "the answer is x"; and a text that is nothing but a number. Anything else is an
answer-format failure (``no_answer``) and not a wrong number: taking the last number of any text, as some harnesses also
report, would turn a code block given in place of an answer into a wrong calculation, which is just what the paper's
account of its AIME losses keeps apart (arXiv:2604.01193, C.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from harness.errors import BadInput
from harness.tasks.answers import failed_format, verdict, visible
from harness.tasks.base import AnswerField, Judgement, Problem, Program
from harness.tasks.hub import HubSource, rows_of
from harness.tasks.selection import content_digest
from sandbox.api import Limits, StdinTests

FORM_VERSION = 1
"""Raised when the wording of the prompt or the reading of answers changes."""

SOURCE = HubSource("openai/gsm8k", "main", "test", "e53f048856ff4f594e959d75785d2c2d37b678ee", 1319)

INSTRUCTION = (
    "Solve this problem step by step. End with one line that holds only four hash signs and the final number: "
    "#### <number>"
)
"""No example number: a 135M model answered "#### 42" to problem after problem when 42 was the example."""

_NUMBER = r"[-−]?[$€£]?\s*[-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_MARKED = re.compile(
    rf"####[ \t*]*(?P<hash>{_NUMBER})"
    rf"|\\boxed\{{[ \t]*\\?(?P<box>{_NUMBER})"
    rf"|answer[ \t]*(?:is|:|=)[ \t:*]*\\?(?P<word>{_NUMBER})",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"\**({_NUMBER})\**\s*[%.]?\**")


@dataclass(frozen=True, slots=True)
class Gsm8k:
    """The task. ``Problem.tests`` is the final number as text; no program is ever run."""

    name: str
    items: tuple[Problem, ...]
    version: str = ""

    def __post_init__(self) -> None:
        if not self.version:
            object.__setattr__(self, "version", f"{FORM_VERSION}-{content_digest(self.items)[:12]}")

    def problems(self) -> Sequence[Problem]:
        """All problems, in the order of their file."""
        return self.items

    def messages(self, problem: Problem) -> list[dict[str, str]]:
        """One user turn."""
        return [{"role": "user", "content": f"{INSTRUCTION}\n\n{problem.prompt}"}]

    def judge(self, problem: Problem, answer: str, form: AnswerField) -> Judgement:
        """Compare the final numbers as decimals: ``18``, ``18.00`` and ``$18`` are one."""
        found = final_number(answer)
        if found is None:
            return failed_format("no final number in the form asked for")
        return verdict(found == Decimal(problem.tests), f"{found} is not {problem.tests}")

    def program(self, problem: Problem, answer: str, form: AnswerField) -> Program:
        """None: answers are judged by :meth:`judge`."""
        return Program(None, "answers of this task are not programs")

    def plan(self, problem: Problem) -> StdinTests:
        """No tests."""
        return StdinTests(())

    def limits(self, problem: Problem) -> Limits:
        """Unused, since nothing is run."""
        return Limits()


def load_gsm8k(name: str = "gsm8k", path: str = "") -> Gsm8k:
    """The test split (1,319 problems), or the rows of a file in its schema (``question answer``).

    Raises:
        BadInput: for a file that is not in the schema.
        MissingCapability: without a path, where the Hub cannot be reached.
    """
    rows = rows_of(name, path, SOURCE, ("question", "answer"))
    return Gsm8k(name, tuple(_problem(number, row, at) for number, (at, row) in enumerate(rows)))


def final_number(answer: str) -> Decimal | None:
    """The final number of an answer, or ``None`` where none is marked as such."""
    text = visible(answer)
    marked = list(_MARKED.finditer(text))
    if marked:
        last = marked[-1]
        return _decimal(next(g for g in last.groups() if g is not None))
    alone = _ALONE.fullmatch(text)
    return _decimal(alone[1]) if alone else None


def _decimal(text: str) -> Decimal | None:
    negative = "-" in text or "−" in text
    try:
        value = Decimal(re.sub(r"[^\d.]", "", text))
    except InvalidOperation:
        return None
    return -value if negative else value


def _problem(number: int, row: dict[str, str], at: str) -> Problem:
    worked, separator, final = row["answer"].rpartition("####")
    value = _decimal(final.strip()) if separator and re.fullmatch(_NUMBER, final.strip()) else None
    if value is None:
        raise BadInput(f"{at}: answer does not end in '#### <number>'")
    # The published solutions hold calculator notes such as <<16-3=13>>, which are not part of the text.
    solution = re.sub(r"<<[^<>]*>>", "", worked).strip()
    return Problem(
        id=f"gsm8k/{number}",
        prompt=row["question"],
        entry_point="",
        tests=str(value),
        canonical_solution=f"{solution}\n#### {value}",
    )
