"""Between a job's birth and its end: relay what it says and is told, judge its clocks and its output."""

from __future__ import annotations

import _socket
import os
import select
import time

from sandbox.guest import frames, sweep
from sandbox.guest.hostlink import CHUNK, HostLink
from sandbox.guest.jobs import Job

TICK = 0.01
"""Shortest wait, in seconds, between two looks at a running job's CPU time."""

FLUSH = 0.02
"""How long, in seconds, results may wait in this process for more to come."""


class Watch:
    """Watches one job at a time. Its two buffers are zeroed after use, as those of the link are."""

    def __init__(self, link: HostLink, inodes: int = 0) -> None:
        """``inodes``: how many a job may have in the scratch folder, where its file system does not limit them."""
        self.link = link
        self.inodes = inodes
        self.outbox = bytearray(CHUNK)
        self.filled = 0
        self.scratch = bytearray(CHUNK)
        self.cpus = os.cpu_count() or 1

    def until_end(self, job: Job, channel: _socket.socket, out: int, err: int) -> None:
        """Relay and judge until the job ends or has to be ended (``job.how`` says which)."""
        link = self.link
        poller = select.poll()
        fd = channel.fileno()
        pidfd = os.pidfd_open(job.pid)
        for readable in (fd, out, pidfd, link.host_in) + ((err,) if err >= 0 else ()):
            poller.register(readable, select.POLLIN)
        host = channel_open = True
        full = False  # the job does not take more at the moment
        next_look = job.started + max(TICK, job.cpu_limit / self.cpus)
        try:
            while True:
                was_full, full = full, self._feed(job, channel)
                if channel_open and full is not was_full:
                    poller.modify(fd, select.POLLIN | select.POLLOUT if full else select.POLLIN)
                if job.how:
                    return
                # Frames for a later job may wait in the inbox; when it is full, the host has to wait.
                if link.has_room is not host:
                    host = link.has_room
                    poller.modify(link.host_in, select.POLLIN if host else 0)
                deadline = min(next_look, time.monotonic() + TICK) if self.inodes else next_look
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
                        link.read()
                if job.how:
                    return
                if exited:
                    job.how = "exited"
                    return
                now = time.monotonic()
                if self.inodes and self._files() > self.inodes:
                    job.how = "limit files"
                elif job.busy_since is not None and now - job.busy_since >= job.wall_limit:
                    job.how = "limit wall"
                elif now >= next_look:
                    used = sweep.cpu_now() - job.cpu_base
                    if used >= job.cpu_limit:
                        job.how = "limit cpu"
                    next_look = now + max(TICK, (job.cpu_limit - used) / self.cpus)
                if job.flush_at and now >= job.flush_at:
                    self.flush(job)
        finally:
            os.close(pidfd)

    def _files(self) -> int:
        """Files and folders in the scratch folder. Where nothing limits them, they cost the worker's memory."""
        scratch = os.statvfs("/tmp")
        return scratch.f_files - scratch.f_ffree

    def drain(self, job: Job, channel: _socket.socket, out: int) -> None:
        """After the end: what the job had written before it counts."""
        how, job.how = job.how, ""
        os.set_blocking(out, False)
        while not job.how and self._read_output(job, out, job.capture):
            pass
        while not job.how and self._read_job(job, channel):
            pass
        if not job.how or (job.how == "done" and how != "exited"):
            job.how = how

    def flush(self, job: Job) -> None:
        """Pass on what the job has said so far."""
        job.flush_at = 0.0
        if self.filled:
            self.link.tell(frames.DATA, job.number, memoryview(self.outbox)[: self.filled])
            self.outbox[: self.filled] = bytes(self.filled)
            self.filled = 0

    def _feed(self, job: Job, channel: _socket.socket) -> bool:
        """Pass on what the inbox holds for this job. True when the job's end is full."""
        link = self.link
        while True:
            while link.inflow and link.waiting:
                part = min(link.inflow, link.waiting)
                try:
                    sent = channel.send(memoryview(link.inbox)[link.start : link.start + part])
                except BlockingIOError:
                    return True
                except OSError:  # closed by the job: its exit or the wall limit follows
                    sent = part
                link.discard(sent)
                link.inflow -= sent
            if link.inflow:
                return False
            frame = link.peek()
            if frame is None or frame[1] > job.number:
                return False
            kind, number, length = frame
            link.discard(frames.HOST.size)
            if number < job.number or kind == frames.START:
                link.skip(length)
            elif kind == frames.END:
                link.skip(length)
                job.how = "ended"
                return False
            else:
                link.inflow = length
                if job.busy_since is None:
                    job.busy_since = time.monotonic()
                if job.per_call and job.answered:
                    job.cpu_base = sweep.cpu_now()

    def _read_job(self, job: Job, channel: _socket.socket) -> bool:
        """Take what the job says. False when it closed the channel."""
        if self.filled == len(self.outbox):
            self.flush(job)
        begin = self.filled
        try:
            size = channel.recv_into(memoryview(self.outbox)[begin:])
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not size:
            return False
        self.filled += size
        job.answered += size
        if job.answered > job.answer_limit:
            job.how = "limit answer"
            return True
        tested, waits = job.follow(memoryview(self.outbox)[begin : self.filled])
        if tested and job.per_call:
            job.cpu_base = sweep.cpu_now()
            job.busy_since = time.monotonic()
        if waits:
            job.busy_since = None
            self.flush(job)
        elif not job.flush_at:
            job.flush_at = time.monotonic() + FLUSH
        return True

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
            self.link.tell(frames.OUTPUT, job.number, memoryview(self.scratch)[:size])
        self.scratch[:size] = bytes(size)
        return size > 0
