"""The shell task: which script an answer is, and that it runs in the sandbox."""

from __future__ import annotations

import collections
import math
import re
from dataclasses import replace

import pytest

from harness.errors import MissingCapability
from harness.grade import Item
from harness.tasks import shell
from harness.tasks.selection import select
from harness.tasks.shell import find_busybox, load_shell, script_of
from sandbox import Outcome
from tests.tasks.answers import outcomes


def _text(*found: object) -> str:
    return "".join(f"{line}\n" for line in found)


def _frequency(lines: list[str]) -> list[str]:
    counted = collections.Counter(lines)
    return [f"{n} {w}" for w, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _between(lines: list[str]) -> list[str]:
    return lines[lines.index("BEGIN") + 1 : lines.index("END")]


def _lookup(lines: list[str]) -> str:
    return dict(line.split("=", 1) for line in lines[1:]).get(lines[0], "none")


BY_PYTHON = {
    "count_lines": lambda t, ls: [len(ls)],
    "upper_case": lambda t, ls: [x.upper() for x in ls],
    "sort_numbers": lambda t, ls: sorted(map(int, ls)),
    "first_three": lambda t, ls: ls[:3],
    "last_line": lambda t, ls: ls[-1:],
    "reverse_lines": lambda t, ls: ls[::-1],
    "second_word": lambda t, ls: [x.split()[1] for x in ls],
    "comma_third": lambda t, ls: [x.split(",")[2] for x in ls],
    "no_blank_lines": lambda t, ls: [x for x in ls if x],
    "unique_sorted": lambda t, ls: sorted(set(ls)),
    "sum_numbers": lambda t, ls: [sum(map(int, ls))],
    "largest_number": lambda t, ls: [max(map(int, ls))],
    "count_word": lambda t, ls: [sum("error" in x.lower() for x in ls)],
    "number_lines": lambda t, ls: [f"{i}: {x}" for i, x in enumerate(ls, 1)],
    "swap_words": lambda t, ls: [" ".join(x.split()[::-1]) for x in ls],
    "fizz": lambda t, ls: ["Fizz" if i % 3 == 0 else i for i in range(1, int(t) + 1)],
    "countdown": lambda t, ls: range(int(t), -1, -1),
    "even_or_odd": lambda t, ls: ["odd" if int(x) % 2 else "even" for x in ls],
    "longest_line": lambda t, ls: [max(ls, key=len)],
    "word_frequency": lambda t, ls: _frequency(ls),
    "trim_spaces": lambda t, ls: [x.strip(" ") for x in ls],
    "join_comma": lambda t, ls: [",".join(ls)],
    "split_colon": lambda t, ls: ls[0].split(":"),
    "file_extension": lambda t, ls: [x.rpartition(".")[2] for x in ls],
    "base_name": lambda t, ls: [x.rpartition("/")[2] for x in ls],
    "count_vowels": lambda t, ls: [sum(t.count(v) for v in "aeiou")],
    "mask_digits": lambda t, ls: ["".join("#" if c.isdigit() else c for c in x) for x in ls],
    "between_markers": lambda t, ls: _between(ls),
    "key_lookup": lambda t, ls: [_lookup(ls)],
    "column_average": lambda t, ls: [sum(int(x.split()[1]) for x in ls) // len(ls)],
    "repeat_char": lambda t, ls: [t.split()[0] * int(t.split()[1])],
    "factorial": lambda t, ls: [math.factorial(int(t))],
    "gcd": lambda t, ls: [math.gcd(*map(int, t.split()))],
    "log_levels": lambda t, ls: [f"{w} {n}" for w, n in sorted(collections.Counter(x.split()[0] for x in ls).items())],
    "drop_comments": lambda t, ls: [x for x in ls if not x.startswith("#")],
    "squeeze_spaces": lambda t, ls: [re.sub(" +", " ", x) for x in ls],
}
"""Every problem solved again in Python: the whole input and its lines, to the lines of the output."""


def test_expected_outputs_of_the_shell_problems() -> None:
    problems = load_shell().problems()
    assert len(problems) >= 30
    assert {p.id.removeprefix("shell/") for p in problems} == BY_PYTHON.keys()
    for problem in problems:
        assert len(problem.tests) >= 2
        for given_text, expected in problem.tests:
            again = _text(*BY_PYTHON[problem.id.removeprefix("shell/")](given_text, given_text.splitlines()))
            assert expected == again, problem.id
        assert len({expected for _, expected in problem.tests}) > 1, "one constant would pass"


@pytest.mark.parametrize(
    ("answer", "script"),
    [
        ("```sh\nwc -l\n```", "wc -l\n"),
        ("```\nwc -l\n```", "wc -l\n"),
        ("```bash\nfirst\n```\nor\n```bash\nwc -l\n```", "wc -l\n"),
        ("#!/bin/sh\nwc -l", "#!/bin/sh\nwc -l\n"),
        ("wc -l", "wc -l\n"),
        ("```python\nprint(len(open(0).readlines()))\n```", ""),
        ("You can count them with wc.", ""),
        ("", ""),
    ],
)
def test_scripts_of_answers(answer: str, script: str) -> None:
    assert script_of(answer) == script


needs_busybox = pytest.mark.skipif(find_busybox() is None, reason="no statically linked BusyBox on this machine")


@needs_busybox
@pytest.mark.parametrize("n", [4, pytest.param(0, marks=pytest.mark.slow)])
def test_shell_answers_are_run_by_a_shell_in_the_sandbox(n: int) -> None:
    task = load_shell()
    chosen = select(task.problems(), n)
    items: list[Item] = [(f"{p.id}:solved", p, f"```sh\n{p.canonical_solution}\n```", "response") for p in chosen]
    items += [(f"{p.id}:silent", p, "```sh\n:\n```", "response") for p in chosen]
    items += [(f"{p.id}:python", p, "```python\nprint(1)\n```", "response") for p in chosen]
    found = outcomes(task, items)
    for suffix, wanted in (("solved", Outcome.PASSED), ("silent", Outcome.WRONG_ANSWER), ("python", Outcome.NO_CODE)):
        assert {k: v.outcome for k, v in found.items() if k.endswith(suffix) and v.outcome is not wanted} == {}


@needs_busybox
def test_a_shell_script_has_the_limits_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "LIMITS", replace(shell.LIMITS, cpu_seconds=1.0))
    task = load_shell()
    problem = task.problems()[0]
    answers = {"loop": "while :; do :; done", "flood": "yes", "python": "command -v python3 || echo no"}
    found = outcomes(task, [(k, problem, a, "solution") for k, a in answers.items()])
    assert found["loop"].outcome is Outcome.CPU_TIMEOUT
    assert not found["flood"].passed
    assert found["python"].outcome is Outcome.WRONG_ANSWER, "the script reaches BusyBox's applets and nothing else"


def test_grading_shell_without_busybox_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "find_busybox", lambda: None)
    shell.packed_busybox.cache_clear()
    task = load_shell()
    with pytest.raises(MissingCapability, match="busybox-static"):
        task.plan(task.problems()[0])
    shell.packed_busybox.cache_clear()
