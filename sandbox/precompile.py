"""Programs are compiled before they are run, many by one process.

To compile executes nothing of a program, so programs may share the process that does it, as they share an oracle. One
that cannot be compiled never gets a process of its own (a third of what a small model writes); the others get their
code as a module gets it from a ``.pyc`` file. Whatever is not plain and quick here (large, slow, out of memory, a
process that ended early) is left to the program's own process, which then compiles it within its own limits: this
decides nothing but ``compile_error``, and that as the program's own process would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.api import Limits
from sandbox.guest import frames
from sandbox.run import Ending, Run

if TYPE_CHECKING:
    from sandbox.pool import PoolExecutor
    from sandbox.session import Session

GROUP = 24
"""Programs that one process compiles at most."""

FEW = 3
"""So few programs are not worth a process more."""

SOURCE_CHARACTERS = 20_000
"""Longer programs compile themselves."""

LIMITS = Limits(cpu_seconds=2.0, wall_seconds=20.0)
"""Of one process that compiles, for all its programs together."""


class Precompiler:
    """Holds jobs that have not begun until there are enough of them, or nothing else is left to do."""

    def __init__(self, pool: PoolExecutor) -> None:
        self.pool = pool
        self.waiting: list[Session] = []

    def add(self, session: Session) -> None:
        """Let a job begin, now or once it has been compiled."""
        if len(session.job.source) > SOURCE_CHARACTERS:
            session.begin()
            return
        session.announce()
        self.waiting.append(session)
        if len(self.waiting) >= GROUP:
            self.flush()

    def flush(self) -> None:
        """Compile what waits."""
        group, self.waiting = self.waiting, []
        if len(group) < FEW:
            for session in group:
                session.begin()
            return

        def over(run: Run, ending: Ending) -> None:
            for session, record in zip(group, run.records, strict=False):
                kind, body = record[:1], record[1:]
                if kind == frames.BROKEN:
                    session.not_a_program(body, ending.cpu / len(group))
                else:
                    if kind == frames.CODE:
                        session.code = body
                    session.begin()
            for session in group[len(run.records) :]:
                session.begin()

        def lost(run: Run, reason: str, began: bool) -> None:
            for session in group:
                session.begin()

        sources = [s.job.source.encode("utf-8", "surrogatepass") for s in group]
        message = frames.pack_items([frames.COMPILE, b"", b"", b"", *sources])
        self.pool.submit(Run(self.pool.number(), "candidate", LIMITS, message, on_exit=over, on_lost=lost))

    def forget_work(self) -> None:
        """Nothing is under way any more."""
        self.waiting.clear()
