"""``python -m sandbox.image``: build the worker image; ``python -m sandbox.image engine``: run a private engine."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(arguments: list[str]) -> int:
    """Build the image into the engine that answers, or into a private one that runs until it is interrupted."""
    from sandbox.docker import connect
    from sandbox.errors import SandboxError
    from sandbox.image import build, engine

    try:
        if arguments[:1] == ["engine"]:
            # The default action would end this process and leave the engine behind.
            for ends in (signal.SIGINT, signal.SIGTERM):
                signal.signal(ends, _leave)
            with engine.PrivateEngine() as private:
                client = connect(private.url)
                sys.stdout.write(f"{build.ensure(client)}\nDOCKER_HOST={private.url}\n")
                sys.stdout.flush()
                signal.pause()
            return 0
        sys.stdout.write(f"{build.ensure(connect())}\n")
        return 0
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
