"""One running job as the supervisor sees it: limits, clocks, and how far its stream of frames has come."""

from __future__ import annotations

import time

from sandbox.guest import frames


class Job:
    """Its process, its limits, its clocks. Times are in seconds."""

    def __init__(self, number: int, header: bytes) -> None:
        self.number = number
        (
            self.cpu_limit, self.wall_limit, self.memory_limit, self.output_limit, self.answer_limit,
            self.process_limit, self.tests, self.per_call, self.capture,
        ) = frames.LIMITS.unpack(header)  # fmt: skip
        self.pid = 0
        self.how = ""  # why it ended; empty while it runs
        self.code = 0
        self.output = 0  # bytes on stdout and stderr
        self.answered = 0  # bytes on the channel
        self.cpu_base = 0.0  # CPU seconds at the beginning of the present test
        self.cpu = 0.0
        self.started = time.monotonic()
        self.busy_since: float | None = self.started
        self.flush_at = 0.0
        self.frame_rest = 0  # bytes still to come of the frame being received from the job
        self.frame_kind = 0
        self.head = bytearray()  # header of that frame, where it arrived in pieces

    def follow(self, stream: memoryview) -> tuple[bool, bool]:
        """Follow the frames of the job's stream through its next bytes.

        Returns:
            Whether a test ended in them, and whether the job waits for the host at their end. A stream that is done,
            or is none, is told by ``how``.
        """
        position, end = 0, len(stream)
        tested = waits = False
        while position < end and not self.how:
            if self.frame_kind:
                part = min(self.frame_rest, end - position)
                self.frame_rest -= part
                position += part
            else:
                part = min(frames.JOB.size - len(self.head), end - position)
                self.head += stream[position : position + part]
                position += part
                if len(self.head) < frames.JOB.size:
                    break
                self.frame_rest, self.frame_kind = frames.JOB.unpack(self.head)
                self.head.clear()
                if self.frame_kind not in (frames.MORE, frames.WAIT, frames.DONE):
                    self.how = "limit protocol"
                    return tested, False
            if self.frame_rest == 0:
                kind, self.frame_kind = self.frame_kind, 0
                waits = kind == frames.WAIT
                tested = tested or kind == frames.MORE
                if kind == frames.DONE:
                    self.how = "done"
        return tested, waits
