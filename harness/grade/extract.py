"""Code out of a model's raw answer.

No rule is right for every model, and the rule moves scores, so it has a name and a version and belongs to the record.
``last_defining`` (ours) reads fences line by line:

* an opening fence is a line of up to three spaces, three or more back-ticks or tildes, and an info string; spaces after
  the tag, CRLF line ends and tags such as ``python3`` are accepted; a fence in another language (``bash``, ``text``,
  ``json`` …) is not code;
* a closing fence is the same character, at least as long, with nothing after it; an answer cut off by its token limit
  leaves its last fence unclosed, and everything after it counts as code;
* of the blocks that define the wanted function the last one is taken; where none defines it, the last block tagged as
  Python; where none is tagged, the last one without a tag. Small models often follow the solution with a fenced example
  of its use or of its output, which a plain "last block" rule would take instead;
* without any fence, the answer's first line that begins a definition or an import starts the code, which goes on as far
  as it compiles: base models and very small ones answer in bare code with prose around it.

Text up to the last ``</think>`` is not part of an answer.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

VERSION = "2"
"""Raised when a rule's results change."""

_OPEN = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^`\r\n]*?)[ \t]*$")
_CLOSE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*$")
_PYTHON_TAGS = frozenset({"python", "py", "python3", "py3", "python2", "ipython", "ipython3", "pycon", "gpt", "code"})
_START = re.compile(r"^(?:def |async def |class |import |from \w[\w.]* import |@\w)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its tag in lower case, its text, and whether the fence was closed."""

    tag: str
    code: str
    closed: bool


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a text, in order."""
    found: list[Block] = []
    fence, tag, indent = "", "", 0
    body: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not fence:
            opened = _OPEN.match(line)
            if opened:
                fence, indent = opened[1], len(line) - len(line.lstrip(" "))
                words = opened[2].strip("{}. ").split()
                tag = words[0].lower() if words else ""
                body = []
            continue
        closing = _CLOSE.match(line)
        if closing and closing[1][0] == fence[0] and len(closing[1]) >= len(fence):
            found.append(Block(tag, "\n".join(body), True))
            fence = ""
        else:
            body.append(line[indent:] if line[:indent].isspace() else line)
    if fence:
        found.append(Block(tag, "\n".join(body), False))
    return found


def parses(code: str) -> ast.Module | None:
    """The syntax tree, or ``None``; never raises, whatever a model wrote."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            compile(tree, "answer", "exec", dont_inherit=True)  # finds a return outside a function, say
            return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def defines(code: str, name: str) -> bool:
    """Whether the code binds ``name`` at its top level (by its syntax tree, or by its look where it has none)."""
    tree = parses(code)
    if tree is None:
        return re.search(rf"^(?:async def|def|class)[ \t]+{re.escape(name)}\b", code, re.MULTILINE) is not None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return True
        if isinstance(node, ast.Import | ast.ImportFrom) and any((a.asname or a.name) == name for a in node.names):
            return True
    return False


def _bare(text: str) -> str:
    """Code in an answer without fences: from the first definition or import as far as it compiles."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for start, line in enumerate(lines):
        if not _START.match(line):
            continue
        stop = len(lines)
        for _ in range(400):
            if stop <= start:
                break
            code = "\n".join(lines[start:stop])
            if parses(code) is not None:
                return code
            stop -= 1
        return "\n".join(lines[start:])
    return ""


def last_defining(text: str, entry_point: str) -> str:
    """Our rule; see the module's text."""
    found = [b for b in blocks(text) if b.code.strip()]
    code = [b for b in found if b.tag in _PYTHON_TAGS or not b.tag]
    if entry_point:
        for block in reversed(code):
            if defines(block.code, entry_point):
                return block.code
    tagged = [b for b in code if b.tag]
    if tagged:
        return tagged[-1].code
    if code:
        return code[-1].code
    return "" if found else _bare(text)


def last_block(text: str, entry_point: str) -> str:
    """The last fenced block whatever it holds."""
    found = blocks(text)
    return found[-1].code if found else ""


def first_block(text: str, entry_point: str) -> str:
    """The first fenced block whatever it holds."""
    found = blocks(text)
    return found[0].code if found else ""


def ssd_official(text: str, entry_point: str) -> str:
    """The SSD release's rule: a tag of letters or none, followed at once by a newline, closed; the last match wins.

    Tags such as ``python3``, a space after the tag, CRLF and unclosed fences find nothing. A fence that it does not see
    open it may see close: its end, where a newline follows, then begins the next match. ``<code>`` marks are dropped.
    """
    matches: list[str] = re.findall(r"```[a-zA-Z]*\n(.*?)```", text, re.DOTALL)
    return matches[-1].split("</code>")[0].replace("<code>", "") if matches else ""


def livecodebench(text: str, entry_point: str) -> str:
    """LiveCodeBench's rule: the lines between the last two lines that contain a fence."""
    lines = text.split("\n")
    marks = [i for i, line in enumerate(lines) if "```" in line]
    return "\n".join(lines[marks[-2] + 1 : marks[-1]]) if len(marks) >= 2 else ""


_HARMONY_FINAL = re.compile(
    r"<\|channel\|>final(?:(?!<\|message\|>).)*<\|message\|>(.*?)(?:<\|(?:end|return|start)\|>|\Z)", re.DOTALL
)


def final_answer(text: str, form: str) -> str:
    """A model's answer without what it thought before; empty where it never came to one.

    Args:
        text: the whole sample.
        form: ``plain`` (all of it), ``thinking`` (what follows the last ``</think>``: such a model's template opens the
            thought in the prompt) or ``harmony`` (gpt-oss: the last message on the channel ``final``; where special
            tokens were left out of the text, its messages begin with ``analysis`` and ``assistantfinal``).

    Raises:
        ValueError: for another form.
    """
    if form == "plain":
        return text
    if form == "thinking":
        return text.rpartition("</think>")[2] if "</think>" in text else ""
    if form != "harmony":
        raise ValueError(f"{form}: not a form of answers")
    if "<|channel|>" in text:
        found = _HARMONY_FINAL.findall(text)
        return found[-1] if found else ""
    if text.startswith("final"):
        return text.removeprefix("final")
    return text.rpartition("assistantfinal")[2] if "assistantfinal" in text else ""


RULES: dict[str, Callable[[str, str], str]] = {
    "last_defining": last_defining,
    "last_block": last_block,
    "first_block": first_block,
    "ssd_official": ssd_official,
    "livecodebench": livecodebench,
}


def extract_code(response: str, entry_point: str = "", rule: str = "last_defining") -> str:
    """The code of a raw answer, or an empty string where the rule finds none."""
    if rule == "last_defining":
        response = response.rsplit("</think>", 1)[-1]
    code = RULES[rule](response, entry_point)
    return code if code.strip() else ""
