"""Length-prefixed frames: between host and supervisor, and between supervisor and job; and messages with items."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from typing import Any

HOST = struct.Struct("<IBI")
"""Host ↔ supervisor: payload length, frame type, job number."""

JOB = struct.Struct("<IB")
"""Supervisor ↔ job process: payload length, frame type."""

LENGTH = struct.Struct("<I")

LIMITS = struct.Struct("<ddQQQIIBB")
"""A START frame: CPU and wall seconds of a test; bytes of memory, of output, of answers; processes; tests; whether each
test has the limits to itself; whether standard output is wanted."""

ENDING = struct.Struct("<iddB")
"""An EXIT frame: exit code (negative: signal), CPU and wall seconds, whether the worker is clean; then ASCII: how."""

# Host → supervisor.
START, DATA, END = 1, 2, 3
# Supervisor → host (DATA as well).
HELLO, EXIT, OUTPUT = 4, 5, 6
# Job → supervisor: more follows · waiting for the host (flush) · finished (kill me).
MORE, WAIT, DONE = 11, 12, 13


# Modes of a candidate's process: the first item of its message; entry point, source, code and inputs follow.
CALLS, LIVE, PROGRAM = b"calls", b"live", b"program"
# Mode of a process that only compiles; and how its records begin: code follows · a compile error follows · unsettled.
COMPILE = b"compile"
CODE, BROKEN, UNSETTLED = b"c", b"b", b"u"


def pack(header: Any, items: Sequence[bytes] = ()) -> bytes:
    """One message: a JSON header and opaque items that its reader parses one by one."""
    return pack_items([json.dumps(header).encode("ascii"), *items])


def pack_items(items: Sequence[bytes]) -> bytes:
    """One message of opaque items alone."""
    parts: list[bytes] = []
    for item in items:
        parts.append(LENGTH.pack(len(item)))
        parts.append(item)
    return b"".join(parts)


def unpack(message: bytes) -> tuple[Any, list[bytes]]:
    """The header and the items of a message.

    Raises:
        ValueError: when the bytes are no message.
    """
    cuts = unpack_items(message)
    if not cuts:
        raise ValueError("empty message")
    return json.loads(cuts[0]), cuts[1:]


def unpack_items(message: bytes) -> list[bytes]:
    """The items of a message.

    Raises:
        ValueError: when the bytes are no message.
    """
    cuts: list[bytes] = []
    position = 0
    while position < len(message):
        if position + 4 > len(message):
            raise ValueError("truncated message")
        (length,) = LENGTH.unpack_from(message, position)
        position += 4
        if position + length > len(message):
            raise ValueError("truncated message")
        cuts.append(message[position : position + length])
        position += length
    return cuts


def read_exactly(fd: int, size: int) -> bytes:
    """Read ``size`` bytes from a blocking descriptor.

    Raises:
        EOFError: when the other end closed.
    """
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """Write everything to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
