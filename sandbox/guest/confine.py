"""What the supervisor gives up when it starts, and what a job gives up before its program runs."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import traceback
from collections.abc import Callable
from typing import Any

from sandbox.guest import harden
from sandbox.guest.jobs import Job


def keep_to_one_cpu(place: int, places: int) -> None:
    """Stay on one processor, where a pool has a worker for each: fork and exit then find their data in its caches.

    A pool with fewer workers than processors leaves it to the scheduler, so that two small pools do not share one.

    Args:
        place: This worker's number among those of its role.
        places: How many the pool has of candidates.
    """
    cpus = sorted(os.sched_getaffinity(0))
    if places >= len(cpus):
        with contextlib.suppress(OSError):  # an engine may forbid it; it only saves time
            os.sched_setaffinity(0, {cpus[place % len(cpus)]})


def take_identity(settings: dict[str, Any]) -> list[str]:
    """Become the supervisor's own user with only the capabilities it needs; returns what could not be had."""
    missing: list[str] = []
    if settings.get("mount_tmp"):
        try:
            harden.mount_tmpfs("/tmp", settings["tmp_bytes"], settings["tmp_inodes"])
        except OSError:
            missing.append("tmpfs inode limit")
    harden.no_new_privileges()
    needed = (harden.CAP_KILL, harden.CAP_SETGID, harden.CAP_SETUID)
    if settings["uids"]:
        uid = settings["uids"][0]
        if harden.capability_bits() >> harden.CAP_SETPCAP & 1:
            harden.shrink_bounding_set(*needed)
        harden.keep_capabilities_on_setuid()
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        harden.set_capabilities(*needed)
    else:
        if harden.capability_bits() >> harden.CAP_SETPCAP & 1:
            harden.shrink_bounding_set()
        harden.set_capabilities()
    harden.set_dumpable(False)
    if settings.get("seccomp"):
        try:
            harden.install_seccomp(bytes.fromhex(settings["seccomp"]))
        except OSError:
            missing.append("own seccomp filter")
    return missing


def become_job(job: Job, uid: int | None, descriptors: tuple[int, int, int, int], body: Callable[[], None]) -> None:
    """In the forked child: give everything up, then run the body. Never returns.

    Args:
        job: What it is limited to.
        uid: Its user, or ``None`` where it has to share the supervisor's.
        descriptors: What becomes standard input, output and error, and the channel.
        body: What to run.
    """
    status = 1
    try:
        for target, source in enumerate(descriptors):
            os.dup2(source, target)
        os.closerange(4, 64)
        cpu = int(job.cpu_limit * job.tests) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        resource.setrlimit(resource.RLIMIT_AS, (job.memory_limit, job.memory_limit))
        processes = job.process_limit + (1 if uid is None else 0)
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
        if uid is not None:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        harden.drop_capabilities()
        harden.make_dumpable()
        _raise_oom_score()  # of an undumpable process it could not be
        os.setsid()
        os.chdir("/tmp")
        gc.enable()
        body()
        status = 0
    except EOFError:
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _raise_oom_score() -> None:
    """Let the kernel choose the job, not the supervisor, when the worker's memory runs out."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"1000")
        os.close(fd)
    except OSError:
        pass
