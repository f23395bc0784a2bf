"""One job on its way to a report: what all kinds of plans have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.api import Job, Limits, Outcome, Report
from sandbox.guest import frames
from sandbox.outcomes import interpret
from sandbox.run import Ending, Run

if TYPE_CHECKING:
    from sandbox.pool import PoolExecutor

ORACLE_LIMITS = Limits(cpu_seconds=5.0, wall_seconds=200.0, memory_bytes=2**30, output_bytes=2**20, processes=16)
"""Limits of a test script or comparison, for each program it judges."""

ATTEMPTS = 3
"""How often a job is tried, each time on another worker, before it counts as an infrastructure error."""


class Session:
    """Runs a job's processes one after the other; subclasses know the plan."""

    def __init__(self, pool: PoolExecutor, job: Job) -> None:
        self.pool = pool
        self.job = job
        self.attempts = 0
        self.avoid = 0
        self.over = False
        self.cpu = 0.0
        self.wall = 0.0
        self.code = b""  # what the source compiles to, where that is known
        self.candidate: Run | None = None
        self.oracle: Run | None = None

    def announce(self) -> None:
        """Told before :meth:`begin` where that comes later."""

    def begin(self) -> None:
        """Start (again) from nothing."""
        self.attempts += 1
        self.cpu = self.wall = 0.0
        self.start()

    def start(self) -> None:
        """Queue the first process."""
        raise NotImplementedError

    def retry(self, run: Run, reason: str, began: bool) -> None:
        """A run of this job's own was lost with its worker."""
        avoid = id(run.worker.channel) if run.worker is not None else 0
        for other in (self.candidate, self.oracle):
            if other is not None and other is not run:
                other.end()
        self.restart(reason, began, avoid)

    def restart(self, reason: str, began: bool, avoid: int) -> None:
        """Begin again elsewhere, or give up; an attempt that never began does not count."""
        if self.over:
            return
        self.drop_runs()
        if not began:
            self.attempts -= 1
        self.avoid = avoid
        if self.attempts >= ATTEMPTS:
            self.finish(Outcome.INFRA_ERROR, reason)
        else:
            self.begin()

    def drop_runs(self) -> None:
        """Hear no more of the processes queued or running for this job."""
        for run in (self.candidate, self.oracle):
            if run is not None:
                run.unheard = True
        self.candidate = self.oracle = None

    def finish(self, outcome: Outcome, detail: str = "", passed: int = 0, total: int = 0) -> None:
        """Report."""
        if self.over:
            return
        self.over = True
        self.drop_runs()
        self.pool.finish(Report(self.job.key, outcome, self.cpu, self.wall, detail[:300], passed, max(total, passed)))

    def left(self) -> Limits:
        """The limits of the next process: of one budget for the whole program, what is left of it."""
        limits = self.job.limits
        if not limits.whole_program:
            return limits
        return replace(limits, cpu_seconds=limits.cpu_seconds - self.cpu, wall_seconds=limits.wall_seconds - self.wall)

    def start_candidate(self, mode: bytes, entry: str, items: list[bytes], **options: Any) -> None:
        """Queue the candidate's process."""
        source = "" if self.code else self.job.source
        texts = [text.encode("utf-8", "surrogatepass") for text in (entry, source)]
        message = frames.pack_items([mode, *texts, self.code, *items])
        self.candidate = self._queue("candidate", self.left(), message, options)

    def start_oracle(self, header: dict[str, Any], items: list[bytes], **options: Any) -> None:
        """Queue an oracle's process for this job alone."""
        self.oracle = self._queue("oracle", ORACLE_LIMITS, frames.pack(header, items), options)

    def _queue(self, role: str, limits: Limits, message: bytes, options: dict[str, Any]) -> Run:
        run = Run(self.pool.number(), role, limits, message, on_lost=self.retry, avoid=self.avoid, **options)
        self.pool.submit(run)
        return run

    def account(self, ending: Ending) -> None:
        """Add up what the candidate used."""
        self.cpu += ending.cpu
        self.wall += ending.wall

    def not_a_program(self, record: bytes, cpu: float) -> None:
        """Finish a job whose source was found not to compile, at a cost of ``cpu`` seconds."""
        self.cpu = cpu
        self.finish(*interpret(record))

    def failed_to_load(self, run: Run) -> bool:
        """Finish when the program itself did not load. The record is the candidate's word on its own failure."""
        if not run.final:
            return False
        outcome, detail = interpret(run.final)
        self.finish(outcome, detail)
        return True
