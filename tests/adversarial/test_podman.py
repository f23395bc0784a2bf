"""The Docker executor on a real Podman service: the whole acceptance suite, and what Podman does otherwise.

Skipped where there is no Podman (Debian: ``apt-get install podman``) or no root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from sandbox import selfcheck
from sandbox.errors import SandboxUnavailable
from sandbox.pool import PoolExecutor


@pytest.fixture(scope="module")
def podman() -> Iterator[PoolExecutor]:
    """One worker of each role on a service with storage, state and socket of its own, which ends with the tests."""
    binary, runc = shutil.which("podman"), shutil.which("runc", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if binary is None or runc is None or os.geteuid() != 0:
        pytest.skip("needs root, podman and runc")
    folder = Path(tempfile.mkdtemp(prefix="podman-"))  # Podman wants a short path
    where = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    service = [binary, *where, "--cgroup-manager", "cgroupfs", "--runtime", runc, "system", "service", "-t", "0"]
    socket = folder / "socket"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*service, f"unix://{socket}"], stdout=log, stderr=log, cwd=folder
        )  # it leaves a file there
    try:
        deadline = time.monotonic() + 60.0
        while not socket.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.1)
        try:
            opened = sandbox.open_executor("docker", workers=1, docker_host=f"unix://{socket}")
        except SandboxUnavailable as error:
            pytest.skip(f"podman starts no worker here: {error}; {(folder / 'log').read_text()[-300:]}")
        with opened:
            assert isinstance(opened, PoolExecutor)
            yield opened
        left = subprocess.run([binary, *where, "ps", "--all", "--quiet"], capture_output=True, text=True, check=True)
        assert left.stdout.split() == []
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def test_it_says_that_it_is_podman_and_who_counts_files(podman):
    description = podman.describe()
    assert description["version"].startswith("Podman ")
    assert description["inode_cap"] == "supervisor"
    assert description["memory_cap"] == description["process_cap"] == "container"


@pytest.mark.slow
def test_hostile_programs_are_contained(podman):
    rows = selfcheck.run(podman)
    assert [row.name for row in rows if not row.contained] == []


def test_nothing_but_the_scratch_folder_can_be_written(podman):
    source = (
        "import os\n"
        "def f():\n"
        "    points = [line.split()[4] for line in open('/proc/self/mountinfo')]\n"
        "    return sorted(p for p in points if os.path.isdir(p) and os.access(p, os.W_OK) and p != '/tmp')\n"
    )
    plan = sandbox.Calls("f", (sandbox.Call((), []),))
    report = next(iter(podman.run([sandbox.Job("mounts", source, plan)])))
    assert report.outcome is sandbox.Outcome.PASSED, report
