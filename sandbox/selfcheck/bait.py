"""What attacks are after, set out on the host: listeners, a secret file, an environment variable."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from pathlib import Path

VARIABLE = "HARNESS_BAIT"


class Bait:
    """Listeners on the loopback interface and on local sockets, and a readable secret file; gone on exit."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="bait-")
        self.names: dict[str, str] = {}
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Bait:
        os.chmod(self.folder.name, 0o755)
        secret = Path(self.folder.name) / "secret"
        secret.write_text("bait")
        secret.chmod(0o644)
        path, abstract = f"{self.folder.name}/socket", f"harness-{Path(self.folder.name).name}"
        tcp = self._listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        udp = self._listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, path)
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract)
        os.chmod(path, 0o666)
        self.names = {
            "tcp": str(tcp.getsockname()[1]),
            "udp": str(udp.getsockname()[1]),
            "unix": path,
            "abstract": abstract,
            "secret": str(secret),
            "folder": self.folder.name,
            "variable": VARIABLE,
        }
        return self

    def __exit__(self, *exc: object) -> None:
        for listener in self._sockets:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.folder.cleanup()

    def fill(self, source: str) -> str:
        """Put the bait's addresses into a program."""
        for name, value in self.names.items():
            source = source.replace(f"<<{name}>>", value)
        return source

    def _listen(self, family: int, kind: int, address: object) -> socket.socket:
        listener = socket.socket(family, kind)
        listener.bind(address)  # type: ignore[arg-type]
        if kind == socket.SOCK_STREAM:
            listener.listen(16)
        self._sockets.append(listener)
        threading.Thread(target=self._serve, args=(listener, kind), daemon=True).start()
        return listener

    @staticmethod
    def _serve(listener: socket.socket, kind: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                if kind == socket.SOCK_STREAM:
                    connection, _ = listener.accept()
                    connection.close()
                else:
                    _, peer = listener.recvfrom(4096)
                    if peer is None:  # shut down
                        return
                    listener.sendto(b"bait", peer)
