"""Whose worker is it? A tag that names this process, so that ``clean`` touches only what a dead one left."""

from __future__ import annotations

import os
from pathlib import Path

LABEL = "harness.sandbox.owner"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "unknown"


def _pid_namespace() -> str:
    """Process ids mean something only in here."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "0"


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot, so that a reused pid is not mistaken for its predecessor.

    Empty for one that is gone, or has ended and is only waited for by its parent.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]
    except (OSError, IndexError, ValueError):
        return ""


def _here() -> str:
    return f"{_boot()}-{_pid_namespace()}"


def owner_tag() -> str:
    """Boot, pid namespace, pid and start time of this process."""
    return f"{_here()}-{os.getpid()}-{_started(os.getpid())}"


def is_dead(tag: str) -> bool:
    """Whether the process a tag names is known to be gone: it lived here, under this boot, and does no more."""
    here, _, process = tag.rpartition("-")[0].rpartition("-")
    return here == _here() and process.isdigit() and _started(int(process)) != tag.rpartition("-")[2]


def is_elsewhere(tag: str) -> bool:
    """Whether a tag names a process that cannot be looked up: of another boot, machine or pid namespace."""
    return tag.count("-") == 3 and tag.rpartition("-")[0].rpartition("-")[0] != _here()
