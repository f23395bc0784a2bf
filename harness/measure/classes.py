"""Token classes of an answer's code, and which of them are locks and which forks.

The paper describes a lock as a position where very few tokens hold most of the mass (syntax that admits one
continuation) and a fork as one that spreads it over several plausible tokens that lead to different continuations
(arXiv:2604.01193, section 4.1); it labels no position of a real model. The mapping here is ours and fixed: see
:data:`ROLES`. It reads the answer's text and the names that the prompt gives, never a probability, so it is independent
of every model.

Labels come from Python's own tokeniser and a few tokens of context, not from a syntax tree: answers are cut off by
their token limit, and a label must not depend on text that comes long after.
"""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.grade.extract import extract_code

Role = Literal["lock", "fork", ""]

ROLES: Mapping[str, Role] = {
    "bracket": "lock",  # ( ) [ ] { }
    "delimiter": "lock",  # , : . ; -> @
    "operator": "lock",  # = + == += …
    "keyword": "lock",  # go on with a statement: in, not, and, else, as …; def of the function that was asked for
    "given": "lock",  # names that the prompt prescribes: the function's and its parameters'
    "use": "lock",  # a name that is bound elsewhere, an attribute, a keyword argument
    "piece": "lock",  # later tokens of a word that its first token began
    "choice": "fork",  # first token of a statement, for/while/if inside one, the name of what is called
    "definition": "fork",  # a name where it is first bound: parameter, assignment, loop variable, import, helper
    "literal": "",  # numbers, strings, True, False, None: content, neither syntax nor a path
    "layout": "",  # blanks and line ends, where a block goes on or ends
    "prose": "",  # comments and docstrings
    "unread": "",  # code that the tokeniser does not read
    "outside": "",  # text outside code, fences, the end token
}
"""What each class counts as. Classes without a role belong to neither group."""

_BRACKETS = frozenset("()[]{}")
_DELIMITERS = frozenset({",", ":", ".", ";", "->", "@"})
_LITERALS = frozenset({"True", "False", "None"})
_CONTINUES = frozenset({"else", "except", "finally"})
_COMPOUND = frozenset({"if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class"})
_INNER_CHOICES = frozenset({"for", "while", "if"})
_WORDS = frozenset({"keyword", "given", "use", "choice"})
_SKIPPED = frozenset({tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER, tokenize.NL})

_OPEN = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^`\r\n]*?)[ \t]*\r?$")
_CLOSE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*\r?$")
_PYTHON = re.compile(r"(python|py)[0-9.]*$", re.IGNORECASE)
_SIGNATURE = re.compile(r"\bdef\s+(\w+)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A lexical token of the code: characters ``start`` to ``end``, and its class."""

    start: int
    end: int
    kind: str


def given_names(prompt: str) -> frozenset[str]:
    """The names of functions and parameters in a prompt's signatures."""
    names: set[str] = set()
    for name, parameters in _SIGNATURE.findall(prompt):
        names.add(name)
        names.update(m[0] for p in parameters.split(",") if (m := re.search(r"\w+", p)))
    return frozenset(names)


def token_classes(text: str, spans: Sequence[tuple[int, int]], given: frozenset[str]) -> list[str]:
    """The class of each model token of an answer.

    A token takes the class of its first character that is not blank; a token that begins inside a word is a ``piece``
    of it.

    Args:
        text: the whole answer.
        spans: characters ``(start, end)`` of each token; empty ones (an end token) are ``outside``.
        given: names that the prompt prescribes.
    """
    kinds, firsts = ["outside"] * len(text), [False] * len(text)
    for start, end in code_spans(text):
        source = text[start:end]
        kinds[start:end] = ["layout" if c.isspace() else "unread" for c in source]
        for lexeme in lexemes(source, given):
            for i in range(start + lexeme.start, start + lexeme.end):
                kinds[i] = lexeme.kind
            firsts[start + lexeme.start] = True
    return [_class_of(text, kinds, firsts, start, end) for start, end in spans]


def _class_of(text: str, kinds: Sequence[str], firsts: Sequence[bool], start: int, end: int) -> str:
    at = next((i for i in range(start, end) if not text[i].isspace()), None)
    if at is None:
        return "layout" if any(kinds[i] == "layout" for i in range(start, end)) else "outside"
    return "piece" if kinds[at] in _WORDS and not firsts[at] else kinds[at]


def code_spans(text: str) -> list[tuple[int, int]]:
    """Where an answer's Python code stands: fenced blocks tagged as Python or not at all, else bare code."""
    found: list[tuple[int, int]] = []
    fence, wanted, start, at = "", False, 0, 0
    fenced = False
    for line in text.split("\n"):
        end = at + len(line) + 1
        if not fence:
            if opened := _OPEN.match(line):
                fenced, fence, start = True, opened[1], end
                words = opened[2].strip("{}. ").split()
                wanted = not words or _PYTHON.match(words[0]) is not None
        elif (closing := _CLOSE.match(line)) and closing[1][0] == fence[0] and len(closing[1]) >= len(fence):
            if wanted:
                found.append((start, at))
            fence = ""
        at = end
    if fence and wanted:
        found.append((min(start, len(text)), len(text)))  # cut off by the token limit
    if not fenced and (code := extract_code(text)) and (where := text.find(code)) >= 0:
        found.append((where, where + len(code)))
    return [(a, b) for a, b in found if a < b]


def lexemes(source: str, given: frozenset[str] = frozenset()) -> list[Lexeme]:
    """The lexical tokens of Python code with their classes, as far as the tokeniser reads it."""
    tokens = _read(source)
    starts = _line_starts(source)
    reader = _Reader(tokens, given)
    out = []
    for index, token in enumerate(tokens):
        kind = reader.kind(index)
        if kind:
            (row, column), (last, end) = token.start, token.end
            out.append(Lexeme(starts[row - 1] + column, starts[last - 1] + end, kind))
    return out


def _read(source: str) -> list[tokenize.TokenInfo]:
    """Tokens up to the first that is none."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source, newline="").readline):
            if token.type == tokenize.ERRORTOKEN and not token.string.isspace():
                break
            if token.type not in _SKIPPED:
                found.append(token)
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def _line_starts(source: str) -> list[int]:
    starts = [0]
    for line in io.StringIO(source, newline=""):
        starts.append(starts[-1] + len(line))
    return starts


class _Reader:
    """One pass over the tokens of a block, which remembers what a few tokens of context say."""

    def __init__(self, tokens: Sequence[tokenize.TokenInfo], given: frozenset[str]) -> None:
        self.tokens = tokens
        self.given = given
        self.bound: set[str] = set()
        self.first = True
        """Whether the next token begins a statement."""
        self.depth = 0
        self.head = ""
        """The word the statement began with."""
        self.header = -1
        """Depth of the parameter list we are in, if any."""
        self.targets = False
        """Whether names here are bound: before the ``=`` of an assignment, between ``for`` and ``in``."""

    def kind(self, index: int) -> str:
        token = self.tokens[index]
        if token.type == tokenize.COMMENT:
            return "prose"
        if token.type == tokenize.NEWLINE:
            self.first, self.depth, self.head, self.header, self.targets = True, 0, "", -1, False
            return ""
        first, self.first = self.first, False
        if token.type == tokenize.OP:
            return self._operator(token.string)
        if token.type == tokenize.NAME:
            return self._name(index, first)
        return "prose" if first and token.type == tokenize.STRING else "literal"

    def _operator(self, text: str) -> str:
        if text in "([{":
            self.depth += 1
        elif text in ")]}":
            self.depth -= 1
            if self.depth < self.header:
                self.header = -1
        if text in _BRACKETS:
            return "bracket"
        if text == "=" and self.depth == 0:
            self.targets = False
        if self.depth == 0 and (text == ";" or (text == ":" and self.head in _COMPOUND)):
            self.first = True
        return "literal" if text == "..." else "delimiter" if text in _DELIMITERS else "operator"

    def _name(self, index: int, first: bool) -> str:
        word, before = self.tokens[index].string, self._text(index - 1)
        if first:
            self.head = word
            self.targets = self._assigns(index)
        if word in ("def", "class"):
            self.header = self.depth + 1 if word == "def" else -1
            return "keyword" if self._text(index + 1) in self.given else "choice"
        if word in _LITERALS:
            return "literal"
        if keyword.iskeyword(word):
            if word in ("for", "in"):
                self.targets = word == "for"
            return "choice" if (first and word not in _CONTINUES) or word in _INNER_CHOICES else "keyword"
        if first:
            if self.targets:
                self.bound.add(word)
            return "choice"
        if before in ("def", "class"):
            return self._binds(word)
        if self._text(index + 1) == "(":
            return "choice"
        if word in self.given and before != ".":
            return "given"
        if self._is_bound_here(index, before):
            return self._binds(word)
        return "use"

    def _binds(self, word: str) -> str:
        if word in self.given:
            return "given"
        if word in self.bound:
            return "use"
        self.bound.add(word)
        return "definition"

    def _is_bound_here(self, index: int, before: str) -> bool:
        parameter = self.depth == self.header and before in ("(", ",", "*", "**")
        walrus = self._text(index + 1) == ":="
        return parameter or walrus or before == "as" or self.head in ("import", "from") or self._is_target(before)

    def _is_target(self, before: str) -> bool:
        return self.targets and before in ("for", ",", "(", "*")

    def _assigns(self, index: int) -> bool:
        """Whether the statement that begins here is names, commas and brackets up to an ``=``."""
        depth = 0
        for token in self.tokens[index:]:
            depth += (token.string in ("(", "[")) - (token.string in (")", "]"))
            if token.string == "=" and depth == 0:
                return True
            plain = token.type == tokenize.NAME and not keyword.iskeyword(token.string)
            if not plain and token.string not in (",", "*", "(", ")", "[", "]"):
                return False
        return False

    def _text(self, index: int) -> str:
        return self.tokens[index].string if 0 <= index < len(self.tokens) else ""
