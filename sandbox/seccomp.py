"""The system-call filter of a worker, compiled to classic BPF.

An allow-list (:mod:`sandbox.syscalls`): what CPython, NumPy and the supervisor need. Everything else is refused with
``EPERM``: tracing, mounts, new namespaces, keyrings, BPF, performance counters, ``io_uring``, System V IPC, message
queues, setting clocks. Conditions: sockets only of the local family,
``clone`` without any new namespace, ``prlimit64`` only for the caller itself, no change to the one user id in the
worker's namespace that stands for the user who started it. ``clone3`` says ``ENOSYS``, so that the C library falls
back to ``clone``, whose flags a filter can read.
"""

from __future__ import annotations

import functools
import struct

from sandbox import syscalls

_ARCHITECTURES = {
    "x86_64": (0xC000003E, 1),
    "amd64": (0xC000003E, 1),
    "aarch64": (0xC00000B7, 2),
    "arm64": (0xC00000B7, 2),
}
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCH = 0, 4
_AF_UNIX = 1
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWTIME
_X32 = 0x40000000


def _argument(index: int) -> int:
    """Offset of an argument's low half."""
    return 16 + 8 * index


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


_RET_ALLOW = _instruction(_RETURN, _ALLOW)
_RET_EPERM = _instruction(_RETURN, _ERRNO | _EPERM)


def _only(call: int, test: bytes) -> bytes:
    """For one call: run ``test`` (which returns in every case)."""
    return _instruction(_EQUAL, call, 0, len(test) // 8) + test


def _identity_test(arguments: int, forbidden: int) -> bytes:
    test = b""
    for index in range(arguments):
        test += _instruction(_LOAD, _argument(index)) + _instruction(_EQUAL, forbidden, 0, 1) + _RET_EPERM
    return test + _RET_ALLOW


def _conditions(name: str, forbidden_uid: int) -> bytes:
    if name == "socket":
        return _instruction(_LOAD, _argument(0)) + _instruction(_EQUAL, _AF_UNIX, 0, 1) + _RET_ALLOW + _RET_EPERM
    if name == "clone":
        return (
            _instruction(_LOAD, _argument(0)) + _instruction(_ANY_BIT, _NEW_NAMESPACES, 0, 1) + _RET_EPERM + _RET_ALLOW
        )
    if name == "clone3":
        return _instruction(_RETURN, _ERRNO | _ENOSYS)
    if name == "prlimit64":
        return _instruction(_LOAD, _argument(0)) + _instruction(_EQUAL, 0, 0, 1) + _RET_ALLOW + _RET_EPERM
    return _identity_test({"setuid": 1, "setgid": 1, "setreuid": 2, "setregid": 2}.get(name, 3), forbidden_uid)


@functools.cache
def table(column: int) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]:
    """Allowed and conditional calls of an architecture (1: x86_64, 2: aarch64) with their numbers."""

    def rows(text: str) -> tuple[tuple[str, int], ...]:
        words = [line.split() for line in text.strip().splitlines()]
        return tuple((row[0], int(row[column])) for row in words if row[column] != "-")

    return rows(syscalls.ALLOWED), rows(syscalls.CONDITIONAL)


def compile_filter(machine: str, forbidden_uid: int) -> bytes:
    """The filter for an architecture, or nothing for one without a table.

    Args:
        machine: As ``platform.machine()`` or the engine names it.
        forbidden_uid: The id in the worker's namespace that no process may change to.
    """
    if machine not in _ARCHITECTURES:
        return b""
    architecture, column = _ARCHITECTURES[machine]
    plain, checked = table(column)
    code = _instruction(_LOAD, _ARCH) + _instruction(_EQUAL, architecture, 1, 0) + _instruction(_RETURN, _KILL)
    code += _instruction(_LOAD, _NUMBER)
    if column == 1:
        code += _instruction(_AT_LEAST, _X32, 0, 1) + _RET_EPERM
    for name, number in checked:
        code += _only(number, _conditions(name, forbidden_uid))
    for _, number in plain:
        code += _instruction(_EQUAL, number, 0, 1) + _RET_ALLOW
    return code + _RET_EPERM
