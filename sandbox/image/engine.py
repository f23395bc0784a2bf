"""A private Docker engine, for tests on machines where none runs: own socket, own data, no bridge, no firewall rules.

Needs root and ``dockerd``. It cannot give containers a network, which workers do not have anyway.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from sandbox.errors import SandboxUnavailable
from sandbox.owner import is_dead, owner_tag

PREFIX = "harness-engine-"
"""Folders of engines that nobody named a folder for; inside, ``owner`` says whose it is."""


def can_start() -> str:
    """Empty when a private engine can be started here, otherwise the reason why not."""
    if os.geteuid() != 0:
        return "a private Docker engine needs root"
    if _dockerd() is None:
        return "no dockerd here (Debian: `apt-get install docker.io`)"
    return ""


def _dockerd() -> str | None:
    return shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/bin")


class PrivateEngine:
    """Starts a daemon on entry; on exit stops that daemon, and only that one, and deletes its data.

    An engine whose owner was killed stays until :func:`clean`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = None if folder is not None else tempfile.TemporaryDirectory(prefix=PREFIX)
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What ``DOCKER_HOST`` would be."""
        return f"unix://{self.folder}/docker.sock"

    def start(self, timeout: float = 60.0) -> None:
        """Start and wait until it answers.

        Raises:
            SandboxUnavailable: when it cannot be started, with the end of its log.
        """
        reason = can_start()
        if reason:
            raise SandboxUnavailable(reason)
        program = _dockerd()
        assert program is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "owner").write_text(owner_tag())
        log = self.folder / "log"
        command = [program, "--bridge=none", "--iptables=false", "--ip6tables=false", "-H", self.url]
        command += [f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec"]
        command += [f"--pidfile={self.folder}/pid", "--log-level=warn"]
        with log.open("ab") as stream:
            self.process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
        import docker  # type: ignore[import-untyped,unused-ignore]

        deadline = time.monotonic() + timeout
        while True:
            try:
                with_client = docker.DockerClient(base_url=self.url, timeout=5)
                with_client.ping()
                with_client.close()
                return
            except Exception as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    tail = log.read_text(errors="replace").strip().splitlines()[-3:]
                    self.stop()
                    raise SandboxUnavailable(f"dockerd did not start: {' / '.join(tail)}") from error
            time.sleep(0.1)

    def kill(self) -> None:
        """End the daemon at once, as a crash would (for tests). What it had started goes on until :meth:`stop`."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        # Its containerd ends with it, but where nobody reaps it a new daemon would take the zombie for a running one.
        note = self.folder / "exec" / "containerd" / "containerd.pid"
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(note.read_text()), signal.SIGKILL)
        note.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop the daemon and whatever it started; delete what it stored, where the folder was chosen here."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        _end_processes(self.folder)
        _unmount(self.folder)
        if self._temporary is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> PrivateEngine:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def clean() -> list[tuple[str, bool]]:
    """Stop and delete the engines of dead owners: (folder, whether it is gone)."""
    found = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            tag = (folder / "owner").read_text()
        except OSError:
            continue
        if is_dead(tag):
            _end_processes(folder)
            _unmount(folder)
            shutil.rmtree(folder, ignore_errors=True)
            found.append((str(folder), not folder.exists()))
    return found


def _end_processes(folder: Path) -> None:
    """Kill what runs on behalf of an engine: what was started with paths inside its folder, and all descendants."""
    marker = f"{folder}/".encode()
    for _ in range(100):
        parents: dict[int, int] = {}
        ours: set[int] = set()
        for entry in Path("/proc").iterdir():
            try:
                pid = int(entry.name)
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state in "ZX":
                    continue
                parents[pid] = int(parent)
                if marker in (entry / "cmdline").read_bytes():
                    ours.add(pid)
            except (OSError, ValueError):
                continue
        ours.discard(os.getpid())
        while True:
            more = {pid for pid, parent in parents.items() if parent in ours} - ours
            if not more:
                break
            ours |= more
        if not ours:
            return
        for pid in ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _unmount(folder: Path) -> None:
    """Unmount everything below a folder, the innermost first."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
