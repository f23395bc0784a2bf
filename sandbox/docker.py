"""Workers in containers of any engine that speaks Docker's API (Podman's socket does).

The engine's default seccomp profile stays in force under our own filter. A container has no network, a read-only root,
one small tmpfs, no capabilities but those to change a job's user id, no new privileges, and caps on memory (no swap),
processes and CPU that hold for all its processes together. It ends by itself when its host end closes.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from sandbox import bootstrap, seccomp
from sandbox.errors import SandboxUnavailable
from sandbox.owner import LABEL, owner_tag
from sandbox.worker import Channel, Settings

CAPABILITIES = ("SETUID", "SETGID", "KILL")
FIRST_UID = 60_000
UIDS = 5_000
"""User ids of jobs: the supervisor takes the first, every job the next, in turn."""

NPROC = 4096
"""Podman asks for a limit of its own on a user's processes, which not every host may grant; this one it may. Jobs get a
lower one."""


def connect(url: str = "") -> Any:
    """A client of the engine at ``url`` or where the environment points.

    Raises:
        SandboxUnavailable: when none answers.
    """
    try:
        import docker  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise SandboxUnavailable("the docker package is missing: `pip install docker`") from None
    try:
        client = docker.DockerClient(base_url=url, timeout=60) if url else docker.from_env(timeout=60)
        client.ping()
        return client
    except Exception as error:
        raise SandboxUnavailable(f"no Docker engine answers: {str(error).splitlines()[0][:150]}") from None


class DockerLauncher:
    """Starts workers as containers."""

    name = "docker"

    def __init__(self, settings: Settings) -> None:
        from sandbox.image import build

        self.settings = settings
        self.client = connect(settings.docker_host)
        self.image = settings.image or build.ensure(self.client)
        self.owner = owner_tag()
        self.machine = str(self.client.info().get("Architecture", ""))
        parts = self.client.version().get("Components") or []
        self.podman = any("podman" in str(part.get("Name", "")).lower() for part in parts)

    def options(self) -> dict[str, Any]:
        """Arguments of the container's creation."""
        settings = self.settings
        from docker.types import LogConfig, Ulimit  # type: ignore[import-untyped,unused-ignore]

        tmpfs = {"/tmp": f"size={settings.tmp_bytes},nr_inodes={settings.tmp_inodes},mode=1777,nosuid,nodev"}
        limits = {"nofile": 256, "core": 0}
        if self.podman:
            limits["nproc"] = NPROC
            # It refuses a limit on inodes, so the supervisor counts them, and gives a container with a read-only root
            # more writable folders, in which a job could leave something for the next.
            tmpfs["/tmp"] = f"size={settings.tmp_bytes},mode=1777,nosuid,nodev"
            tmpfs |= dict.fromkeys(("/var/tmp", "/run", "/dev/mqueue"), "ro,size=4k,mode=755,nosuid,nodev,noexec")
        return {
            "image": self.image,
            "command": ["/usr/bin/python3", "-I", "-c", bootstrap.COMMAND],
            "entrypoint": [],
            "environment": bootstrap.ENVIRONMENT,
            "user": "0:0",
            "working_dir": "/tmp",
            "hostname": "sandbox",
            "labels": {LABEL: self.owner},
            "stdin_open": True,
            "network_mode": "none",
            "read_only": True,
            "tmpfs": tmpfs,
            "cap_drop": ["ALL"],
            "cap_add": list(CAPABILITIES),
            "security_opt": ["no-new-privileges:true"],
            "ipc_mode": "none",
            "mem_limit": settings.memory_bytes,
            "memswap_limit": settings.memory_bytes,
            "pids_limit": settings.processes,
            "nano_cpus": int(settings.cpus * 1e9),
            "ulimits": [Ulimit(name=name, soft=value, hard=value) for name, value in limits.items()],
            "log_config": LogConfig(type="none"),
            "auto_remove": True,
            "runtime": settings.runtime or None,
        }

    def start(self, role: str, place: tuple[int, int] = (0, 0)) -> Channel:
        """Create, attach, start, and send the code.

        Raises:
            SandboxUnavailable: when the engine refuses.
        """
        import docker.errors  # type: ignore[import-untyped,unused-ignore]
        import requests.exceptions

        guest: dict[str, Any] = {
            "role": role,
            "place": place,
            "uids": [FIRST_UID, UIDS],
            "mount_tmp": False,
            "tmp_bytes": self.settings.tmp_bytes,
            "tmp_inodes": self.settings.tmp_inodes,
            "watched_inodes": self.settings.tmp_inodes if self.podman else 0,
            "preload": list(bootstrap.PRELOAD),
            "seccomp": seccomp.compile_filter(self.machine, 0).hex(),
        }
        try:
            container = self.client.containers.create(**self.options())
            stream = self.client.api.attach_socket(
                container.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            container.start()
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            raise SandboxUnavailable(f"the engine starts no worker: {str(error).splitlines()[0][:200]}") from error
        raw = getattr(stream, "_sock", stream)
        handle = _Container(self.client, container.id, stream)
        return Channel(raw.fileno(), raw.fileno(), handle, bootstrap.message(guest), multiplexed=True)

    def describe(self) -> dict[str, str]:
        """Engine, image digest and what is in force."""
        version = self.client.version()
        image = self.client.images.get(self.image)
        return {
            "executor": self.name,
            "version": f"{'Podman ' * self.podman}{version.get('Version', '?')} (API {version.get('ApiVersion', '?')})",
            "runtime": self.settings.runtime or str(self.client.info().get("DefaultRuntime", "")),
            "image": self.image,
            "image_digest": str(image.id),
            "own_uid_per_job": "true",
            "memory_cap": "container",
            "process_cap": "container",
            "inode_cap": "supervisor" if self.podman else "tmpfs",
        }

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


class _Container:
    """A running container."""

    def __init__(self, client: Any, identity: str, stream: Any) -> None:
        self.client = client
        self.identity = identity
        self.stream = stream

    def kill(self) -> None:
        """Remove it, whatever state it is in. An engine that is gone keeps it until ``clean``."""
        with contextlib.suppress(Exception):
            os.set_blocking(self.stream.fileno(), True)
        with contextlib.suppress(Exception):
            self.client.api.remove_container(self.identity, force=True)
        with contextlib.suppress(Exception):
            self.stream.close()

    def last_words(self) -> str:
        """Containers say it on the attached stream."""
        return ""
