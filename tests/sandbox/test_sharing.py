"""Programs judged by one oracle process: which scripts allow it, and that no program reaches the next one's verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.tasks.humaneval import load_humaneval
from sandbox import CheckScript, Job, Limits, Outcome
from sandbox.guest import frames
from sandbox.pool import PoolExecutor
from sandbox.run import Run
from sandbox.scripts import GROUP
from sandbox.sharing import is_shareable

QUICK = Limits(cpu_seconds=2.0, wall_seconds=30.0, memory_bytes=256 * 2**20)


@pytest.mark.parametrize(
    "source",
    [
        "def check(candidate):\n    assert candidate(1) == 2",
        "import math, random\nfrom collections import Counter\ndef check(c):\n    assert Counter(c(3)) == Counter('a')",
        "METADATA = {'author': 'x'}\nMETADATA['author'] = 'y'\nclass A:\n    n = 1\n",
    ],
)
def test_a_script_that_changes_only_its_own_names_is_shared(source: str) -> None:
    assert is_shareable("from typing import List\n", source)


@pytest.mark.parametrize(
    "source",
    [
        "import math\nmath.pi = 3",
        "import math\ndel math.pi",
        "import collections\ncollections.Counter.n += 1",
        "import sys\nsys.setrecursionlimit(50)",
        "from os import environ",
        "import math as m\nm.__dict__['pi'] = 3",
        "import copy\ncopy._deepcopy_dispatch.clear()",
        "setattr(int, 'a', 1)",
        "exec('import math; math.pi = 3')",
        "__import__('math')",
        "f = __builtins__",
        "from . import x",
        "(:",
        "x = 1\0",
    ],
)
def test_a_script_that_might_leave_something_behind_is_not(source: str) -> None:
    assert not is_shareable("", source)
    assert not is_shareable(source, "")


def test_most_of_humaneval_is_shared() -> None:
    task = load_humaneval()
    plans = [task.plan(p) for p in task.problems()]
    assert sum(is_shareable(plan.context, plan.script) for plan in plans) > 150


def test_verdicts_of_programs_judged_together_are_those_of_programs_judged_alone(executor: PoolExecutor) -> None:
    """Every sort of end, in turn, twice as many programs as one process judges."""
    script = CheckScript(
        "def check(candidate):\n    assert candidate(2) == [2, 2]\n    assert sum(candidate(3)) == 9\n", "f"
    )
    ends = {
        "def f(x): return [x] * x": Outcome.PASSED,
        "def f(x): return [x] * 2": Outcome.WRONG_ANSWER,
        "def f(x): return x": Outcome.WRONG_ANSWER,
        "def f(x): return [x] * x if x == 2 else x": Outcome.WRONG_TYPE,
        "def f(x): return object()": Outcome.WRONG_TYPE,
        "def f(x): raise KeyError(x)": Outcome.RUNTIME_ERROR,
        "def f(x):\n    import os\n    os._exit(3)": Outcome.RUNTIME_ERROR,
        "def f(x:": Outcome.COMPILE_ERROR,
    }
    sources = list(ends) * (2 * GROUP // len(ends) + 1)
    jobs = [Job(str(i), source, script, QUICK) for i, source in enumerate(sources)]
    together = {r.key: r.outcome for r in executor.run(jobs)}
    assert together == {job.key: ends[job.source] for job in jobs}


def test_an_answer_that_exhausts_the_script_costs_no_other_program_its_verdict(executor: PoolExecutor) -> None:
    script = CheckScript("def check(candidate):\n    n = candidate(1)\n    assert len([0] * n) == 4\n", "f")
    good, greedy = "def f(x): return 4", "def f(x): return 10**10"
    sources = [good, good, greedy, good, greedy, greedy, good, good]
    jobs = [Job(str(i), source, script, QUICK) for i, source in enumerate(sources)]
    outcomes = {r.key: r.outcome for r in executor.run(jobs)}
    assert outcomes == {j.key: Outcome.PASSED if j.source == good else Outcome.MEMORY for j in jobs}


def test_a_script_that_burns_its_time_on_one_answer_judges_the_others(executor: PoolExecutor) -> None:
    endless = CheckScript(
        "def check(candidate):\n    n = candidate(1)\n    while n == 5:\n        pass\n    assert n == 4\n", "f"
    )
    assert is_shareable(endless.script)
    sources = ["def f(x): return 4", "def f(x): return 4", "def f(x): return 5", "def f(x): return 4"]
    outcomes = {r.key: r.outcome for r in executor.run(Job(str(i), s, endless, QUICK) for i, s in enumerate(sources))}
    assert [outcomes[str(i)] for i in range(4)] == [
        Outcome.PASSED, Outcome.PASSED, Outcome.CPU_TIMEOUT, Outcome.PASSED,
    ]  # fmt: skip


def test_state_of_a_script_begins_anew_for_every_program(executor: PoolExecutor) -> None:
    """Globals, mutable defaults and unseeded random numbers are the same for the tenth program as for the first."""
    script = CheckScript(
        "import random\nseen = []\n"
        "def check(candidate, cache={}):\n"
        "    assert not seen and not cache\n"
        "    seen.append(1)\n    cache[1] = 1\n"
        "    n = random.randrange(10**9)\n"
        "    assert candidate(n) == n + 1\n",
        "f",
    )
    assert is_shareable(script.script)
    jobs = [Job(str(i), "def f(x): return x + 1", script, QUICK) for i in range(10)]
    assert [r.outcome for r in executor.run(jobs)] == [Outcome.PASSED] * 10


def test_a_script_that_is_not_shared_keeps_its_own_process(executor: PoolExecutor) -> None:
    script = CheckScript(
        "import math\ndef check(candidate):\n    assert math.pi > 3.1\n    math.pi = 3\n    assert candidate(1) == 2\n",
        "f",
    )
    assert not is_shareable(script.script)
    jobs = [Job(str(i), "def f(x): return x + 1", script, QUICK) for i in range(6)]
    assert [r.outcome for r in executor.run(jobs)] == [Outcome.PASSED] * 6


def test_programs_for_many_scripts_at_once(executor: PoolExecutor) -> None:
    """Sessions that wait for others' calls and answers that wait for a group all get on, in any order of jobs."""
    scripts = [CheckScript(f"def check(candidate):\n    assert candidate({n}) == {2 * n}\n", "f") for n in range(40)]
    good, bad = "def f(x): return 2 * x", "def f(x): return 2 * x + 1"
    jobs = [Job(f"{i}", good if i % 3 else bad, scripts[i % 40], QUICK) for i in range(120)]
    by_script = sorted((replace(j, key=f"again {j.key}") for j in jobs), key=lambda j: j.plan.script)  # type: ignore[union-attr]
    for order in (jobs, by_script):
        outcomes = {r.key: r.passed for r in executor.run(order)}
        assert outcomes == {j.key: j.source == good for j in order}


@pytest.mark.slow
def test_scripts_judged_by_one_process_do_not_meet(executor: PoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among others: one that never ends on an answer, one that exhausts memory, one that is broken, two with state."""
    scripts = {
        "plain": "def check(candidate):\n    assert candidate(1) == 4\n",
        "endless": "def check(candidate):\n    n = candidate(1)\n    while n == 5:\n        pass\n    assert n == 4\n",
        "greedy": "def check(candidate):\n    n = candidate(1)\n    assert n == 4 or [0] * 10**10\n",
        "broken": "def check(candidate):\n    if candidate(1) != 4:\n        raise SystemExit\n",
        "names": "seen = 4\ndef check(candidate):\n    assert candidate(1) == seen\n",
        "no names": "def check(candidate):\n    n = candidate(1)\n    try:\n        seen\n    except NameError:\n"
        "        pass\n    assert n == 4\n",
    }
    on_five = {"endless": Outcome.CPU_TIMEOUT, "greedy": Outcome.MEMORY, "broken": Outcome.INFRA_ERROR}
    jobs = []
    for copy in range(8):  # so many that no worker is in want of work
        for name, text in scripts.items():
            plan = CheckScript(text, f"f{copy}")
            assert is_shareable(plan.script)
            for answer in (4, 5) if name != "endless" or copy == 4 else (4,):
                jobs.append(Job(f"{name}, {copy}, {answer}", f"def f{copy}(x): return {answer}", plan, QUICK))
    mixed = []
    submit = executor.submit

    def watched(run: Run) -> None:
        if run.role == "oracle" and not run.live:
            header, _ = frames.unpack(run.message)
            mixed.append(len(header["scripts"]))
        submit(run)

    list(executor.run(jobs))  # now the calls are known
    monkeypatch.setattr(executor, "submit", watched)
    outcomes = {r.key: r.outcome for r in executor.run(jobs)}
    assert max(mixed) > 3, "no process judged several scripts"
    for job in jobs:
        name, _, answer = job.key.split(", ")
        expected = Outcome.PASSED if answer == "4" else on_five.get(name, Outcome.WRONG_ANSWER)
        assert outcomes[job.key] is expected, job.key
