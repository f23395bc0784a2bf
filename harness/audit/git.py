"""The few questions an audit puts to git. Read-only."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Git:
    """The repository that holds ``folder``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def around(cls, folder: Path) -> Git | None:
        """The repository, or ``None`` outside git and where git is missing."""
        top = _run(folder if folder.is_dir() else folder.parent, "rev-parse", "--show-toplevel")
        return cls(Path(top.decode().strip())) if top else None

    @property
    def shallow(self) -> bool:
        return (self._ask("rev-parse", "--is-shallow-repository") or b"").strip() == b"true"

    def commits(self, path: Path, added_only: bool = False) -> list[str]:
        """Commits that touched ``path``, oldest first."""
        only = ["--diff-filter=A"] if added_only else []
        out = self._ask("log", "--topo-order", "--reverse", "--format=%H", *only, "--", str(path.resolve()))
        return (out or b"").decode().split()

    def blob(self, commit: str, path: Path) -> bytes | None:
        """The bytes of ``path`` at ``commit``."""
        relative = path.resolve().relative_to(self.root.resolve())
        return self._ask("show", f"{commit}:{relative.as_posix()}")

    def has(self, commit: str) -> bool:
        return self._ask("cat-file", "-e", f"{commit}^{{commit}}") is not None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether ``older`` is ``newer`` or one of its ancestors."""
        return self._ask("merge-base", "--is-ancestor", older, newer) is not None

    def _ask(self, *arguments: str) -> bytes | None:
        return _run(self.root, *arguments)


def _run(folder: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
