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


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot, so that a reused pid is not mistaken for its predecessor."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def owner_tag() -> str:
    """Boot, pid and start time of this process."""
    return f"{_boot()}-{os.getpid()}-{_started(os.getpid())}"


def is_dead(tag: str) -> bool:
    """Whether the process a tag names is gone. Tags of an earlier boot are dead."""
    boot, _, rest = tag.partition("-")
    pid, _, started = rest.partition("-")
    if boot != _boot() or not pid.isdigit():
        return boot != _boot()
    return _started(int(pid)) != started
