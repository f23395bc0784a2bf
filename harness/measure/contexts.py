"""Where the measured token sequences come from: samples of arms, and the benchmark's own solutions."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.grade.extract import parses
from harness.tasks.base import Problem, Task
from harness.tasks.humaneval_style import HumanEvalStyleTask

REFERENCE = "reference"
"""Name of the context of reference solutions."""


@dataclass(frozen=True, slots=True)
class Passage:
    """An answer to be read by models: its text, its tokens, and the characters ``spans`` of each token."""

    problem: str
    context: str
    index: int
    text: str
    tokens: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def reference_answer(task: Task, problem: Problem) -> str | None:
    """The benchmark's solution as an answer of the form that the task asks for; ``None`` where it has none.

    Where the prompt is code that the solution continues, the answer is the whole function in a Python block, without
    the docstring, as the task's wording asks.
    """
    if not problem.canonical_solution.strip():
        return None
    if not isinstance(task, HumanEvalStyleTask):
        return problem.canonical_solution
    source = without_docstring(problem.prompt + problem.canonical_solution, problem.entry_point)
    return f"```python\n{source.strip()}\n```"


def without_docstring(source: str, function: str) -> str:
    """The source without the lines of a function's docstring; unchanged where it does not parse or has none."""
    tree = parses(source)
    for node in tree.body if tree else ():
        if not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function):
            continue
        if ast.get_docstring(node) is None or len(node.body) < 2:
            return source
        first = node.body[0]
        lines = source.splitlines(keepends=True)
        return "".join(lines[: first.lineno - 1] + lines[first.end_lineno :])
    return source


def token_spans(tokenizer: Any, tokens: Sequence[int], text: str) -> tuple[tuple[int, int], ...]:
    """The characters of ``text`` that each token writes.

    Sampled ids need not be the ones a tokenizer would choose, so offsets come from decoding. A token that ends inside a
    character writes nothing yet; the one that completes it writes the character. Special tokens write nothing.
    """

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    ends: list[int] = []
    pieces = [decode([t]) for t in tokens]
    if "".join(pieces) == text:
        for piece in pieces:
            ends.append((ends[-1] if ends else 0) + len(piece))
    else:
        ends = [len(decode(tokens[: i + 1]).rstrip("\ufffd")) for i in range(len(tokens))]
    ends = [min(e, len(text)) for e in ends]
    return tuple(zip([0, *ends][: len(ends)], ends, strict=True))
