"""CRUXEval (Gu et al., arXiv:2401.03065): what a short function returns (-O), and what it must be given (-I).

Both ask for one assertion, ``assert f(...) == ...``, between ``[ANSWER]`` tags, as the paper's direct prompts do (the
wording is this project's). An answer is read from the last such tag, else the last fenced block, else the last line
that begins with ``assert f(`` or ``f(``, else the text itself where it is an expression; the value (-O) or the
arguments (-I) may also stand there alone. Where none of these is found, the answer has not the form asked for.

* -O: a literal is compared with the recorded output, which is a literal too; other expressions are evaluated in the
  sandbox, without ``f`` in reach (the published grader refuses answers that call ``f`` as well).
* -I: the function is run on the answer's arguments in the sandbox, and what it returns is compared there. Any input
  with the right output passes, not only the recorded one.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import BadInput
from harness.grade.extract import parses
from harness.tasks.answers import (
    bare_line,
    expression,
    failed_format,
    last_fenced,
    last_tagged,
    statements,
    verdict,
    visible,
)
from harness.tasks.base import AnswerField, Judgement, Problem, Program
from harness.tasks.hub import HubSource, rows_of
from harness.tasks.selection import content_digest
from sandbox.api import Call, Calls, Limits

FORM_VERSION = 1
"""Raised when the wording of the prompts or the reading of answers changes."""

SOURCE = HubSource("cruxeval-org/cruxeval", "", "test", "b96af0450242eb4da433032b90998f25588a5d0f", 800)

LIMITS = Limits(cpu_seconds=5.0, wall_seconds=50.0, memory_bytes=512 * 2**20, output_bytes=2**20, processes=16)
"""Committed limits. Each of the 800 recorded calls needs a few milliseconds."""

ENTRY = "prediction"
_UNLITERAL = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError)

_FORBIDDEN_NAMES = frozenset(
    {"f", "prediction", "globals", "locals", "vars", "exec", "eval", "compile", "open", "input", "breakpoint"}
    | {"getattr", "setattr", "delattr"}
)

_ASK = {
    "output": (
        "Here is a Python function and a call of it. Work out what the call returns. Do not run or change the code. "
        "Give the finished assertion, with a literal value in place of ??, between [ANSWER] and [/ANSWER]."
    ),
    "input": (
        "Here is a Python function and a value it returned. Find arguments for which it returns exactly this value. "
        "Give the finished assertion, with literal arguments in place of ??, between [ANSWER] and [/ANSWER]."
    ),
}


@dataclass(frozen=True, slots=True)
class Cruxeval:
    """One of the two tasks. ``Problem.tests`` is the recorded ``{"code", "input", "output"}``."""

    name: str
    asks: Literal["output", "input"]
    items: tuple[Problem, ...]
    version: str = ""

    def __post_init__(self) -> None:
        if not self.version:
            object.__setattr__(self, "version", f"{FORM_VERSION}-{self.asks}-{content_digest(self.items)[:12]}")

    def problems(self) -> Sequence[Problem]:
        """All problems, in the order of their file."""
        return self.items

    def messages(self, problem: Problem) -> list[dict[str, str]]:
        """One user turn: what is wanted, the function, the assertion with ``??``."""
        return [{"role": "user", "content": f"{_ASK[self.asks]}\n\n```python\n{problem.prompt}\n```"}]

    def judge(self, problem: Problem, answer: str, form: AnswerField) -> Judgement | None:
        """Settle what needs no execution."""
        found = prediction(answer, self.asks)
        if found is None:
            return failed_format(f"no {self.asks} in the form asked for")
        reached = _reaches(found)
        if reached:
            return verdict(False, f"the answer uses {reached}")
        if self.asks == "input":
            return None
        try:
            value = ast.literal_eval(found)
        except _UNLITERAL:
            return None
        return verdict(_same(value, ast.literal_eval(problem.tests["output"])), f"predicted {found}")

    def program(self, problem: Problem, answer: str, form: AnswerField) -> Program:
        """A module whose ``prediction()`` is the value predicted, or what ``f`` gives for the arguments predicted."""
        found = prediction(answer, self.asks)
        if found is None:
            return Program(None, f"no {self.asks} in the form asked for")
        if self.asks == "output":
            return Program(f"def {ENTRY}():\n    return ({found})\n")
        return Program(f"{problem.tests['code'].rstrip()}\n\n\ndef {ENTRY}():\n    return f({found})\n")

    def plan(self, problem: Problem) -> Calls:
        """One call, whose value must equal the recorded output (which the candidate never sees)."""
        return Calls(ENTRY, (Call((), ast.literal_eval(problem.tests["output"])),))

    def limits(self, problem: Problem) -> Limits:
        """The same limits for every problem."""
        return LIMITS


def load_cruxeval(name: str, asks: Literal["output", "input"], path: str = "") -> Cruxeval:
    """The 800 problems, or the rows of a file in their schema (``code input output id``).

    Raises:
        BadInput: for a file that is not in the schema.
        MissingCapability: without a path, where the Hub cannot be reached.
    """
    found: dict[str, Problem] = {}
    for at, row in rows_of(name, path, SOURCE, ("code", "input", "output", "id")):
        if row["id"] in found:
            raise BadInput(f"{at}: id {row['id']!r} occurs twice")
        found[row["id"]] = _problem(row, asks, at)
    return Cruxeval(name, asks, tuple(found.values()))


def prediction(answer: str, asks: Literal["output", "input"]) -> str | None:
    """The predicted value or argument list as one line of source, or ``None`` where there is none."""
    text = visible(answer)
    for part in (last_tagged(text, "ANSWER"), last_fenced(text), bare_line(text, "assert f("), bare_line(text, "f(")):
        if part:
            unfenced = last_fenced(part) or part
            return _read(unfenced, asks)
    return _read(text.strip("`"), asks) if text else None


def _read(text: str, asks: Literal["output", "input"]) -> str | None:
    """From an assertion, a comparison, a call or the thing itself."""
    for statement in reversed(statements(text)):
        if isinstance(statement, ast.Assert):
            return _side(statement.test, asks)
        if isinstance(statement, ast.Expr) and _calls_f(statement.value):
            return _side(statement.value, asks)
    if asks == "input":
        whole = expression(f"f({text})")
        return _arguments(whole) if isinstance(whole, ast.Call) and _calls_f(whole) else None
    value = expression(text)
    return None if value is None or isinstance(value, ast.Name) else ast.unparse(value)


def _side(test: ast.expr, asks: Literal["output", "input"]) -> str | None:
    call, value = test, None
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
        call, value = test.left, test.comparators[0]
        if not _is_call(call) and _is_call(value):
            call, value = value, call
    if not _is_call(call):
        return None
    if asks == "input":
        assert isinstance(call, ast.Call)
        return _arguments(call)
    return None if value is None else ast.unparse(value)


def _is_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "f"


def _calls_f(node: ast.expr) -> bool:
    return _is_call(node) or (isinstance(node, ast.Compare) and any(map(_is_call, [node.left, *node.comparators])))


def _arguments(call: ast.Call) -> str | None:
    """The source of a call's arguments; ``None`` where they still hold the prompt's ``??`` or an ellipsis."""
    parts = [ast.unparse(a) for a in call.args]
    parts += [f"{k.arg}={ast.unparse(k.value)}" if k.arg else f"**{ast.unparse(k.value)}" for k in call.keywords]
    if any(isinstance(a, ast.Constant) and a.value is ... for a in call.args):
        return None
    return ", ".join(parts)


def _reaches(source: str) -> str:
    """What in the answer reaches for more than values: the function itself, assignments, names that change either."""
    tree = expression(f"g({source})") or expression(source)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            return "a statement-like expression"
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in _FORBIDDEN_NAMES or name.startswith("_"):
            return name
    return ""


def _same(value: Any, expected: Any) -> bool:
    return bool(value == expected)


def _problem(row: dict[str, str], asks: Literal["output", "input"], at: str) -> Problem:
    if parses(row["code"]) is None:
        raise BadInput(f"{at}: code does not compile")
    try:
        ast.literal_eval(row["output"])
    except _UNLITERAL as error:
        raise BadInput(f"{at}: output is no Python literal") from error
    call = f"f({row['input']})"
    if expression(call) is None:
        raise BadInput(f"{at}: input is no argument list")
    asked = f"assert {call} == ??" if asks == "output" else f"assert f(??) == {row['output']}"
    right = f"[ANSWER]assert {call} == {row['output']}[/ANSWER]"
    tests = {"code": row["code"], "input": row["input"], "output": row["output"]}
    prompt = f"{row['code'].strip()}\n\n{asked}"
    return Problem(id=row["id"], prompt=prompt, entry_point="f", tests=tests, canonical_solution=right)
