"""Which processors jobs run on: one each where a pool fills the machine, the scheduler's choice where it does not."""

from __future__ import annotations

import os

from sandbox import CheckScript, Job, Outcome
from sandbox.pool import PoolExecutor

SOURCE = "import os\ndef f(): return sorted(os.sched_getaffinity(0))"


def _seen(executor: PoolExecutor, wanted: str) -> set[Outcome]:
    script = CheckScript(f"def check(candidate):\n    assert {wanted}\n", "f")
    return {r.outcome for r in executor.run(Job(str(i), SOURCE, script) for i in range(8))}


def test_a_pool_that_fills_the_machine_keeps_each_worker_to_one_processor(executor: PoolExecutor) -> None:
    assert _seen(executor, "len(candidate()) == 1") == {Outcome.PASSED}


def test_a_smaller_pool_leaves_the_choice_to_the_scheduler(single: PoolExecutor) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    wanted = f"candidate() == {cpus}" if len(cpus) > 1 else "len(candidate()) == 1"
    assert _seen(single, wanted) == {Outcome.PASSED}


def test_a_job_cannot_leave_its_processor(executor: PoolExecutor) -> None:
    source = (
        "import os\ndef f():\n    before = os.sched_getaffinity(0)\n"
        "    try:\n        os.sched_setaffinity(0, range(64))\n    except OSError:\n        pass\n"
        "    return os.sched_getaffinity(0) == before"
    )
    script = CheckScript("def check(candidate):\n    assert candidate() is True\n", "f")
    assert [r.outcome for r in executor.run([Job("p", source, script)])] == [Outcome.PASSED]
