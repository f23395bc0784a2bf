"""An executor without protections, for positive controls only: the suite's attacks have to succeed in it.

It still has a PID namespace and a read-only view of the host, so that the suite cannot harm the machine it runs on.
:func:`sandbox.open_executor` cannot open it.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import Any

from sandbox import bootstrap, bubblewrap
from sandbox.api import Job, StdinTests
from sandbox.selfcheck.bait import VARIABLE, Bait
from sandbox.worker import Channel, Settings

_GUEST = """
import os, signal, sys, time, traceback, contextlib
from sandbox.guest import confine, harden, hostlink, jobs, sweep, watch

def become(job, uid, descriptors, body):
    try:
        for target, source in enumerate(descriptors):
            os.dup2(source, target)
        os.chdir('/tmp')
        body()
    except BaseException:
        traceback.print_exc()
    os._exit(0)

def end(job):
    with contextlib.suppress(ProcessLookupError):
        os.kill(job.pid, signal.SIGKILL)
    _, status, usage = os.wait4(job.pid, 0)
    job.code = os.waitstatus_to_exitcode(status)
    job.cpu = usage.ru_utime + usage.ru_stime
    return True

begin = jobs.Job.__init__
def unlimited(self, number, header):
    begin(self, number, header)
    self.cpu_limit = self.wall_limit = 600.0
    self.output_limit = self.answer_limit = 2**31

def drain(self, job, channel, out):
    how, job.how = job.how, ''
    channel.setblocking(False); os.set_blocking(out, False)
    while not job.how and self._read_output(job, out, job.capture): pass
    before = -1
    while not job.how and before != job.answered:
        before = job.answered
        self._read_job(job, channel)
    job.how = how

kept = []
discard = hostlink.HostLink.discard
def keep(self, length):
    kept.append(bytes(self.inbox[self.start : self.start + length]))
    discard(self, length)

hostlink.HostLink.discard = keep
watch.Watch.drain = drain
confine.become_job = become
confine.take_identity = lambda settings: []
sweep.end_all = end
sweep.empty_scratch = lambda uid: True
jobs.Job.__init__ = unlimited
harden.limit = lambda kind, value: None
"""


class WeakLauncher:
    """Workers that share network and root user with the host and bound nothing."""

    name = "weak"

    def __init__(self, bait: Bait) -> None:
        self.settings = Settings(pipeline=1)
        self.bait = bait

    def start(self, role: str, place: tuple[int, int] = (0, 0)) -> Channel:
        """Start one; capabilities stay where the caller is root."""
        arguments = [bubblewrap.program(), "--unshare-pid", "--as-pid-1", "--die-with-parent"]
        if os.geteuid() == 0:
            arguments += ["--cap-add", "ALL"]
        arguments += [
            "--ro-bind",
            "/",
            "/",
            "--dev-bind",
            "/dev",
            "/dev",
            "--bind",
            "/proc",
            "/proc",
            "--proc",
            "/proc",
        ]
        for folder in ("/opt", "/mnt", "/tmp"):
            arguments += ["--perms", "1777", "--tmpfs", folder]
        folder = self.bait.names["folder"]
        arguments += ["--bind", folder, folder, "--setenv", VARIABLE, "1", "--chdir", "/tmp"]
        arguments += [os.path.realpath(sys.executable), "-I", "-c", bootstrap.COMMAND]
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        guest: dict[str, Any] = {
            "role": role,
            "place": place,
            "uids": [],
            "mount_tmp": False,
            "tmp_bytes": 2**30,
            "tmp_inodes": 2**20,
            "preload": list(bootstrap.PRELOAD),
            "seccomp": "",
        }
        assert process.stdin is not None
        assert process.stdout is not None
        handle = bubblewrap._Process(process, None)
        message = bootstrap.message(guest, extra=(("weaken", _GUEST),))
        return Channel(process.stdin.fileno(), process.stdout.fileno(), handle, message)

    def describe(self) -> dict[str, str]:
        """Nothing is in force."""
        return {"executor": self.name, "machine": platform.machine()}

    def close(self) -> None:
        """Nothing outlives the workers."""


def in_process(job: Job) -> Job:
    """The same test the way in-process graders do it: the script beside the candidate, success printed."""
    plan = job.plan
    source = f"{job.source}\n{plan.script}\ncheck({plan.entry_point})\nprint('ok')\n"  # type: ignore[union-attr]
    return replace(job, source=source, plan=StdinTests((("", "ok"),), compare=_says_ok))


def _says_ok(expected: str, actual: str) -> bool:
    return expected in actual.split()
