"""The supervisor's end of the pipe from and to the host: frames in, frames out, and no trace of either afterwards.

Everything relayed passes through buffers of fixed size that are zeroed after use. No other copy is made, so a later
job, which is forked from this process, finds nothing of an earlier one in its memory.
"""

from __future__ import annotations

import os

from sandbox.guest import frames

CHUNK = 1 << 17
"""Size of a buffer in bytes."""


class HostLink:
    """Two descriptors and what was read from the first but not used yet."""

    def __init__(self, host_in: int, host_out: int) -> None:
        self.host_in = host_in
        self.host_out = host_out
        self.inbox = bytearray(CHUNK)
        self.start = self.end = 0  # the unread part of the inbox
        self.inflow = 0  # bytes still to come of a DATA frame that is being passed to the job

    @property
    def waiting(self) -> int:
        """Bytes read and not used."""
        return self.end - self.start

    @property
    def has_room(self) -> bool:
        """Whether more can be read."""
        return self.end - self.start < len(self.inbox)

    def next_frame(self) -> tuple[int, int, int] | None:
        """Take the next frame's header out of the inbox: kind, job number, payload length."""
        frame = self.peek()
        if frame is not None:
            self.discard(frames.HOST.size)
        return frame

    def peek(self) -> tuple[int, int, int] | None:
        """The next frame's kind, job number and payload length, which stay in the inbox."""
        if self.end - self.start < frames.HOST.size:
            return None
        length, kind, number = frames.HOST.unpack_from(self.inbox, self.start)
        return kind, number, length

    def discard(self, length: int) -> None:
        """Zero the first unread bytes."""
        self.inbox[self.start : self.start + length] = bytes(length)
        self.start += length
        if self.start == self.end:
            self.start = self.end = 0

    def skip(self, length: int) -> None:
        """Discard bytes, those still to come included."""
        while length:
            if self.start == self.end:
                self.read()
            part = min(length, self.end - self.start)
            self.discard(part)
            length -= part

    def read(self) -> None:
        """Read what there is; the process ends when the host has hung up."""
        if self.end == len(self.inbox):
            rest = self.end - self.start
            self.inbox[:rest] = self.inbox[self.start : self.end]
            self.inbox[rest:] = bytes(len(self.inbox) - rest)
            self.start, self.end = 0, rest
        size = os.readv(self.host_in, [memoryview(self.inbox)[self.end :]])
        if not size:
            os._exit(0)
        self.end += size

    def tell(self, kind: int, number: int, payload: bytes | memoryview = b"") -> None:
        """Send one frame to the host."""
        header = frames.HOST.pack(len(payload), kind, number)
        sent = os.writev(self.host_out, [header, payload]) - len(header)
        if sent < 0:
            raise RuntimeError("the host's pipe took less than a header")
        while sent < len(payload):
            sent += os.write(self.host_out, memoryview(payload)[sent:])
