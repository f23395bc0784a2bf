"""The process a worker consists of: forks one job at a time, limits it, measures it, and leaves nothing behind.

It never reads what it relays (:mod:`sandbox.guest.hostlink`). CPU time, exit and limits are judged here only; the job's
own word counts for nothing but the values it returns.
"""

from __future__ import annotations

import _socket  # without the classes around it, whose memory every job would have to copy
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from sandbox.guest import confine, frames, harden, sweep
from sandbox.guest.hostlink import HostLink
from sandbox.guest.jobs import Job
from sandbox.guest.watch import Watch


class Supervisor:
    """Serves one host over two descriptors until the host closes them."""

    def __init__(self, settings: dict[str, Any], link: HostLink, body: Callable[[], None]) -> None:
        self.link = link
        self.watch = Watch(link, settings.get("watched_inodes", 0))
        self.body = body
        self.uids = settings["uids"]
        self.next_uid = 0
        self.null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)

    def serve(self) -> None:
        """Run jobs until the host hangs up."""
        link = self.link
        while True:
            frame = link.next_frame()
            if frame is None:
                link.read()
                continue
            kind, number, length = frame
            while link.waiting < length and kind == frames.START:
                link.read()
            if kind == frames.START:
                job = Job(number, bytes(link.inbox[link.start : link.start + length]))
                link.discard(length)
                self._run(job)
            else:  # addressed to a job that has ended
                link.skip(length)

    def _fresh_uid(self) -> int | None:
        """The next job's user, or ``None`` where jobs share the supervisor's."""
        if not self.uids:
            return None
        self.next_uid = self.next_uid % self.uids[1] + 1
        return int(self.uids[0] + self.next_uid)

    def _run(self, job: Job) -> None:
        ours, theirs = _socket.socketpair()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe() if job.capture else (-1, out_write)
        uid = self._fresh_uid()
        job.pid = harden.fork()
        if job.pid == 0:
            confine.become_job(job, uid, (self.null, out_write, err_write, theirs.fileno()), self.body)
        theirs.close()
        os.close(out_write)
        if job.capture:
            os.close(err_write)
        ours.setblocking(False)
        self.watch.until_end(job, ours, out_read, err_read)
        clean = sweep.end_all(job)
        if clean and job.how not in ("limit output", "limit answer", "limit protocol", "limit files"):
            self.watch.drain(job, ours, out_read)
        self.watch.flush(job)
        ours.close()
        os.close(out_read)
        if job.capture:
            os.close(err_read)
        self.link.skip(self.link.inflow)
        self.link.inflow = 0
        wall = time.monotonic() - job.started
        clean = clean and sweep.empty_scratch(uid)
        self.link.tell(frames.EXIT, job.number, frames.ENDING.pack(job.code, job.cpu, wall, clean) + job.how.encode())


def main(settings: dict[str, Any]) -> None:
    """Set up and serve. ``settings`` come from the host in the bootstrap message."""
    os.umask(0o077)
    for number in range(1, signal.NSIG):
        # PID 1 ignores signals it has no handler for; Python's own SIGINT handler would be one.
        try:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGPIPE else signal.SIG_DFL)
        except (OSError, ValueError):
            continue
    host_in, host_out = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    for fd in (host_in, host_out):
        os.set_inheritable(fd, False)
    confine.keep_to_one_cpu(*settings["place"])
    missing = confine.take_identity(settings)
    harden.limit(resource.RLIMIT_CORE, 0)
    harden.limit(resource.RLIMIT_NOFILE, 256)
    harden.limit(resource.RLIMIT_FSIZE, settings["tmp_bytes"])
    for name in settings["preload"]:
        try:
            __import__(name)
        except ImportError:
            continue
    if settings["role"] == "candidate":
        from sandbox.guest import candidate

        candidate.prepare()
        body = candidate.main
    else:
        from sandbox.guest import oracle

        oracle.prepare()
        body = oracle.main
    os.environ.clear()
    gc.collect()
    harden.give_back_memory()
    gc.disable()
    gc.freeze()
    link = HostLink(host_in, host_out)
    supervisor = Supervisor(settings, link, body)
    hello = {"pid": os.getpid(), "uid": os.getuid(), "python": sys.version.split()[0], "missing": missing}
    link.tell(frames.HELLO, 0, json.dumps(hello).encode())
    supervisor.serve()
