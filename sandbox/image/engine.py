"""A private Docker engine, for tests on machines where none runs: own socket, own data, no bridge, no firewall rules.

Needs root and ``dockerd``. It cannot give containers a network, which workers do not have anyway.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from sandbox.errors import SandboxUnavailable


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
    """Starts a daemon on entry; on exit stops that daemon, and only that one, and deletes its data."""

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = None if folder is not None else tempfile.TemporaryDirectory(prefix="engine-")
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
        """End the daemon at once, as a crash would (for tests)."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop the daemon and delete what it stored."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        subprocess.run(["umount", "-R", f"{self.folder}/data"], capture_output=True, check=False)
        if self._temporary is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> PrivateEngine:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
