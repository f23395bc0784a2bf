"""Choosing and checking an executor."""

from __future__ import annotations

import dataclasses
from typing import Any

from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.pool import PoolExecutor
from sandbox.worker import Launcher, Settings


def _bubblewrap(settings: Settings) -> Launcher:
    from sandbox.bubblewrap import BubblewrapLauncher

    return BubblewrapLauncher(settings)


def _docker(settings: Settings) -> Launcher:
    from sandbox.docker import DockerLauncher

    return DockerLauncher(settings)


_LAUNCHERS = {"docker": _docker, "bubblewrap": _bubblewrap}


def open_kind(kind: str, workers: int | None, options: dict[str, Any]) -> PoolExecutor:
    """See :func:`sandbox.open_executor`."""
    known = {f.name for f in dataclasses.fields(Settings)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise SandboxError(f"sandbox.{unknown[0]}: unknown setting; known are {', '.join(sorted(known))}")
    if kind not in ("auto", *_LAUNCHERS):
        raise SandboxError(f"sandbox={kind}: unknown; one of auto, {', '.join(_LAUNCHERS)}")
    settings = Settings(**options)
    reasons = []
    for name in _LAUNCHERS if kind == "auto" else (kind,):
        try:
            executor = PoolExecutor(_LAUNCHERS[name](settings), workers)
        except SandboxUnavailable as error:
            reasons.append(f"{name}: {error}")
            continue
        try:
            executor._ensure_greeted()
            return executor
        except SandboxUnavailable as error:
            executor.close()
            reasons.append(str(error))
    raise SandboxUnavailable("no sandbox available: " + "; ".join(reasons))
