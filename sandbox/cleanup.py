"""Remove what a killed run left: containers, control groups and private engines of dead owners.

Bubblewrap workers and their mounts die with their owner and need no removal.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any

from sandbox import cgroups
from sandbox.errors import SandboxUnavailable
from sandbox.owner import LABEL, is_dead, is_elsewhere

_ENDED = ("created", "exited", "dead")
"""States of a container that nobody can be using."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing found; ``removed`` says whether it is gone now."""

    what: str
    removed: bool


def clean(docker_host: str = "") -> list[Leftover]:
    """Remove leftovers of dead owners.

    What belongs to a living process stays. So do running containers whose owner cannot be looked up from here (another
    machine, or another container, that shares the engine); those of theirs that have ended are removed.

    Args:
        docker_host: Address of the engine; by default where the environment points. None has to answer.
    """
    from sandbox.docker import connect
    from sandbox.image import engine

    found = [Leftover(f"control group {folder}", gone) for folder, gone in cgroups.clean()]
    try:
        client = connect(docker_host)
    except SandboxUnavailable:
        pass
    else:
        try:
            found += _containers(client)
        finally:
            client.close()
    return found + [Leftover(f"private engine {folder}", gone) for folder, gone in engine.clean()]


def _containers(client: Any) -> list[Leftover]:
    import docker.errors  # type: ignore[import-untyped,unused-ignore]

    found = []
    for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
        tag = container.labels.get(LABEL, "")
        if not (is_dead(tag) or (is_elsewhere(tag) and container.status in _ENDED)):
            continue
        with contextlib.suppress(docker.errors.DockerException):  # it may be on its way out already
            container.remove(force=True)
        found.append(Leftover(f"container {container.short_id}", _is_gone(client, container.id)))
    return found


def _is_gone(client: Any, identity: str, seconds: float = 30.0) -> bool:
    """Whether the engine no longer knows a container, which may take it a moment."""
    import docker.errors

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            client.api.inspect_container(identity)
        except docker.errors.NotFound:
            return True
        except docker.errors.DockerException:
            return False
        time.sleep(0.1)
    return False
