"""Samples as coloured runs of text, which a page turns into elements by ``textContent`` alone.

A sample is a model's answer: prose with fenced code, an unfinished fence, or bare code. Fences are found by line;
what is inside is read as Python; without any fence the whole is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.report.hostile import pieces

if TYPE_CHECKING:
    from pygments.lexers.python import PythonLexer
    from pygments.token import _TokenType

Runs = list[str]
"""``[kind, text, kind, text, …]``; kinds are those of :data:`KINDS` or ``""`` for plain text."""

KINDS = {
    "k": "keyword",
    "s": "string",
    "c": "comment",
    "m": "number",
    "n": "name",
    "f": "code fence",
    "x": "character that would not show",
}

LONGEST = 20_000
"""Characters of a sample that are coloured; the rest is shown plain."""

_FENCE = re.compile(r"^[ \t]*(```|~~~).*$", re.MULTILINE)


@lru_cache(maxsize=50_000)
def runs(text: str) -> tuple[str, ...]:
    """Runs of a sample. Joined, their texts are the sample with hidden characters as escapes."""
    out: list[tuple[str, str]] = []
    position, inside = 0, False
    fences = list(_FENCE.finditer(text))
    for fence in fences:
        out += _part(text[position : fence.start()], inside)
        out.append(("f", fence.group()))
        position, inside = fence.end(), not inside
    out += _part(text[position:], inside or not fences)
    return tuple(_flatten(out))


def prompt_runs(text: str) -> tuple[str, ...]:
    """Runs of a problem's prompt: Python where it looks like a function, otherwise plain."""
    looks_like_code = re.search(r"^\s*(def|class|from|import) ", text, re.MULTILINE) is not None
    return tuple(_flatten(_part(text, looks_like_code)))


def _part(text: str, code: bool) -> list[tuple[str, str]]:
    if not text:
        return []
    if not code:
        return [("", text)]
    head, rest = text[:LONGEST], text[LONGEST:]
    # Not get_tokens, which would first turn carriage returns into newlines and drop a byte-order mark.
    coloured = [(_kind(token), value) for _, token, value in _lexer().get_tokens_unprocessed(head)]
    return [*coloured, ("", rest)]


@lru_cache(maxsize=1)
def _lexer() -> PythonLexer:
    from pygments.lexers.python import PythonLexer

    return PythonLexer(ensurenl=False, stripnl=False)


@lru_cache(maxsize=1024)
def _kind(token: _TokenType) -> str:
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    kinds = (
        ("c", (Comment,)),
        ("k", (Keyword, Operator.Word)),
        ("s", (String,)),
        ("m", (Number,)),
        ("n", (Name.Function, Name.Class, Name.Decorator)),
    )
    # A token type is the tuple of its names, and those of its kind begin with the same.
    return next((kind for kind, roots in kinds if any(token[: len(root)] == root for root in roots)), "")


def _flatten(parts: list[tuple[str, str]]) -> Runs:
    """Neighbours of one kind joined, hidden characters marked."""
    out: Runs = []
    for kind, text in parts:
        for hidden, shown in pieces(text):
            wanted = "x" if hidden else kind
            if out and out[-2] == wanted:
                out[-1] += shown
            elif shown:
                out += [wanted, shown]
    return out
