"""After a job: no process of it left, its CPU time added up, its files gone."""

from __future__ import annotations

import os
import resource
import signal
import time

from sandbox.guest import harden
from sandbox.guest.jobs import Job

PATIENCE = 5.0
"""Seconds after which processes that do not die make the worker unfit."""


def cpu_of(pid: int) -> float:
    """CPU seconds of a process (all its threads), or 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def cpu_now() -> float:
    """CPU seconds of every living process of the job: of every process here but the supervisor, which is PID 1."""
    return sum(cpu_of(int(entry)) for entry in os.listdir("/proc") if entry.isdigit() and entry != "1")


def _kill_others() -> bool:
    """Kill every process but this one. False when there was none, zombies included."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return False
    except PermissionError:  # one is there that may not be killed: the worker is given up after a while
        return True
    return True


def _reap(job: Job, target: int) -> bool:
    """Wait for one child (-1: any) and add up what it used. False when there is none."""
    try:
        pid, status, usage = os.wait4(target, 0)
    except ChildProcessError:
        return False
    job.cpu += usage.ru_utime + usage.ru_stime
    if pid == job.pid:
        job.code = os.waitstatus_to_exitcode(status)
    return True


def end_all(job: Job) -> bool:
    """Kill everything that is not this process, reap it, add up its CPU time. False when something is left.

    Orphans become children of PID 1, so everything is reaped here, and "no such process" for a signal to all is proof
    that nothing is left.
    """
    ours = job.how != "exited"
    if ours:
        _kill_others()
    _reap(job, job.pid)
    deadline = time.monotonic() + PATIENCE
    while _kill_others():
        while _reap(job, -1):
            pass
        if time.monotonic() > deadline:
            return False
    if job.code == -signal.SIGXCPU or (not ours and job.code == -signal.SIGKILL and job.cpu >= job.cpu_limit):
        job.how = "limit cpu"
    elif not ours and job.code == -signal.SIGKILL:
        job.how = "killed"  # nobody here sent it: the kernel did for want of memory, or the job did itself
    elif not job.per_call and not job.how.startswith("limit") and job.cpu >= job.cpu_limit:
        job.how = "limit cpu"
    return True


def empty_scratch(uid: int | None) -> bool:
    """Remove what the job left under /tmp, as that job's user. False when something stays."""
    if not os.listdir("/tmp"):
        return True
    pid = harden.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
            if uid is not None:
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            _remove_below("/tmp")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return not os.listdir("/tmp")


def _remove_below(top: str) -> None:
    """Delete everything under ``top``; iterative, because a job may nest directories deeper than any recursion."""
    os.chdir(top)
    depth = 0
    while True:
        for entry in list(os.scandir(".")):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name)
            else:
                try:
                    os.rmdir(entry.name)
                except OSError:
                    os.chmod(entry.name, 0o700)
                    os.chdir(entry.name)
                    depth += 1
                    break
        else:
            if depth == 0:
                return
            os.chdir("..")
            depth -= 1
