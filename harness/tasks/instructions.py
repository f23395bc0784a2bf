"""The project's own instruction-following prompts, each with rules that a program can check.

In the manner of IFEval (Zhou et al., arXiv:2311.07911), strict and for the whole prompt: an answer passes when every
rule holds for its text as it stands. The prompts and the rules are this project's. What this does not measure: whether
the answer is any good beside its rules.

Each rule is a row such as ``{"rule": "words", "at_least": 5, "at_most": 9}``. Answer-format failures are told apart
from broken rules by one test made for code models: an answer that is empty, or that is code where text was asked for
(a fenced block, or a first line that begins a Python definition or import), is ``no_answer``. A prompt that asks for
code, or for JSON, which may stand in a fence of its own, says so by its rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.grade.extract import blocks, parses
from harness.grade.files import read_lines
from harness.tasks.answers import failed_format, verdict, visible
from harness.tasks.base import AnswerField, Judgement, Problem, Program
from harness.tasks.selection import content_digest
from sandbox.api import Limits, StdinTests

FORM_VERSION = 1
"""Raised when a rule's reading or the test for answer-format failures changes."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+(?=[\"'”’)]*(?:\s|$))")
_CODE_LINE = re.compile(r"(?:def \w+\(|class \w+[:(]|import \w|from \w[\w.]* import |#!/)")

Options = Mapping[str, Any]
Rule = Callable[[str, Options], bool]


def words(text: str) -> list[str]:
    """Runs of letters and digits; an apostrophe or a hyphen inside a word belongs to it."""
    return _WORD.findall(text)


def lines(text: str) -> list[str]:
    """Lines that are not blank, stripped."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _within(count: int, options: Options) -> bool:
    return bool(options.get("at_least", 0) <= count <= options.get("at_most", count))


def _mentions(text: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _json(text: str) -> Any:
    found = blocks(text)
    try:
        return json.loads(found[0].code if len(found) == 1 and text.startswith("```") else text)
    except (ValueError, RecursionError):
        return _NOTHING


_NOTHING = object()
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "list": (list,), "boolean": (bool,)}


def _json_object(text: str, options: Options) -> bool:
    value = _json(text)
    if not isinstance(value, dict) or set(value) != set(options["keys"]):
        return False
    return all(
        isinstance(value[key], _TYPES[kind]) and (kind == "boolean" or not isinstance(value[key], bool))
        for key, kind in options["keys"].items()
    )


def _json_list(text: str, options: Options) -> bool:
    value = _json(text)
    kinds = _TYPES[options["of"]]
    return isinstance(value, list) and _within(len(value), options) and all(isinstance(item, kinds) for item in value)


def _code(text: str, options: Options) -> bool:
    found = blocks(text)
    return len(found) == 1 and found[0].tag in ("python", "py") and parses(found[0].code) is not None


RULES: dict[str, Rule] = {
    "words": lambda text, o: _within(len(words(text)), o),
    "lines": lambda text, o: _within(len(lines(text)), o),
    "sentences": lambda text, o: _within(len(_SENTENCE_END.findall(text)), o),
    "paragraphs": lambda text, o: _within(len([p for p in re.split(r"\n\s*\n", text) if p.strip()]), o),
    "bullets": lambda text, o: (
        _within(sum(line.startswith(o["mark"] + " ") for line in lines(text)), o)
        and (not o.get("only") or all(line.startswith(o["mark"] + " ") for line in lines(text)))
    ),
    "numbered": lambda text, o: (
        [m[1] for m in (re.match(r"(\d+)\. \S", line) for line in lines(text)) if m]
        == [str(i + 1) for i in range(o["count"])]
    ),
    "contains": lambda text, o: all(_mentions(text, word) >= o.get("times", 1) for word in o["all"]),
    "avoids": lambda text, o: not any(_mentions(text, word) for word in o["words"]),
    "without_letter": lambda text, o: o["letter"] not in text.lower(),
    "starts": lambda text, o: text.startswith(o["text"]),
    "ends": lambda text, o: text.endswith(o["text"]),
    "matches": lambda text, o: re.fullmatch(o["pattern"], text, re.DOTALL) is not None,
    "case": lambda text, o: any(c.isalpha() for c in text) and text == getattr(text, o["to"])(),
    "without": lambda text, o: not any(mark in text for mark in o["marks"]),
    "one_of": lambda text, o: text in o["texts"],
    "sorted_lines": lambda text, o: lines(text) == sorted(lines(text), key=str.lower),
    "line_starts": lambda text, o: "".join(line[:1] for line in lines(text)).lower() == o["letters"],
    "json_object": _json_object,
    "json_list": _json_list,
    "code_block": _code,
}
"""Every rule by name: the stripped answer and the rule's options, to whether it holds."""

_ALLOW_CODE = frozenset({"json_object", "json_list", "code_block"})


@dataclass(frozen=True, slots=True)
class Instructions:
    """The task. ``Problem.tests`` is a list of rules."""

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
        """The prompt as it is; a wording of ours around it would be one more instruction to follow."""
        return [{"role": "user", "content": problem.prompt}]

    def judge(self, problem: Problem, answer: str, form: AnswerField) -> Judgement:
        """Passed where every rule holds; the detail names the broken ones."""
        text = visible(answer)
        if not text:
            return failed_format("empty answer")
        if _ALLOW_CODE.isdisjoint(r["rule"] for r in problem.tests) and is_code(text):
            return failed_format("code where text was asked for")
        broken = [r["rule"] for r in problem.tests if not RULES[r["rule"]](text, r)]
        return verdict(not broken, f"broken: {', '.join(broken)}")

    def program(self, problem: Problem, answer: str, form: AnswerField) -> Program:
        """None: answers are judged by :meth:`judge`."""
        return Program(None, "answers of this task are not programs")

    def plan(self, problem: Problem) -> StdinTests:
        """No tests."""
        return StdinTests(())

    def limits(self, problem: Problem) -> Limits:
        """Unused, since nothing is run."""
        return Limits()


def is_code(text: str) -> bool:
    """Whether an answer holds a fenced block or begins like a program."""
    return bool(blocks(text)) or _CODE_LINE.match(text) is not None


def load_instructions(path: Path | None = None) -> Instructions:
    """The prompts.

    Raises:
        BadInput: for a row that is not in the form, or a rule that does not exist (a broken installation).
    """
    path = path or Path(__file__).with_name("data") / "instructions.jsonl"
    found = []
    for number, row in enumerate(read_lines(path), 1):
        try:
            problem = Problem(row["id"], row["prompt"], "", row["rules"], row["example"], row["stratum"])
            names = {rule["rule"] for rule in row["rules"]}
        except (KeyError, TypeError) as error:
            raise BadInput(f"{path}, problem {number}: needs id, prompt, rules, example and stratum") from error
        if not names or not names <= RULES.keys():
            raise BadInput(f"{path}, problem {number}: unknown rules {sorted(names - RULES.keys())} or none at all")
        found.append(problem)
    return Instructions("instructions", tuple(found))
