"""One process inside a worker, from the host's side: what it is told, what it said, whom its end concerns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.api import Limits
from sandbox.guest import frames

if TYPE_CHECKING:
    from sandbox.worker import Worker

ANSWER_BYTES = 32 * 2**20
"""Bytes one program may send across the border in all its answers."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended, in its supervisor's words. Times are in seconds."""

    how: str
    code: int
    cpu: float
    wall: float
    clean: bool


class Run:
    """One process inside a worker.

    Args:
        number: The pool's number for it.
        role: ``candidate`` or ``oracle``.
        limits: Of each of its tests.
        message: What its process reads first.
        on_exit: Told of its end.
        on_lost: Told that its worker is gone: why, and whether it had begun.
        on_wait: Told what it says when it waits for the host.
        tests: Programs or calls that it takes in turn, each with the limits to itself.
        capture: Whether its standard output is wanted.
        live: Whether it talks with the host while it runs; nothing is queued behind such a run.
        avoid: Identity of a worker's channel that it should not be given to.
    """

    def __init__(
        self,
        number: int,
        role: str,
        limits: Limits,
        message: bytes,
        *,
        on_exit: Callable[[Run, Ending], None],
        on_lost: Callable[[Run, str, bool], None],
        on_wait: Callable[[bytes], None] | None = None,
        tests: int = 1,
        capture: bool = False,
        live: bool = False,
        avoid: int = 0,
    ) -> None:
        self.number = number
        self.role = role
        self.message = message
        self.live = live
        self.patience = limits.wall_seconds
        self.worker: Worker | None = None
        self.avoid = avoid
        self.unheard = False
        self.stream = bytearray()
        self.records: list[bytes] = []
        self.final: bytes | None = None
        self.output = bytearray()
        self.header = frames.LIMITS.pack(
            limits.cpu_seconds, limits.wall_seconds, limits.memory_bytes, limits.output_bytes, ANSWER_BYTES,
            limits.processes, tests, tests > 1, capture,
        )  # fmt: skip
        self.on_wait = on_wait
        self.on_exit = on_exit
        self.on_lost = on_lost

    def receive(self, payload: bytes) -> None:
        """Bytes of the job's stream."""
        self.stream += payload
        position, size = 0, frames.JOB.size
        while len(self.stream) - position >= size:
            length, kind = frames.JOB.unpack_from(self.stream, position)
            if len(self.stream) - position - size < length:
                break
            body = bytes(self.stream[position + size : position + size + length])
            position += size + length
            if kind == frames.MORE:
                self.records.append(body)
            elif kind == frames.DONE:
                self.final = body
            elif self.on_wait is not None and not self.unheard:
                self.on_wait(body)
        del self.stream[:position]

    def exited(self, payload: bytes) -> bool:
        """The supervisor's last word. Returns whether the worker is clean."""
        code, cpu, wall, clean = frames.ENDING.unpack_from(payload)
        ending = Ending(payload[frames.ENDING.size :].decode("ascii"), code, cpu, wall, bool(clean))
        self.worker = None
        if not self.unheard:
            self.on_exit(self, ending)
        return ending.clean

    def lost(self, reason: str, began: bool) -> None:
        """The worker is gone before this run ended."""
        if not self.unheard:
            self.on_lost(self, reason, began)

    def say(self, message: bytes) -> None:
        """One message to the job's process."""
        if self.worker is not None:
            self.worker.say(self, message)

    def end(self) -> None:
        """Ask for the end of the job's process."""
        if self.worker is not None:
            self.worker.end(self)
