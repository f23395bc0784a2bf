"""Reading an answer that is no program: where the final answer of a text is."""

from __future__ import annotations

import ast
import re
import warnings

from harness.grade.extract import blocks
from harness.tasks.base import Judgement
from sandbox.api import Outcome

NO_ANSWER = Outcome.NO_ANSWER


def visible(answer: str) -> str:
    """The answer without what a thinking model wrote up to its last ``</think>``."""
    return answer.rsplit("</think>", 1)[-1].strip()


def last_tagged(text: str, tag: str) -> str | None:
    """What stands in the last ``[TAG]…[/TAG]``; a missing end tag (an answer cut short) ends with the text."""
    start = text.rfind(f"[{tag}]")
    if start < 0:
        return None
    return text[start + len(tag) + 2 :].split(f"[/{tag}]", 1)[0].strip()


def last_fenced(text: str) -> str | None:
    """The last fenced block that is not empty, whatever its language."""
    found = [b.code.strip() for b in blocks(text) if b.code.strip()]
    return found[-1] if found else None


def expression(text: str) -> ast.expr | None:
    """One Python expression, or ``None``; never raises, whatever a model wrote."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def statements(text: str) -> list[ast.stmt]:
    """The statements of a piece of Python; none where it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def bare_line(text: str, start: str) -> str | None:
    """The last line that begins with ``start`` (back-ticks around it aside)."""
    for line in reversed(text.splitlines()):
        line = re.sub(r"^[\s`>*-]+|[\s`]+$", "", line)
        if line.startswith(start):
            return line
    return None


def failed_format(detail: str) -> Judgement:
    """An answer without the form that was asked for."""
    return Judgement(NO_ANSWER, detail)


def verdict(right: bool, detail: str = "") -> Judgement:
    """Right or wrong; the detail is kept for a wrong one."""
    return Judgement(Outcome.PASSED) if right else Judgement(Outcome.WRONG_ANSWER, detail[:200])
