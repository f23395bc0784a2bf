"""Grading: samples in, verdicts out."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from harness.canonical import digest
from harness.errors import BadInput, HarnessError, MissingCapability
from harness.tasks.base import AnswerField, JudgesAnswers, Problem, Task
from sandbox import Executor, Job, Outcome, Report, SandboxError, SandboxUnavailable

MAX_INFRA_SHARE = 0.005
"""Share of infrastructure errors above which a run is not to be trusted."""

Item = tuple[str, Problem, str, AnswerField]
"""A caller's key, the problem, the answer and its form."""


class TooManyInfraErrors(HarnessError):
    """More samples than :data:`MAX_INFRA_SHARE` could not be executed for reasons of ours."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What grading says of one sample.

    ``cpu_seconds`` is the candidate's, measured by its parent. ``program`` is a digest of problem and source (empty
    without code); samples that share it were executed once. ``infra_error`` is ours: excluded and counted, not scored.
    """

    key: str
    outcome: Outcome
    passed: bool
    cpu_seconds: float = 0.0
    detail: str = ""
    tests_passed: int = 0
    tests_total: int = 0
    program: str = ""


def open_sandbox(kind: str = "auto", workers: int | None = None, **settings: object) -> Executor:
    """:func:`sandbox.open_executor` with its errors mapped to the harness's exit codes."""
    from sandbox import open_executor

    try:
        return open_executor(kind, workers, **settings)
    except SandboxUnavailable as error:
        raise MissingCapability(str(error)) from error
    except SandboxError as error:
        raise BadInput(str(error)) from error


def grade_samples(
    task: Task, items: Iterable[Item], executor: Executor, *, share_programs: bool = True
) -> Iterator[Verdict]:
    """Grade samples; one verdict each, in order of completion.

    Items are drawn lazily. Identical programs for one problem run once (``share_programs``). Infrastructure errors are
    run once more after everything else.

    Raises:
        TooManyInfraErrors: at the end, when more than :data:`MAX_INFRA_SHARE` of the samples remain unexecuted.
    """
    grader = _Grader(task, share_programs)
    for report in _reports(executor, grader.jobs(items)):
        yield from grader.verdicts(report, last=False)
    if grader.again:
        again, grader.again = grader.again, {}
        for report in _reports(executor, again.values()):
            yield from grader.verdicts(report, last=True)
    if grader.settled:
        yield from grader.settled
    if grader.infra > MAX_INFRA_SHARE * grader.total:
        raise TooManyInfraErrors(
            f"{grader.infra} of {grader.total} samples could not be executed (limit {MAX_INFRA_SHARE:.1%}); "
            f"first reason: {grader.first_reason}"
        )


def _reports(executor: Executor, jobs: Iterable[Job]) -> Iterator[Report]:
    """What the executor reports; one that fails for good in the middle is a lack of this machine."""
    try:
        yield from executor.run(jobs)
    except SandboxUnavailable as error:
        raise MissingCapability(f"{error}; what was finished is kept, the same command resumes") from error


class _Grader:
    """Bookkeeping between samples and jobs: which keys wait for which program."""

    def __init__(self, task: Task, share: bool) -> None:
        self.task = task
        self.share = share
        self.waiting: dict[str, list[str]] = {}
        self.running: dict[str, Job] = {}
        self.again: dict[str, Job] = {}
        self.done: dict[str, Report] = {}
        self.settled: collections.deque[Verdict] = collections.deque()
        self.total = 0
        self.infra = 0
        self.first_reason = ""

    def jobs(self, items: Iterable[Item]) -> Iterator[Job]:
        """One job a distinct program; keys of repeated programs are queued behind it."""
        for number, (key, problem, answer, form) in enumerate(items):
            self.total += 1
            judged = self.task.judge(problem, answer, form) if isinstance(self.task, JudgesAnswers) else None
            if judged is not None:
                self.settled.append(Verdict(key, judged.outcome, judged.passed, 0.0, judged.detail))
                continue
            program = self.task.program(problem, answer, form)
            if program.source is None:
                self.settled.append(Verdict(key, Outcome.NO_CODE, False, detail=program.reason))
                continue
            identity = program_digest(problem, program.source)
            name = identity if self.share else f"{identity}:{number}"
            if name in self.done:
                self.settled.append(_verdict(key, self.done[name], identity))
                continue
            if name in self.waiting:
                self.waiting[name].append(key)
                continue
            self.waiting[name] = [key]
            job = Job(name, program.source, self.task.plan(problem), self.task.limits(problem))
            self.running[name] = job
            yield job

    def verdicts(self, report: Report, last: bool) -> Iterator[Verdict]:
        """The verdicts a report settles, with those that needed no execution meanwhile."""
        job = self.running.pop(report.key) if not last else None
        if report.outcome is Outcome.INFRA_ERROR and job is not None:
            self.again[report.key] = job
        else:
            identity = report.key.partition(":")[0]
            keys = self.waiting.pop(report.key)
            if report.outcome is Outcome.INFRA_ERROR:
                self.infra += len(keys)
                self.first_reason = self.first_reason or report.detail
            if self.share:
                self.done[report.key] = replace(report, detail=report.detail[:120])
            for key in keys:
                yield _verdict(key, report, identity)
        while self.settled:
            yield self.settled.popleft()


def program_digest(problem: Problem, source: str) -> str:
    """Digest of a program and the problem it is for."""
    return digest([problem.id, source.encode("utf-8", "surrogatepass").hex()])


def _verdict(key: str, report: Report, identity: str) -> Verdict:
    return Verdict(
        key=key,
        outcome=report.outcome,
        passed=report.passed,
        cpu_seconds=report.cpu_seconds,
        detail=report.detail,
        tests_passed=report.tests_passed,
        tests_total=report.tests_total,
        program=identity,
    )
