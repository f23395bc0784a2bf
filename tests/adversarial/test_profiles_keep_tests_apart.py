"""Under every grading profile, expected outputs are out of a program's reach: a search of its process finds none.

The published graders run a program in the process that holds the expected outputs. Their profiles put stand-ins into a
candidate's process, so this is the place to show that nothing else got in.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.grade import grade_samples, open_sandbox
from harness.grade.profiles import PROFILES
from harness.tasks.livecodebench import load_livecodebench
from sandbox import Executor, Outcome

SEARCH = r"""
import gc, re, sys
# Built from parts, so that the search does not find its own pattern.
wanted = re.compile("tok" + "en-[0-9a-f]{32}")
found = set()

def look(text):
    found.update(wanted.findall(text))

for thing in gc.get_objects():
    try:
        look(repr(thing)[:1_000_000])
    except BaseException:
        pass
frame = sys._getframe()
while frame is not None:
    try:
        look(repr(frame.f_locals)[:1_000_000] + repr(frame.f_globals)[:1_000_000])
    except BaseException:
        pass
    frame = frame.f_back
for line in list(_open("/proc/self/maps")):
    bounds, rights = line.split()[:2]
    if not rights.startswith("rw"):
        continue
    begin, end = (int(b, 16) for b in bounds.split("-"))
    try:
        with _open("/proc/self/mem", "rb", 0) as memory:
            memory.seek(begin)
            while begin < end:
                part = memory.read(min(end - begin, 1 << 20))
                if not part:
                    break
                begin += len(part)
                look(part.decode("latin-1"))
    except (OSError, ValueError, OverflowError):
        continue
"""
PROGRAM = "from io import open as _open\n" + SEARCH + "print(*sorted(found) or ['none'])\n"
FUNCTION = (
    "from io import open as _open\nclass Solution:\n    def f(self, x):\n"
    + "".join(f"        {line}\n" for line in SEARCH.splitlines() if line)
    + "        return sorted(found)[0] if found else 'none'\n"
)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with open_sandbox("bubblewrap", 2) as opened:
        yield opened


def verdict(executor: Executor, folder: Path, profile: str, functional: bool, given: str, wanted: str) -> Outcome:
    kind = "functional" if functional else "stdin"
    test = {"input": json.dumps(given) if functional else given, "output": json.dumps(wanted) if functional else wanted}
    row = {
        "question_id": "search", "question_title": "Search", "question_content": "Find the token.",
        "platform": "atcoder", "contest_id": "probe", "contest_date": "2025-03-01T00:00:00", "difficulty": "easy",
        "starter_code": "class Solution:\n    def f(self, x):\n        " if functional else "",
        "public_test_cases": "[]", "private_test_cases": json.dumps([{**test, "testtype": kind}]),
        "metadata": json.dumps({"func_name": "f"} if functional else {}),
    }  # fmt: skip
    path = folder / "search.jsonl"
    path.write_text(json.dumps(row) + "\n")
    task = load_livecodebench("livecodebench_v6", str(path), profile=profile)
    source = FUNCTION if functional else PROGRAM
    (found,) = grade_samples(task, [("search", task.problems()[0], source, "solution")], executor)
    return found.outcome


@pytest.mark.parametrize("functional", [False, True], ids=["program", "function"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_search_of_the_process_finds_no_expected_output(
    profile: str, functional: bool, executor: Executor, tmp_path: Path
) -> None:
    token = f"token-{secrets.token_hex(16)}"
    assert verdict(executor, tmp_path, profile, functional, "nothing", token) is Outcome.WRONG_ANSWER
    # The control: the same search finds what *is* there, so that it does not fail for reasons of its own.
    assert verdict(executor, tmp_path, profile, functional, token, token) is Outcome.PASSED
