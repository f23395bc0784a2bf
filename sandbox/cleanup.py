"""Remove what a killed run left: containers and control groups of dead owners. Bubblewrap workers die with theirs."""

from __future__ import annotations

from sandbox import cgroups
from sandbox.errors import SandboxUnavailable
from sandbox.owner import LABEL, is_dead


def clean(docker_host: str = "") -> list[str]:
    """Remove leftovers of dead owners on this machine; returns one line for each.

    Containers of living runs, and of other machines that share the engine, stay.
    """
    removed = cgroups.clean()
    from sandbox.docker import connect

    try:
        client = connect(docker_host)
    except SandboxUnavailable:
        return removed
    try:
        for container in client.containers.list(all=True, filters={"label": LABEL}):
            if is_dead(container.labels.get(LABEL, "")):
                container.remove(force=True)
                removed.append(f"container {container.short_id}")
    finally:
        client.close()
    return removed
