"""A warm pool: one candidate pool, one oracle pool, one thread, no locks.

The executor is driven by the caller: :meth:`PoolExecutor.run` is a generator that does its input and output between two
reports. Limits are enforced inside the workers, so a caller that dawdles changes no verdict.
"""

from __future__ import annotations

import collections
import itertools
import os
import select
import time
from collections.abc import Iterable, Iterator

from sandbox.api import Calls, CheckScript, Job, Report
from sandbox.byvalue import CallsSession, StdinSession
from sandbox.errors import SandboxError, SandboxUnavailable, WorkerLost
from sandbox.guest import frames
from sandbox.precompile import Precompiler
from sandbox.run import Run
from sandbox.scripted import ScriptSession
from sandbox.scripts import Scripts
from sandbox.session import Session
from sandbox.worker import GRACE, Launcher, Worker

UNDER_WAY = 64
"""Jobs under way for each candidate worker: enough that programs meet where they are compiled and judged together."""

START_FAILURES = 3
"""Workers that may fail to start in a row before the executor gives up."""


class PoolExecutor:
    """An :class:`sandbox.api.Executor` over any launcher."""

    def __init__(self, launcher: Launcher, workers: int | None = None) -> None:
        cpus = len(os.sched_getaffinity(0))
        self.launcher = launcher
        self.name = launcher.name
        self.size = {"candidate": workers or cpus, "oracle": max(1, (workers or cpus) // 2)}
        self.workers: list[Worker] = []
        self.queues: dict[str, collections.deque[Run]] = {
            "candidate": collections.deque(),
            "oracle": collections.deque(),
        }
        self.finished: collections.deque[Report] = collections.deque()
        self.poller = select.poll()
        self.by_fd: dict[int, Worker] = {}
        self.numbers = 0
        self.active = 0
        self.start_failures = 0
        self.replaced = 0
        self.scripts = Scripts(self)
        self.precompiler = Precompiler(self)
        self.busy = False
        self.closed = False

    # -- the protocol ------------------------------------------------------------------------------------------------

    def run(self, jobs: Iterable[Job]) -> Iterator[Report]:
        """Yield one report a job, in order of completion."""
        if self.busy:
            raise SandboxError("this executor is already running jobs")
        self.busy = True
        source = iter(jobs)
        exhausted = False
        capacity = self.size["candidate"] * UNDER_WAY
        try:
            while True:
                while not exhausted and self.active < capacity:
                    job = next(source, None)
                    if job is None:
                        exhausted = True
                        break
                    self.active += 1
                    self.precompiler.add(self._session(job))
                while self.finished:
                    self.active -= 1
                    yield self.finished.popleft()
                if exhausted and not self.active:
                    return
                if not self.finished:
                    self.step()
        finally:
            self.busy = False
            if self.active:
                self._abandon()

    def _session(self, job: Job) -> Session:
        if isinstance(job.plan, CheckScript):
            return ScriptSession(self, job)
        return CallsSession(self, job) if isinstance(job.plan, Calls) else StdinSession(self, job)

    def describe(self) -> dict[str, str]:
        """Executor, versions, isolation features in force, interpreter inside."""
        self._ensure_greeted()
        worker = next(w for w in self.workers if w.hello is not None)
        assert worker.hello is not None
        return {
            **self.launcher.describe(),
            "python": str(worker.hello["python"]),
            "workers": f"{self.size['candidate']} candidates, {self.size['oracle']} oracles",
            "missing": ", ".join(worker.hello["missing"]),
        }

    def __enter__(self) -> PoolExecutor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove every worker and what the launcher keeps."""
        if self.closed:
            return
        self.closed = True
        for worker in list(self.workers):
            self._remove(worker)
        self.launcher.close()

    # -- for sessions ------------------------------------------------------------------------------------------------

    def number(self) -> int:
        """A fresh job number."""
        self.numbers += 1
        return self.numbers

    def submit(self, run: Run) -> None:
        """Queue a run for a worker of its role."""
        self.queues[run.role].append(run)

    def finish(self, report: Report) -> None:
        """A session is over."""
        self.finished.append(report)

    # -- input and output --------------------------------------------------------------------------------------------

    def step(self, timeout: float = 1.0) -> None:
        """Hand out work, move bytes, notice the dead."""
        if not self.queues["candidate"]:
            if self.precompiler.waiting:
                self.precompiler.flush()
            if self.scripts.ready and not self.queues["oracle"]:
                self.scripts.flush()
        self._dispatch()
        for worker in list(self.workers):
            try:
                done = worker.channel.pump_out()
            except WorkerLost as lost:
                self._lose(worker, str(lost))
                continue
            if done == worker.writing:
                worker.writing = not done
                self._watch_writes(worker)
        for fd, _ in self.poller.poll(timeout * 1000):
            ready = self.by_fd.get(fd)
            if ready is not None and fd == ready.channel.read_fd:
                self._receive(ready)
        now = time.monotonic()
        for worker in list(self.workers):
            if worker.runs and now > worker.deadline:
                self._receive(worker)  # a caller that slept may have left good news in the pipe
                if worker in self.workers and worker.runs and time.monotonic() > worker.deadline:
                    self._lose(worker, "worker stopped answering")

    def _watch_writes(self, worker: Worker) -> None:
        channel = worker.channel
        if worker.writing:
            self.by_fd[channel.write_fd] = worker
            if channel.write_fd != channel.read_fd:
                self.poller.register(channel.write_fd, select.POLLOUT)
            else:
                self.poller.modify(channel.read_fd, select.POLLIN | select.POLLOUT)
        elif channel.write_fd != channel.read_fd:
            self.poller.unregister(channel.write_fd)
            self.by_fd.pop(channel.write_fd, None)
        else:
            self.poller.modify(channel.read_fd, select.POLLIN)

    def _receive(self, worker: Worker) -> None:
        try:
            for kind, number, payload in worker.channel.pump_in():
                self._frame(worker, kind, number, payload)
                if worker not in self.workers:
                    return
        except WorkerLost as lost:
            self._lose(worker, str(lost))

    def _frame(self, worker: Worker, kind: int, number: int, payload: bytes) -> None:
        if kind == frames.HELLO:
            import json

            worker.hello = json.loads(payload)
            self.start_failures = 0
            return
        if not worker.runs or worker.runs[0].number != number:
            raise WorkerLost("worker answered for a job it does not have")
        run = worker.runs[0]
        worker.deadline = time.monotonic() + run.patience + GRACE
        if kind == frames.DATA:
            run.receive(payload)
        elif kind == frames.OUTPUT:
            run.output += payload
        elif kind == frames.EXIT:
            worker.runs.popleft()
            if worker.runs:
                worker.deadline = time.monotonic() + worker.runs[0].patience + GRACE
            clean = run.exited(payload)
            if not clean:
                self._replace(worker)

    def _dispatch(self) -> None:
        for role, queue in self.queues.items():
            if not queue or (role == "candidate" and self.scripts.full):
                continue
            mine = [w for w in self.workers if w.role == role]
            while queue:
                free = [w for w in mine if w.accepts(self.launcher.settings.pipeline)]
                idle = [w for w in free if not w.runs]
                if not idle and len(mine) < self.size[role]:
                    started = self._start(role)
                    if started is None:
                        continue
                    mine.append(started)
                    idle = [started]
                run = queue[0]
                choice = idle or free
                avoided = [w for w in choice if id(w.channel) != run.avoid]
                if not choice:
                    break
                worker = min(avoided or choice, key=lambda w: len(w.runs))
                queue.popleft()
                worker.give(run)

    # -- birth and death ---------------------------------------------------------------------------------------------

    def _start(self, role: str) -> Worker | None:
        if self.closed:
            raise SandboxError("this executor is closed")
        try:
            taken = {w.place for w in self.workers if w.role == role}
            place = next(i for i in itertools.count() if i not in taken)
            # Oracles count from the last processor, so that the first candidate does not meet the first of them.
            number = place if role == "candidate" else -1 - place
            worker = Worker(role, place, self.launcher.start(role, (number, self.size["candidate"])))
        except (OSError, SandboxError) as error:
            self._count_start_failure(str(error))
            return None
        self.workers.append(worker)
        self.by_fd[worker.channel.read_fd] = worker
        self.poller.register(worker.channel.read_fd, select.POLLIN)
        return worker

    def _count_start_failure(self, reason: str) -> None:
        self.start_failures += 1
        if self.start_failures >= START_FAILURES:
            raise SandboxUnavailable(f"{self.name}: no worker starts: {reason}")

    def _ensure_greeted(self) -> None:
        """Have at least one worker that has answered.

        Raises:
            SandboxUnavailable: when none starts.
        """
        deadline = time.monotonic() + 30.0
        while not any(w.hello is not None for w in self.workers):
            if not self.workers:
                self._start("candidate")
            self.step(0.2)
            if time.monotonic() > deadline:
                raise SandboxUnavailable(f"{self.name}: a worker started but does not answer")

    def _remove(self, worker: Worker) -> None:
        self.workers.remove(worker)
        channel = worker.channel
        self.poller.unregister(channel.read_fd)
        self.by_fd.pop(channel.read_fd, None)
        if worker.writing and channel.write_fd != channel.read_fd:
            self.poller.unregister(channel.write_fd)
            self.by_fd.pop(channel.write_fd, None)
        channel.handle.kill()

    def _lose(self, worker: Worker, reason: str) -> None:
        """A worker is gone: what it ran is tried again elsewhere; what it had queued never started."""
        self._remove(worker)
        self.replaced += 1
        if worker.hello is None:
            self._count_start_failure(reason)
        for position, run in enumerate(worker.runs):
            run.lost(reason, began=position == 0 and worker.hello is not None)

    def _replace(self, worker: Worker) -> None:
        """A worker could not be cleaned after a job: its queued jobs go to others."""
        self._remove(worker)
        self.replaced += 1
        for run in worker.runs:
            run.lost("worker replaced", began=False)

    def _abandon(self) -> None:
        """The caller stopped asking: drop what runs."""
        for queue in self.queues.values():
            queue.clear()
        for worker in [w for w in self.workers if w.runs]:
            self._remove(worker)
        self.finished.clear()
        self.scripts.forget_work()
        self.precompiler.forget_work()
        self.active = 0
