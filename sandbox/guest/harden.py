"""System calls without a standard-library wrapper: identities, capabilities, seccomp, undumpability.

Does not protect by itself: each function takes one step and raises :class:`OSError` where the kernel refuses it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_raw = ctypes.PyDLL(None)
_raw_fork = _raw.fork
_raw_capset = _raw.capset
_raw_capset.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
_raw_prctl = _raw.prctl
_raw_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 8, 22, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAP_VERSION_3 = 0x20080522
CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_ADMIN = 5, 6, 7, 8, 21


# Built once: every page that a newly forked job writes to, reference counts included, is copied for it by the kernel.
_CAPABILITY_HEADER = struct.pack("<Ii", _CAP_VERSION_3, 0)
_NO_CAPABILITIES = bytes(24)


def fork() -> int:
    """The C library's ``fork``, without Python's hooks around it.

    Sound here because the supervisor has one thread and holds the interpreter's lock across the call: in the child
    every lock of the interpreter is as it was, and so is the main thread's identity. The hooks would reseed ``random``
    and make new locks, which takes longer than the fork itself.

    Raises:
        OSError: when there can be no more processes.
    """
    pid = int(_raw_fork())
    if pid < 0:
        raise OSError(11, "fork: no more processes")
    return pid


def give_back_memory() -> None:
    """Return free memory to the kernel, so that ``fork`` need not share it: a job gets empty pages more cheaply."""
    trim = getattr(_raw, "malloc_trim", None)
    if trim is not None:
        trim(0)


def drop_capabilities() -> None:
    """Give up every capability."""
    if _raw_capset(_CAPABILITY_HEADER, _NO_CAPABILITIES) != 0:
        raise OSError(1, "capset: not permitted")


def make_dumpable() -> None:
    """Undo :func:`set_dumpable`'s protection, for a job: it has nothing to hide from itself."""
    if _raw_prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0) != 0:
        raise OSError(1, "prctl(PR_SET_DUMPABLE): not permitted")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prctl(option: int, a: int = 0, b: int = 0) -> int:
    return int(_libc.prctl(option, ctypes.c_ulong(a), ctypes.c_ulong(b), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def set_dumpable(on: bool) -> None:
    """Undumpable: other processes of the same uid can neither trace this one nor read its ``/proc`` files."""
    _check(_prctl(_PR_SET_DUMPABLE, int(on)), "prctl(PR_SET_DUMPABLE)")


def no_new_privileges() -> None:
    """From here on, ``execve`` grants nothing (set-uid bits and file capabilities are ignored)."""
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl(PR_SET_NO_NEW_PRIVS)")


def keep_capabilities_on_setuid() -> None:
    """Keep the permitted set when all uids become non-zero."""
    _check(_prctl(_PR_SET_KEEPCAPS, 1), "prctl(PR_SET_KEEPCAPS)")


def set_capabilities(*kept: int) -> None:
    """Make exactly ``kept`` (all of them below 32) permitted and effective, nothing inheritable."""
    bits = sum(1 << c for c in kept)
    header = struct.pack("<Ii", _CAP_VERSION_3, 0)
    data = struct.pack("<6I", bits, bits, 0, 0, 0, 0)
    _check(_libc.capset(header, data), "capset")


def capability_bits() -> int:
    """The effective set as a bit mask."""
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAP_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    _check(_libc.capget(header, data), "capget")
    effective_low, _, _, effective_high, _, _ = struct.unpack("<6I", data.raw)
    return int(effective_low | effective_high << 32)


def shrink_bounding_set(*kept: int) -> None:
    """Drop every capability but ``kept`` from the bounding set and clear the ambient set (needs ``CAP_SETPCAP``)."""
    for capability in range(64):
        if capability not in kept and _prctl(_PR_CAPBSET_DROP, capability) != 0:
            break
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install_seccomp(program: bytes) -> None:
    """Load a BPF filter (8 bytes an instruction); inherited by every job and never removable."""
    spec = _Program(len(program) // 8, program)
    _check(_prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(spec)), "prctl(PR_SET_SECCOMP)")


def mount_tmpfs(path: str, size: int, inodes: int) -> None:
    """Mount a small tmpfs over ``path`` (needs ``CAP_SYS_ADMIN`` in the namespace that owns the mounts)."""
    nosuid_nodev = 2 | 4
    options = f"size={size},nr_inodes={inodes},mode=1777".encode()
    _check(_libc.mount(b"tmpfs", path.encode(), b"tmpfs", ctypes.c_ulong(nosuid_nodev), options), "mount tmpfs")


def limit(kind: int, value: int) -> None:
    """Set soft and hard limit, never above the present hard limit."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
