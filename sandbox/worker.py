"""The host's end of one worker: frames out, frames in, never blocking; and the jobs it was given."""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.errors import WorkerLost
from sandbox.guest import frames

if TYPE_CHECKING:
    from sandbox.run import Run

GRACE = 20.0
"""Seconds beyond a job's own wall limit after which a silent worker is given up."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an executor can be told. ``runtime`` names an OCI runtime the engine knows (``runsc``, say)."""

    memory_bytes: int = 1024 * 2**20
    tmp_bytes: int = 64 * 2**20
    tmp_inodes: int = 4096
    processes: int = 64
    cpus: float = 1.0
    image: str = ""
    runtime: str = ""
    docker_host: str = ""
    pipeline: int = 4
    """Jobs sent to a worker at a time; it runs one after the other."""


class Handle(Protocol):
    """The process or container behind a worker."""

    def kill(self) -> None:
        """End it and everything inside."""
        ...

    def last_words(self) -> str:
        """What it wrote on standard error."""
        ...


class Channel:
    """Buffered, non-blocking frames over a worker's two descriptors."""

    def __init__(self, write_fd: int, read_fd: int, handle: Handle, greeting: bytes, multiplexed: bool = False) -> None:
        self.write_fd = write_fd
        self.read_fd = read_fd
        self.handle = handle
        self.outgoing: collections.deque[memoryview] = collections.deque([memoryview(greeting)])
        self.incoming = bytearray()
        self.raw = bytearray() if multiplexed else self.incoming
        self.multiplexed = multiplexed
        self.complaints = bytearray()
        os.set_blocking(write_fd, False)
        os.set_blocking(read_fd, False)

    def send(self, kind: int, number: int, *parts: bytes) -> None:
        """Queue one frame."""
        size = sum(len(p) for p in parts)
        self.outgoing.append(memoryview(frames.HOST.pack(size, kind, number)))
        self.outgoing.extend(memoryview(p) for p in parts if p)

    def pump_out(self) -> bool:
        """Write what the worker takes. True when nothing is left to write.

        Raises:
            WorkerLost: when it hung up.
        """
        queue = self.outgoing
        while queue:
            batch = [queue[i] for i in range(min(len(queue), 64))]
            try:
                sent = os.writev(self.write_fd, batch)
            except BlockingIOError:
                return False
            except OSError as error:
                raise WorkerLost(f"worker hung up ({error.strerror})") from None
            while sent:
                first = queue[0]
                if sent >= len(first):
                    sent -= len(first)
                    queue.popleft()
                else:
                    queue[0] = first[sent:]
                    sent = 0
        return True

    def pump_in(self) -> Iterator[tuple[int, int, bytes]]:
        """Read what there is and yield whole frames: kind, job number, payload.

        Raises:
            WorkerLost: when the worker is gone.
        """
        lost = False
        while True:
            try:
                part = os.read(self.read_fd, 1 << 20)
            except BlockingIOError:
                break
            except OSError:
                part = b""
            if not part:
                lost = True
                break
            self.raw += part
            if len(part) < 1 << 16:
                break
        if self.multiplexed:
            self._demultiplex()
        position, size = 0, frames.HOST.size
        while len(self.incoming) - position >= size:
            length, kind, number = frames.HOST.unpack_from(self.incoming, position)
            if len(self.incoming) - position - size < length:
                break
            yield kind, number, bytes(self.incoming[position + size : position + size + length])
            position += size + length
        del self.incoming[:position]
        if lost:
            words = self.complaints.decode(errors="replace").strip() or self.handle.last_words()
            raise WorkerLost(f"worker ended: {words[-400:]}")

    def _demultiplex(self) -> None:
        """Undo the engine's framing: stream number, three zeros, big-endian length."""
        position = 0
        while len(self.raw) - position >= 8:
            stream, length = self.raw[position], int.from_bytes(self.raw[position + 4 : position + 8], "big")
            if len(self.raw) - position - 8 < length:
                break
            body = self.raw[position + 8 : position + 8 + length]
            if stream == 1:
                self.incoming += body
            elif len(self.complaints) < 10_000:
                self.complaints += body
            position += 8 + length
        del self.raw[:position]


class Launcher(Protocol):
    """Starts workers of one kind."""

    name: str
    settings: Settings

    def start(self, role: str, place: tuple[int, int] = (0, 0)) -> Channel:
        """Start a worker of a role. ``place`` is its number, and how many candidates there are."""
        ...

    def describe(self) -> dict[str, str]:
        """Versions and isolation features in force."""
        ...

    def close(self) -> None:
        """Remove what outlives the workers."""
        ...


class Worker:
    """One running worker and the jobs it was given, in order."""

    def __init__(self, role: str, place: int, channel: Channel) -> None:
        self.role = role
        self.place = place
        self.channel = channel
        self.runs: collections.deque[Run] = collections.deque()
        self.hello: dict[str, Any] | None = None
        self.deadline = time.monotonic() + GRACE
        self.writing = False

    def accepts(self, pipeline: int) -> bool:
        """Whether another job may be queued: never behind one that still talks with the host."""
        return len(self.runs) < pipeline and not (self.runs and self.runs[-1].live)

    def give(self, run: Run) -> None:
        """Queue a job on this worker."""
        if not self.runs:
            self.deadline = time.monotonic() + run.patience + GRACE
        self.runs.append(run)
        run.worker = self
        self.channel.send(frames.START, run.number, run.header)
        self.say(run, run.message)

    def say(self, run: Run, message: bytes) -> None:
        """One message to a job's process."""
        self.channel.send(frames.DATA, run.number, frames.JOB.pack(len(message), 0), message)

    def end(self, run: Run) -> None:
        """Ask the supervisor to end a job."""
        self.channel.send(frames.END, run.number)
