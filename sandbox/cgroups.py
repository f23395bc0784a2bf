"""Memory and process caps for all processes of a bubblewrap worker together, where control groups can be written.

Not promised: without root or delegation there is no such group, and ``None`` says so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from sandbox.owner import is_dead, owner_tag

PREFIX = "harness-sandbox-"
_MOUNT = Path("/sys/fs/cgroup")


def _own_paths() -> dict[str, str]:
    """Controller (empty for version 2) → path of this process's group."""
    paths: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _bases() -> list[Path]:
    """Folders in which a worker's groups may be made, one a controller (version 1) or one in all (version 2)."""
    try:
        own = _own_paths()
    except OSError:
        return []
    if (_MOUNT / "memory" / "cgroup.procs").exists() and (_MOUNT / "pids" / "cgroup.procs").exists():
        return [_MOUNT / c / own.get(c, "/").lstrip("/") for c in ("memory", "pids")]
    for base in (_MOUNT / own.get("", "/").lstrip("/").rpartition("/")[0], _MOUNT):
        try:
            enabled = (base / "cgroup.subtree_control").read_text().split()
        except OSError:
            continue
        if {"memory", "pids"} <= set(enabled) and os.access(base, os.W_OK):
            return [base]
    return []


class Group:
    """The caps of one worker."""

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders

    def add(self, pid: int) -> None:
        """Put a process, and so its future children, under the caps."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Delete the group; its processes have to be gone, which may take the kernel a moment."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)


def create(number: int, memory_bytes: int, processes: int) -> Group | None:
    """A new group, or ``None`` where control groups cannot be used."""
    made: list[Path] = []
    try:
        for base in _bases():
            folder = base / f"{PREFIX}{owner_tag()}-{number}"
            folder.mkdir()
            made.append(folder)
            if (folder / "memory.limit_in_bytes").exists():
                (folder / "memory.limit_in_bytes").write_text(str(memory_bytes))
                with contextlib.suppress(OSError):  # absent without swap accounting
                    (folder / "memory.memsw.limit_in_bytes").write_text(str(memory_bytes))
            if (folder / "memory.max").exists():
                (folder / "memory.max").write_text(str(memory_bytes))
                with contextlib.suppress(OSError):
                    (folder / "memory.swap.max").write_text("0")
            if (folder / "pids.max").exists():
                (folder / "pids.max").write_text(str(processes))
    except OSError:
        Group(made).remove()
        return None
    return Group(made) if made else None


def clean() -> list[tuple[str, bool]]:
    """Kill and remove the groups of dead owners, wherever in the tree they were made: (folder, whether it is gone)."""
    found: list[tuple[str, bool]] = []
    for top, names, _ in os.walk(_MOUNT):
        for name in [n for n in names if n.startswith(PREFIX)]:
            names.remove(name)
            folder = Path(top) / name
            if folder.is_symlink() or not is_dead(name.removeprefix(PREFIX).rpartition("-")[0]):
                continue
            with contextlib.suppress(OSError):
                for pid in (folder / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            Group([folder]).remove()
            found.append((str(folder), not folder.exists()))
    return found
