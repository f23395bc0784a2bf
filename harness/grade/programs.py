"""An answer turned into a whole program, for benchmarks whose prompt is code that the answer continues or repeats."""

from __future__ import annotations

import re
import textwrap

from harness.grade import extract
from harness.tasks.base import AnswerField, Problem, Program

_FUTURE = re.compile(r"^from __future__ import .*$", re.MULTILINE)


def preamble(problem: Problem) -> str:
    """The prompt's imports and helper functions: everything before the function that is asked for."""
    found = re.search(rf"^(?:async )?def {re.escape(problem.entry_point)}\b", problem.prompt, re.MULTILINE)
    return problem.prompt[: found.start()] if found else ""


def _with_preamble(problem: Problem, code: str) -> str:
    before = preamble(problem)
    if not before.strip():
        return code
    futures = "\n".join(_FUTURE.findall(code))
    code = _FUTURE.sub("", code)
    return f"{futures}\n{before.rstrip()}\n\n{code}" if futures else f"{before.rstrip()}\n\n{code}"


def _as_continuation(problem: Problem, code: str) -> str | None:
    """The prompt continued by a function body, indented where the model forgot to; ``None`` where that is no code."""
    for body in (code, textwrap.indent(textwrap.dedent(code), "    ")):
        source = problem.prompt.rstrip("\n") + "\n" + body
        if extract.parses(source) is not None:
            return source
    return None


def assemble(problem: Problem, answer: str, form: AnswerField, rule: str = "last_defining") -> Program:
    """The program an answer stands for.

    Args:
        problem: Its prompt is code that ends inside the function asked for (HumanEval's form).
        answer: What the model gave.
        form: ``completion`` continues the prompt, byte for byte; ``solution`` is a whole program and gets the prompt's
            imports and helper functions before it; ``response`` is raw text, from which code is extracted. Extracted
            code that defines the function is a whole program, any other is a body that continues the prompt.
        rule: Name of the extraction rule (:data:`harness.grade.extract.RULES`).

    Returns:
        A program, or no source with the reason where a response holds no code.
    """
    if form == "completion":
        return Program(problem.prompt + answer)
    if form == "solution":
        if not answer.strip():
            return Program(None, "empty solution")
        return Program(_with_preamble(problem, answer))
    code = extract.extract_code(answer, problem.entry_point, rule)
    if not code:
        return Program(None, "empty response" if not answer.strip() else "no code in the response")
    if not extract.defines(code, problem.entry_point):
        continued = _as_continuation(problem, code)
        if continued is not None:
            return Program(continued)
    return Program(_with_preamble(problem, code))
