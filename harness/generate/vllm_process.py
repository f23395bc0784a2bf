"""Starting, asking and ending the processes of the vLLM engine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import harness
from harness.errors import HarnessError, MissingCapability
from harness.generate.vllm_worker import Load, Work

CLOSING_SECONDS = 20.0
"""How long a worker may take to end by itself before it is killed."""


class EngineFailed(HarnessError):
    """vLLM could not load or generate; the message says what it said and where its log is."""


@dataclass(slots=True)
class Worker:
    """A running :mod:`harness.generate.vllm_worker`."""

    process: subprocess.Popen[bytes]
    connection: Connection
    log: Path
    busy: bool = False
    """Whether it was given something it has not answered."""

    @classmethod
    def start(cls, load: Load, environment: dict[str, str]) -> Worker:
        """Start the process and hand it what to load; it answers when it has."""
        ours, theirs = socket.socketpair()
        handle, log = tempfile.mkstemp(prefix="harness-vllm-", suffix=".log")
        with theirs, os.fdopen(handle, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.generate.vllm_worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                env=environment,
                start_new_session=True,  # so that it can be ended together with processes of vLLM's own
            )
        worker = cls(process, Connection(ours.detach()), Path(log))
        worker.send(load)
        return worker

    def send(self, message: Load | Work) -> None:
        """Hand over what to load or to draw; :meth:`answer` tells where the worker is gone."""
        self.busy = True
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def answer(self, expected: str) -> Any:
        """Wait for an answer.

        Raises:
            EngineFailed: where the worker failed or ended.
        """
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            kind, content = "failed", f"its process ended with status {self.process.wait()}"
        self.busy = False
        if kind == expected:
            return content
        raise EngineFailed(f"engine=vllm: {' '.join(str(content).split())} (log: {self.log})")

    def close(self) -> None:
        """End the process and everything it started; keep its log only where something went wrong.

        A process that is at work is not waited for.
        """
        self.connection.close()
        try:
            status = self.process.wait(0.0 if self.busy else CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        kill_group(self.process)
        if status == 0 or self.busy:
            self.log.unlink(missing_ok=True)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a session that ``process`` leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environments(replicas: int, devices_each: int, threads: int | None) -> list[dict[str, str]]:
    """The environment of each replica's process: which devices it sees, and how vLLM is to run.

    What the caller's environment says about vLLM stays, but for its second model runner, whose logits processors have
    another interface.

    Raises:
        MissingCapability: where ``CUDA_VISIBLE_DEVICES`` lists too few devices.
    """
    shared = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        **os.environ,
        "VLLM_USE_V2_MODEL_RUNNER": "0",
        # The worker imports this very copy of the project, wherever the caller found it.
        "PYTHONPATH": os.pathsep.join([str(Path(harness.__file__).parent.parent), *_paths()]),
    }
    if threads:
        shared |= {"OMP_NUM_THREADS": str(threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    if replicas == 1:
        return [shared]
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = listed.split(",") if listed else [str(i) for i in range(replicas * devices_each)]
    if len(visible) < replicas * devices_each:
        raise MissingCapability(
            f"engine.data_parallel_size={replicas} × engine.tensor_parallel_size={devices_each}: "
            f"CUDA_VISIBLE_DEVICES has {len(visible)} devices"
        )
    groups = [visible[i * devices_each : (i + 1) * devices_each] for i in range(replicas)]
    return [{**shared, "CUDA_VISIBLE_DEVICES": ",".join(group)} for group in groups]


def _paths() -> list[str]:
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
