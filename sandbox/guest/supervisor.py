"""The process a worker consists of: forks one job at a time, limits it, measures it, and leaves nothing behind.

It never reads what it relays: a job's messages pass through buffers that are zeroed afterwards, so a later job, which
is forked from this process, finds no trace of an earlier one in its memory. CPU time, exit and limits are judged here
only; the job's own word counts for nothing but the values it returns.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from sandbox.guest import frames, harden

TICK = 0.01
"""Shortest wait, in seconds, between two looks at a running job's CPU time."""

FLUSH = 0.02
"""How long, in seconds, results may wait in this process for more to come."""

_CHUNK = 1 << 17


class Job:
    """One running job: its process, its limits, its clocks."""

    def __init__(self, number: int, header: dict[str, Any]) -> None:
        self.number = number
        self.cpu_limit = float(header["cpu"])
        self.wall_limit = float(header["wall"])
        self.output_limit = int(header["output"])
        self.answer_limit = int(header["answer"])
        self.per_call = bool(header["per_call"])
        self.capture = bool(header["capture"])
        self.pid = 0
        self.how = ""  # why it ended; empty while it runs
        self.code = 0
        self.output = 0  # bytes on stdout and stderr
        self.answered = 0  # bytes on the channel
        self.cpu_base = 0.0  # CPU seconds at the beginning of the present test
        self.cpu = 0.0
        self.started = time.monotonic()
        self.busy_since: float | None = self.started
        self.flush_at = 0.0
        self.frame_rest = 0  # bytes still to come of the frame being received from the job
        self.frame_kind = 0
        self.head = bytearray()  # header of that frame, where it arrived in pieces


def _clock(pid: int) -> float:
    """CPU seconds of a process (all its threads), or 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


class Supervisor:
    """Serves one host over two descriptors until the host closes them.

    Everything relayed lives in three buffers of fixed size that are zeroed after use; no other copy is made.
    """

    def __init__(self, settings: dict[str, Any], host_in: int, host_out: int, body: Callable[[], None]) -> None:
        self.settings = settings
        self.host_in = host_in
        self.host_out = host_out
        self.body = body
        self.inbox = bytearray(_CHUNK)
        self.start = self.end = 0  # the unread part of the inbox
        self.inflow = 0  # bytes of a DATA frame still to be passed to the job
        self.outbox = bytearray(_CHUNK)
        self.filled = 0
        self.scratch = bytearray(_CHUNK)
        self.uids = settings["uids"]
        self.next_uid = 0
        self.cpus = os.cpu_count() or 1
        self.null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)

    def serve(self) -> None:
        """Run jobs until the host hangs up."""
        while True:
            frame = self._next_frame()
            if frame is None:
                self._read_host()
                continue
            kind, number, length = frame
            while self.end - self.start < length and kind == frames.START:
                self._read_host()
            if kind == frames.START:
                header = json.loads(bytes(self.inbox[self.start : self.start + length]))
                self._discard(length)
                self._run(number, header)
            else:  # addressed to a job that has ended
                self._skip(length)

    def _next_frame(self) -> tuple[int, int, int] | None:
        """Take the next frame's header out of the inbox: kind, job number, payload length."""
        if self.end - self.start < frames.HOST.size:
            return None
        length, kind, number = frames.HOST.unpack_from(self.inbox, self.start)
        self._discard(frames.HOST.size)
        return kind, number, length

    def _discard(self, length: int) -> None:
        self.inbox[self.start : self.start + length] = bytes(length)
        self.start += length
        if self.start == self.end:
            self.start = self.end = 0

    def _skip(self, length: int) -> None:
        while length:
            if self.start == self.end:
                self._read_host()
            part = min(length, self.end - self.start)
            self._discard(part)
            length -= part

    def _read_host(self) -> None:
        if self.end == len(self.inbox):
            rest = self.end - self.start
            self.inbox[:rest] = self.inbox[self.start : self.end]
            self.inbox[rest:] = bytes(len(self.inbox) - rest)
            self.start, self.end = 0, rest
        size = os.readv(self.host_in, [memoryview(self.inbox)[self.end :]])
        if not size:
            os._exit(0)
        self.end += size

    def _tell(self, kind: int, number: int, payload: bytes | memoryview = b"") -> None:
        header = frames.HOST.pack(len(payload), kind, number)
        sent = os.writev(self.host_out, [header, payload]) - len(header)
        if sent < 0:
            raise RuntimeError("the host's pipe took less than a header")
        while sent < len(payload):
            sent += os.write(self.host_out, memoryview(payload)[sent:])

    def _run(self, number: int, header: dict[str, Any]) -> None:
        job = Job(number, header)
        ours, theirs = socket.socketpair()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe() if job.capture else (-1, out_write)
        if self.uids:
            self.next_uid = self.next_uid % self.uids[1] + 1
        job.pid = os.fork()
        if job.pid == 0:
            self._become_job(header, theirs.fileno(), out_write, err_write)
        theirs.close()
        os.close(out_write)
        if job.capture:
            os.close(err_write)
        ours.setblocking(False)
        self._watch(job, ours, out_read, err_read)
        clean = self._end(job)
        if clean and job.how not in ("limit output", "limit answer", "limit protocol"):
            self._drain(job, ours, out_read)
        self._flush(job)
        ours.close()
        os.close(out_read)
        if job.capture:
            os.close(err_read)
        self._skip(self.inflow)
        self.inflow = 0
        report = {"how": job.how, "code": job.code, "cpu": job.cpu, "wall": time.monotonic() - job.started}
        report["clean"] = clean and self._empty_scratch()
        self._tell(frames.EXIT, number, json.dumps(report).encode())

    def _become_job(self, header: dict[str, Any], channel: int, out: int, err: int) -> None:
        """In the forked child: give everything up, then run the body. Never returns."""
        status = 1
        try:
            os.dup2(self.null, 0)
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.dup2(channel, 3)
            os.closerange(4, 64)
            _raise_oom_score()
            cpu = int(header["cpu"] * header["tests"]) + 2
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
            resource.setrlimit(resource.RLIMIT_AS, (header["memory"], header["memory"]))
            processes = header["processes"] + (0 if self.uids else 1)
            resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
            if self.uids:
                uid = self.uids[0] + self.next_uid
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            harden.set_capabilities()
            harden.set_dumpable(True)
            os.setsid()
            os.chdir("/tmp")
            gc.enable()
            self.body()
            status = 0
        except EOFError:
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _watch(self, job: Job, channel: socket.socket, out: int, err: int) -> None:
        """Relay and judge until the job ends or has to be ended (``job.how`` says which)."""
        poller = select.poll()
        fd = channel.fileno()
        pidfd = os.pidfd_open(job.pid)
        for readable in (fd, out, pidfd) + ((err,) if err >= 0 else ()):
            poller.register(readable, select.POLLIN)
        host = channel_open = True
        poller.register(self.host_in, select.POLLIN)
        next_look = job.started + max(TICK, job.cpu_limit / self.cpus)
        try:
            while True:
                if self._feed(job, channel):  # the job does not take more at the moment
                    poller.modify(fd, select.POLLIN | select.POLLOUT)
                elif channel_open:
                    poller.modify(fd, select.POLLIN)
                if job.how:
                    return
                # Frames for a later job may wait in the inbox; when it is full, the host has to wait.
                room = self.end - self.start < len(self.inbox)
                if room != host:
                    poller.modify(self.host_in, select.POLLIN if room else 0)
                    host = room
                deadline = next_look
                if job.busy_since is not None:
                    deadline = min(deadline, job.busy_since + job.wall_limit)
                if job.flush_at:
                    deadline = min(deadline, job.flush_at)
                exited = False
                for ready, event in poller.poll(max(0.0, deadline - time.monotonic()) * 1000 + 0.5):
                    if ready == fd:
                        if event & ~select.POLLOUT and not self._read_job(job, channel):
                            poller.unregister(fd)
                            channel_open = False
                    elif ready in (out, err):
                        if not self._read_output(job, ready, job.capture and ready == out):
                            poller.unregister(ready)
                    elif ready == pidfd:
                        exited = True
                    else:
                        self._read_host()
                if job.how:
                    return
                if exited:
                    job.how = "exited"
                    return
                now = time.monotonic()
                if job.busy_since is not None and now - job.busy_since >= job.wall_limit:
                    job.how = "limit wall"
                elif now >= next_look:
                    used = self._cpu_now() - job.cpu_base
                    if used >= job.cpu_limit:
                        job.how = "limit cpu"
                    next_look = now + max(TICK, (job.cpu_limit - used) / self.cpus)
                if job.flush_at and now >= job.flush_at:
                    self._flush(job)
        finally:
            os.close(pidfd)

    def _feed(self, job: Job, channel: socket.socket) -> bool:
        """Pass on what the inbox holds for this job. True when the job's end is full."""
        while True:
            while self.inflow and self.start < self.end:
                part = min(self.inflow, self.end - self.start)
                try:
                    sent = channel.send(memoryview(self.inbox)[self.start : self.start + part])
                except BlockingIOError:
                    return True
                except OSError:  # closed by the job: its exit or the wall limit follows
                    sent = part
                self._discard(sent)
                self.inflow -= sent
            if self.inflow or self.end - self.start < frames.HOST.size:
                return False
            length, kind, number = frames.HOST.unpack_from(self.inbox, self.start)
            if number > job.number:
                return False
            self._discard(frames.HOST.size)
            if number < job.number or kind == frames.START:
                self._skip(length)
            elif kind == frames.END:
                self._skip(length)
                job.how = "ended"
                return False
            else:
                self.inflow = length
                if job.busy_since is None:
                    job.busy_since = time.monotonic()
                if job.per_call:
                    job.cpu_base = self._cpu_now()

    def _read_job(self, job: Job, channel: socket.socket) -> bool:
        """Take what the job says. False when it closed the channel."""
        if self.filled == len(self.outbox):
            self._flush(job)
        try:
            size = channel.recv_into(memoryview(self.outbox)[self.filled :])
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not size:
            return False
        begin = self.filled
        self.filled += size
        job.answered += size
        if job.answered > job.answer_limit:
            job.how = "limit answer"
        else:
            self._scan(job, begin)
        return True

    def _scan(self, job: Job, position: int) -> None:
        """Follow the frames of the job's stream; flush where it waits, stop where it is done."""
        end, waits = self.filled, False
        while position < end and not job.how:
            if job.frame_kind:
                part = min(job.frame_rest, end - position)
                job.frame_rest -= part
                position += part
            else:
                part = min(frames.JOB.size - len(job.head), end - position)
                job.head += self.outbox[position : position + part]
                position += part
                if len(job.head) < frames.JOB.size:
                    break
                job.frame_rest, job.frame_kind = frames.JOB.unpack(job.head)
                job.head.clear()
                if job.frame_kind not in (frames.MORE, frames.WAIT, frames.DONE):
                    job.how = "limit protocol"
                    return
            if job.frame_rest == 0:
                kind, job.frame_kind = job.frame_kind, 0
                waits = kind == frames.WAIT
                if kind == frames.DONE:
                    job.how = "done"
                elif kind == frames.WAIT:
                    job.busy_since = None
                elif job.per_call:
                    job.cpu_base = self._cpu_now()
                    job.busy_since = time.monotonic()
        if waits:
            self._flush(job)
        elif not job.flush_at:
            job.flush_at = time.monotonic() + FLUSH

    def _flush(self, job: Job) -> None:
        """Pass on what the job has said so far."""
        job.flush_at = 0.0
        if self.filled:
            self._tell(frames.DATA, job.number, memoryview(self.outbox)[: self.filled])
            self.outbox[: self.filled] = bytes(self.filled)
            self.filled = 0

    def _read_output(self, job: Job, fd: int, keep: bool) -> bool:
        """Count (and, for a program's standard output, pass on) what was written. False at its end."""
        try:
            size = os.readv(fd, [self.scratch])
        except BlockingIOError:
            return False
        job.output += size
        if job.output > job.output_limit:
            job.how = "limit output"
        elif keep and size:
            self._tell(frames.OUTPUT, job.number, memoryview(self.scratch)[:size])
        self.scratch[:size] = bytes(size)
        return size > 0

    def _drain(self, job: Job, channel: socket.socket, out: int) -> None:
        """After the end: what the job had written before it counts."""
        how, job.how = job.how, ""
        os.set_blocking(out, False)
        while not job.how and self._read_output(job, out, job.capture):
            pass
        while not job.how and self._read_job(job, channel):
            pass
        if not job.how or (job.how == "done" and how != "exited"):
            job.how = how

    def _cpu_now(self) -> float:
        """CPU seconds of every living process of the job."""
        return sum(_clock(int(entry)) for entry in os.listdir("/proc") if entry.isdigit() and entry != "1")

    def _end(self, job: Job) -> bool:
        """Kill everything that is not this process, reap it, add up its CPU time. False when something is left."""
        ours = job.how != "exited"
        deadline = time.monotonic() + 5.0
        while True:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while True:
                    pid, status, usage = os.wait4(-1, 0)
                    job.cpu += usage.ru_utime + usage.ru_stime
                    if pid == job.pid:
                        job.code = os.waitstatus_to_exitcode(status)
            if sum(entry.isdigit() for entry in os.listdir("/proc")) <= 1:
                break
            if time.monotonic() > deadline:
                return False
        if job.code == -signal.SIGXCPU or (not ours and job.code == -signal.SIGKILL and job.cpu >= job.cpu_limit):
            job.how = "limit cpu"
        elif not ours and job.code == -signal.SIGKILL:
            job.how = "killed"  # nobody here sent it: the kernel did for want of memory, or the job did itself
        elif not job.per_call and not job.how.startswith("limit") and job.cpu >= job.cpu_limit:
            job.how = "limit cpu"
        return True

    def _empty_scratch(self) -> bool:
        """Remove what the job left under /tmp, as that job's user. False when something stays."""
        if not os.listdir("/tmp"):
            return True
        pid = os.fork()
        if pid == 0:
            try:
                resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
                if self.uids:
                    uid = self.uids[0] + self.next_uid
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


def _raise_oom_score() -> None:
    """Let the kernel choose the job, not the supervisor, when the worker's memory runs out."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"1000")
        os.close(fd)
    except OSError:
        pass


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
    missing = take_identity(settings)
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

        body = candidate.main
    else:
        from sandbox.guest import oracle

        body = oracle.main
    os.environ.clear()
    gc.collect()
    gc.disable()
    gc.freeze()
    supervisor = Supervisor(settings, host_in, host_out, body)
    hello = {"pid": os.getpid(), "uid": os.getuid(), "python": sys.version.split()[0], "missing": missing}
    supervisor._tell(frames.HELLO, 0, json.dumps(hello).encode())
    supervisor.serve()
