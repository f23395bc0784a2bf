"""How varied the answers to one problem are, from their texts alone."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

NGRAM = 4
"""Words of an n-gram."""

_WORD = re.compile(r"\w+|[^\w\s]")


def canonical_program(source: str) -> str:
    """A program without what does not change what it does: layout, comments and docstrings.

    It is the syntax tree written out again. Names stay as they are: renaming a variable makes another program. What
    does not parse is told apart by its text, blanks aside.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                _drop_docstring(node)
        return ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "\n".join(line for raw in source.splitlines() if (line := " ".join(raw.split())))


def _drop_docstring(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        # A function may consist of its docstring; it still needs a body.
        node.body = [*node.body[1:]] or ([] if isinstance(node, ast.Module) else [ast.Pass()])


def distinct_programs(programs: Sequence[str | None]) -> float | None:
    """Different programs (:func:`canonical_program`) over samples; ``None`` below two samples.

    Samples without a program count in the denominator only, so a model that stops writing code is not called diverse.
    """
    if len(programs) < 2:
        return None
    return len({canonical_program(p) for p in programs if p is not None}) / len(programs)


def distinct_ngrams(texts: Sequence[str], n: int = NGRAM) -> float | None:
    """Distinct-n (Li et al. 2016, arXiv:1510.03055): different n-grams over all n-grams of the samples together.

    Words are runs of letters, digits and underscores, and single other characters, so the measure does not depend on a
    model's tokenizer. ``None`` where no text has n words.
    """
    grams = []
    for text in texts:
        words = _WORD.findall(text)
        grams += [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def text_measures(
    texts: Sequence[str], programs: Sequence[str | None], tokens: Sequence[int]
) -> dict[str, float | None]:
    """The text-level measures of one problem's samples, by metric name. ``length`` is in the model's tokens."""
    return {
        "distinct_programs": distinct_programs(programs),
        "distinct_ngrams": distinct_ngrams(texts),
        "length": sum(tokens) / len(tokens),
    }
