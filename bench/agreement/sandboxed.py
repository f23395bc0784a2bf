"""The same programs in the sandbox, as the harness itself grades them: the task's plan, one job a program."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agreement.programs import Entry
from harness.tasks.humaneval_style import HumanEvalStyleTask
from sandbox import Executor, Job, Limits, Outcome, Report


def limits(seconds: float) -> Limits:
    """Limits by which no program of these is stopped but by its CPU time, and wall time only where it sleeps."""
    return Limits(cpu_seconds=seconds, wall_seconds=40 * seconds, memory_bytes=2**30, output_bytes=2**20)


def grade(task: HumanEvalStyleTask, entries: Sequence[Entry], executor: Executor, bounds: Limits) -> dict[str, Report]:
    """Reports by key. What our side could not execute is tried once more, as the harness does."""
    jobs = {e.key: Job(e.key, e.source, task.plan(e.problem), bounds) for e in entries}
    reports = {r.key: r for r in executor.run(jobs.values())}
    again = [jobs[k] for k, r in reports.items() if r.outcome is Outcome.INFRA_ERROR]
    reports.update({r.key: r for r in executor.run(again)})
    return reports


def rounded(report: Report) -> Report:
    """A report without the digits that differ from run to run."""
    return replace(report, cpu_seconds=round(report.cpu_seconds, 2), wall_seconds=0.0)


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Have ``count`` processes that do nothing but burn CPU time beside."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in loops:
            process.kill()
            process.wait()


@contextlib.contextmanager
def docker_engine() -> Iterator[str]:
    """Address of an engine that has the worker image: one that answers, else a private one for the time being."""
    from sandbox import SandboxUnavailable
    from sandbox.docker import connect
    from sandbox.image import build, engine

    url = os.environ.get("DOCKER_HOST", "")
    try:
        build.ensure(connect(url))
    except SandboxUnavailable:
        with engine.PrivateEngine() as private:
            build.ensure(connect(private.url))
            yield private.url
        return
    yield url
