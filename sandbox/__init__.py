"""Execute untrusted programs and judge them from outside. What it does not protect against: ``README.md`` beside this.

``open_executor`` is the way in; :mod:`sandbox.api` holds the nouns.
"""

from __future__ import annotations

from typing import Any

from sandbox.api import Call, Calls, CheckScript, Executor, Job, Limits, Outcome, Report, StdinTests
from sandbox.errors import SandboxError, SandboxUnavailable

__all__ = [
    "Call",
    "Calls",
    "CheckScript",
    "Executor",
    "Job",
    "Limits",
    "Outcome",
    "Report",
    "SandboxError",
    "SandboxUnavailable",
    "StdinTests",
    "open_executor",
]

KINDS = ("auto", "docker", "bubblewrap")


def open_executor(kind: str = "auto", workers: int | None = None, **settings: Any) -> Executor:
    """Open an executor; use it as a context manager.

    Args:
        kind: ``docker``, ``bubblewrap``, or ``auto``: Docker where an engine answers, else bubblewrap.
        workers: Candidates that run at the same time; default one a CPU.
        settings: Fields of :class:`sandbox.worker.Settings`.

    Raises:
        SandboxUnavailable: when the kind asked for (with ``auto``: any) cannot run here. Nothing ever runs unsandboxed.
        SandboxError: for an unknown kind or setting.
    """
    from sandbox.opening import open_kind

    return open_kind(kind, workers, settings)
