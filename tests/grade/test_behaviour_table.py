"""Measured behaviour of the two published evaluators, row by row, as programs and problems with three verdicts each.

The rows are probes of the evaluator released with SSD and of LiveCodeBench's checker, both run side by side by others;
``docs/grading-profiles.md`` has the same table in words. Times are a tenth of the real ones in the fast test; the slow
one at the end takes the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.grade import Item, grade_samples, open_sandbox
from harness.grade.profiles import PROFILES, Profile
from harness.tasks.base import AnswerField
from harness.tasks.livecodebench import LiveCodeBench, load_livecodebench
from sandbox import Executor, Outcome

NAMES = ("strict", "livecodebench", "ssd_official")
PASS, WRONG, ERROR, NONE = Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR, Outcome.NO_CODE
SLOW = Outcome.CPU_TIMEOUT


@dataclass(frozen=True)
class Probe:
    """A program, its tests, and what the three profiles (in the order of :data:`NAMES`) say of it."""

    name: str
    answer: str
    private: Sequence[tuple[str, str]]
    expected: tuple[Outcome, Outcome, Outcome]
    public: Sequence[tuple[str, str]] = ()
    function: str = ""
    form: AnswerField = "solution"


def method(body: str, arguments: str = "x") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"class Solution:\n    def f(self, {arguments}):\n{lines}"


def stdin(name: str, code: str, expected: tuple[Outcome, Outcome, Outcome], **more: object) -> Probe:
    """A program for: two numbers, one a line; print their sum."""
    fields = {"private": [("3\n4\n", "7\n")], **more}
    return Probe(name, code, expected=expected, **fields)  # type: ignore[arg-type]


def call(
    name: str, code: str, given: str, wanted: str, expected: tuple[Outcome, Outcome, Outcome], **more: object
) -> Probe:
    """A method ``f`` with one test."""
    return Probe(name, code, [(given, wanted)], expected, function="f", **more)  # type: ignore[arg-type]


SUM = "print(int(input()) + int(input()))\n"
BURN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n" + SUM

ROWS = [
    # 1. Nine seconds on one test, nominal limit six.
    stdin("nine_seconds", BURN.format(0.9), (SLOW, SLOW, PASS)),
    stdin("five_seconds", BURN.format(0.4), (PASS, PASS, PASS)),
    stdin("fourteen_seconds", BURN.format(1.5), (SLOW, SLOW, SLOW)),
    # 2. A correct program that ends in exit().
    stdin("exit", SUM + "exit()\n", (PASS, PASS, ERROR)),
    stdin("sys_exit", "import sys\n" + SUM + "sys.exit(0)\n", (PASS, PASS, PASS)),
    # 3. Recursion 5,000 deep without setrecursionlimit.
    stdin("recursion", "def f(n): return n and 1 + f(n - 1)\nassert f(5000) == 5000\n" + SUM, (ERROR, PASS, ERROR)),
    stdin(
        "recursion_allowed",
        "import sys\nsys.setrecursionlimit(9000)\ndef f(n): return n and 1 + f(n - 1)\nassert f(5000) == 5000\n" + SUM,
        (PASS, PASS, PASS),
    ),
    # 4. A function argument that holds "=" and ",".
    call("equals_sign", method("return x.count('=')"), '"a=1,b=2=3"', "3", (PASS, PASS, ERROR)),
    call("one_equals_sign", method("return len(x)"), '"a=b"', "3", (PASS, PASS, WRONG)),
    # 5. false and null as arguments.
    call("false", method("return 1 if x else 0"), "false", "0", (PASS, PASS, WRONG)),
    call("null", method("return x is None"), "null", "true", (PASS, PASS, WRONG)),
    # 6. JSON escapes in a text.
    call("escapes", method("return len(x)"), '"a\\nb\\"c"', "5", (PASS, PASS, WRONG)),
    call("no_escapes", method("return len(x)"), '"abc"', "3", (PASS, PASS, PASS)),
    # 7. Whole numbers where decimal ones are expected.
    call("whole_for_decimal", method("return [1, 2]"), "0", "[1.0, 2.0]", (PASS, PASS, WRONG)),
    call("lone_whole_for_decimal", method("return 2"), "0", "2.0", (PASS, PASS, PASS)),
    # 8. A text where a number is expected.
    call("text_for_number", method("return '25'"), "0", "25", (WRONG, WRONG, PASS)),
    # 9. Graded code that replaces the comparison and prints anything. Not reproduced: nothing of it is in reach.
    stdin(
        "patches_comparison",
        "import builtins, decimal, sys\n"
        "class Any(str):\n    __eq__ = lambda *a: True\n    __ne__ = lambda *a: False\n    __hash__ = str.__hash__\n"
        "for module in list(sys.modules.values()):\n"
        "    for name in list(getattr(module, '__dict__', ())):\n"
        "        if 'compare' in name or 'livecodebench' in name or 'strip' in name:\n"
        "            try: setattr(module, name, lambda *a, **k: True)\n"
        "            except Exception: pass\n"
        "decimal.Decimal = lambda *a: 0\nprint(Any('garbage'))\n",
        (WRONG, WRONG, WRONG),
    ),
    call(
        "returns_what_equals_everything",
        "class Same(str):\n    __eq__ = lambda *a: True\n    __str__ = lambda *a: '25'\n"
        + method("import json\njson.loads = lambda *a: 0\nreturn Same('garbage')"),
        "0",
        "25",
        (WRONG, WRONG, WRONG),
    ),
    # 10. Function code that writes a file (which lands in the job's own folder and nowhere else).
    call(
        "writes_a_file",
        method("with open('probe-of-the-table', 'w') as f: f.write('x')\nreturn open('probe-of-the-table').read()"),
        "0",
        '"x"',
        (PASS, PASS, PASS),
    ),
    # 11. sys.stdin.buffer.readline twice; global in a function at the top level.
    stdin(
        "buffer_twice",
        "import sys\nread = sys.stdin.buffer.readline\nprint(int(read()) + int(read()))\n",
        (PASS, WRONG, WRONG),
    ),
    stdin(
        "global",
        "total = 0\ndef add():\n    global total\n    total += int(input())\nadd()\nadd()\nprint(total)\n",
        (PASS, ERROR, ERROR),
    ),
    # 12. Fences: tagged python3, a space after the tag, CRLF, not closed.
    stdin("fence_python", f"```python\n{SUM}```\n", (PASS, PASS, PASS), form="response"),
    stdin("fence_untagged", f"```\n{SUM}```\n", (PASS, PASS, PASS), form="response"),
    stdin("fence_python3", f"```python3\n{SUM}```\n", (PASS, PASS, NONE), form="response"),
    stdin("fence_space", f"```python \n{SUM}```\n", (PASS, PASS, NONE), form="response"),
    stdin("fence_crlf", f"```python\n{SUM}```\n".replace("\n", "\r\n"), (PASS, PASS, NONE), form="response"),
    stdin("fence_open", f"```python\n{SUM}", (PASS, NONE, NONE), form="response"),
    # 13. pandas cannot be imported. Not reproduced: there it fails every program, here only those that use it.
    stdin("pandas_missing", SUM, (PASS, PASS, PASS)),
    stdin("pandas_used", "print(pd.Series([int(input()), int(input())]).sum())\n", (ERROR, ERROR, ERROR)),
]
"""The table. Comments number its rows."""

MORE = [
    # Which tests count.
    stdin("public_only", SUM, (WRONG, WRONG, PASS), public=[("1\n1\n", "3\n")]),
    # What is imported beforehand.
    stdin("deque_unimported", "d = deque([int(input()), int(input())])\nprint(sum(d))\n", (ERROR, PASS, PASS)),
    stdin("numpy_unimported", "print(np.sum([int(input()), int(input())]))\n", (ERROR, ERROR, PASS)),
    call("typing_unimported", method("return x", "x: List[int]"), "[1]", "[1]", (PASS, PASS, PASS)),
    stdin(
        "future",
        "from __future__ import annotations\n" + SUM,
        (PASS, Outcome.COMPILE_ERROR, Outcome.COMPILE_ERROR),
    ),
    call(
        "future_in_function",
        "from __future__ import annotations\n" + method("return x"),
        "1",
        "1",
        (PASS, Outcome.COMPILE_ERROR, ERROR),
    ),
    # Standard streams.
    stdin("stdin_imported", "from sys import stdin\nprint(sum(map(int, stdin.read().split())))\n", (PASS, PASS, PASS)),
    stdin("stdout_imported", "from sys import stdout\nstdout.write('7')\n", (PASS, WRONG, WRONG)),
    stdin("stdout_buffer", "import sys\nsys.stdout.buffer.write(b'7')\n", (PASS, ERROR, ERROR)),
    stdin("os_write", "import os\nos.write(1, str(int(input()) + int(input())).encode())\n", (PASS, WRONG, WRONG)),
    stdin("open_0", "print(sum(map(int, open(0).read().split())))\n", (PASS, WRONG, PASS)),
    stdin(
        "past_the_end",
        "from sys import stdin\nt = 0\nwhile (s := stdin.readline()): t += int(s)\nprint(t)\n",
        (PASS, ERROR, ERROR),
        private=[("3\n4", "7\n")],
    ),
    stdin(
        "end_of_file", "t = 0\ntry:\n    while 1: t += int(input())\nexcept EOFError: print(t)\n", (PASS, PASS, PASS)
    ),
    # The guard of a main program.
    stdin("guard", f"def main():\n    {SUM}if __name__ == '__main__':\n    main()\n", (PASS, PASS, PASS)),
    stdin("guard_not_last", f"if __name__ == '__main__':\n    {SUM}pass\n", (PASS, WRONG, WRONG)),
    # What is taken away.
    stdin("quit", SUM + "quit()\n", (PASS, ERROR, ERROR)),
    stdin("resource", "import resource\n" + SUM, (PASS, ERROR, ERROR)),
    stdin("getcwd", "import os\nos.getcwd()\n" + SUM, (PASS, ERROR, ERROR)),
    # Functions.
    call("tuple_for_list", method("return (1, 2)"), "0", "[1, 2]", (WRONG, PASS, PASS)),
    call("true_for_one", method("return True"), "0", "1", (PASS, PASS, WRONG)),
    call("exit_in_a_function", method("import sys\nsys.exit(0)"), "0", "0", (ERROR, ERROR, ERROR)),
    call("without_a_class", "def f(x):\n    return x\n", "1", "1", (PASS, PASS, PASS)),
    call("no_such_method", "class Solution:\n    def g(self, x): return x\n", "1", "1", (ERROR, ERROR, ERROR)),
    call(
        "empty_line_after_arguments", method("return x"), "1\n", "1", (PASS, ERROR, PASS)
    ),  # LiveCodeBench reads every line as JSON
    Probe(
        "state_between_calls",
        "seen = []\n" + method("seen.append(x)\nreturn len(seen)"),
        [("1", "1"), ("2", "1")],
        (WRONG, WRONG, PASS),
        function="f",
    ),
    Probe(
        "state_of_the_object",
        "class Solution:\n    def __init__(self): self.n = 0\n    def f(self, x):\n        self.n += 1\n"
        "        return self.n\n",
        [("1", "1"), ("2", "1")],
        (PASS, WRONG, PASS),
        function="f",
    ),
    # What a comparison must survive.
    stdin("signalling_nan", "print('sNaN')\n", (WRONG, WRONG, WRONG)),
    call("decimal_snan", method("import decimal\nreturn decimal.Decimal('sNaN')"), "0", "1", (WRONG, WRONG, WRONG)),
    call("huge_integer", method("return 10 ** 6000"), "0", "1", (WRONG, WRONG, WRONG)),
]
"""Rules of the same evaluators that the table does not list, found by reading and running them."""


def task(folder: Path, probes: Sequence[Probe], profile: Profile) -> LiveCodeBench:
    """The probes as a task, through the same loader as the data set."""
    rows = []
    for probe in probes:
        kind = "functional" if probe.function else "stdin"
        tests = {
            field: json.dumps([{"input": i, "output": o, "testtype": kind} for i, o in pairs])
            for field, pairs in (("public_test_cases", probe.public), ("private_test_cases", probe.private))
        }
        row = {
            **tests,
            "question_id": probe.name,
            "question_title": probe.name,
            "question_content": "A probe.",
            "platform": "leetcode" if probe.function else "atcoder",
            "contest_id": "probe",
            "contest_date": "2025-03-01T00:00:00",
            "difficulty": "easy",
            "starter_code": "class Solution:\n    def f(self, x):\n        " if probe.function else "",
            "metadata": json.dumps({"func_name": probe.function} if probe.function else {}),
        }
        rows.append(row)
    path = folder / "probes.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    loaded = load_livecodebench("livecodebench_v6", str(path), profile=profile.name)
    return replace(loaded, profile=profile)


def verdicts(folder: Path, probes: Sequence[Probe], scale: float, executor: Executor) -> dict[tuple[str, str], Outcome]:
    """Outcomes by probe and profile, all times multiplied by ``scale``."""
    found = {}
    for name in NAMES:
        profile = replace(PROFILES[name], seconds_per_test=scale * PROFILES[name].seconds_per_test)
        loaded = task(folder, probes, profile)
        items: list[Item] = [(p.name, q, p.answer, p.form) for p, q in zip(probes, loaded.problems(), strict=True)]
        for verdict in grade_samples(loaded, items, executor):
            assert verdict.passed == (verdict.outcome is Outcome.PASSED)
            found[verdict.key, name] = verdict.outcome
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, executor: Executor) -> dict[tuple[str, str], Outcome]:
    return verdicts(tmp_path_factory.mktemp("probes"), [*ROWS, *MORE], 0.1, executor)


@pytest.mark.parametrize("probe", [*ROWS, *MORE], ids=lambda p: p.name)
def test_a_row_of_the_table(probe: Probe, graded: dict[tuple[str, str], Outcome]) -> None:
    assert tuple(graded[probe.name, name] for name in NAMES) == probe.expected


def test_names_are_told_apart() -> None:
    names = [p.name for p in [*ROWS, *MORE]]
    assert len(set(names)) == len(names)


def test_a_file_that_graded_code_writes_is_not_here(graded: dict[tuple[str, str], Outcome]) -> None:
    assert graded["writes_a_file", "ssd_official"] is PASS
    assert not Path("probe-of-the-table").exists()
    assert not Path("/tmp/probe-of-the-table").exists()


@pytest.mark.slow
def test_nine_seconds_of_cpu_time_for_real(tmp_path: Path) -> None:
    probes = [stdin("nine_seconds", BURN.format(9), (SLOW, SLOW, PASS))]
    with open_sandbox("bubblewrap", 2) as executor:
        graded = verdicts(tmp_path, probes, 1.0, executor)
    assert tuple(graded["nine_seconds", name] for name in NAMES) == probes[0].expected


def test_the_page_of_documentation_says_what_the_programs_show() -> None:
    page = Path(__file__).parents[2] / "docs" / "grading-profiles.md"
    lines = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in page.read_text().splitlines()]
    told = {cells[1].strip("`"): tuple(cells[2:]) for cells in lines if len(cells) == 5 and cells[1].startswith("`")}
    shown = {p.name: tuple("pass" if o is PASS else "fail" for o in p.expected) for p in [*ROWS, *MORE]}
    assert told == shown
