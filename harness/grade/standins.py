"""What the published graders put round a program, as source that runs *in the candidate's own process*.

The harness never imports this module: :mod:`harness.grade.environments` sends its text with a program. It decides
nothing (comparison, time and expected outputs are elsewhere); it only makes the program's surroundings those of
LiveCodeBench's checker or of the evaluator released with SSD, so that the same programs fail there and here.
"""

import builtins
import io
import os
import shutil
import subprocess
import sys
from typing import Any

GONE_FROM_OS = (
    *("chdir", "chmod", "chown", "chroot", "fchdir", "fchmod", "fchown", "fork", "forkpty", "getcwd", "kill", "killpg"),
    *("lchflags", "lchmod", "lchown", "putenv", "remove", "removedirs", "rename", "renames", "replace", "rmdir"),
    *("setuid", "system", "truncate", "unlink"),
)
GONE_MODULES: tuple[str, ...] = ("ipdb", "joblib", "psutil", "resource", "tkinter")

Text = Any
"""A standard stream or something that stands in for one."""


def disarm(without: tuple[str, ...]) -> None:
    """Take away what both graders take away, and the built-in functions named in ``without``."""
    gone: list[tuple[Any, tuple[str, ...]]] = [
        (os, GONE_FROM_OS),
        (shutil, ("chown", "move", "rmtree")),
        (subprocess, ("Popen",)),
        (builtins, without),
    ]
    for module, names in gone:
        for name in names:
            setattr(module, name, None)
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(GONE_MODULES))


class Buffer:
    """``sys.stdin.buffer``: every ``readline`` is the first line, every ``read`` everything."""

    def __init__(self, text: str) -> None:
        self.data = text.encode("utf-8", "surrogateescape")

    def read(self, *_: int) -> bytes:
        return self.data

    def readline(self, *_: int) -> bytes:
        return self.data.split(b"\n")[0] + b"\n"


class Stdin:
    """``sys.stdin`` while the program runs. ``read`` gives everything every time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.stream = io.StringIO(text)
        self.buffer = Buffer(text)

    def read(self, *_: int) -> str:
        return self.text

    def readline(self, *size: int) -> str:
        return self.stream.readline(*size)

    def readlines(self, *_: int) -> list[str]:
        return self.text.split("\n")

    def __iter__(self) -> Any:
        return iter(self.stream)

    def __next__(self) -> str:
        return next(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def imported_stdin(text: str) -> Text:
    """``sys.stdin`` while imports are executed, which ``from sys import stdin`` therefore binds.

    It is empty but for three methods: lines come without their end, and reading past the last one raises
    ``StopIteration``.
    """
    stream: Any = io.TextIOWrapper(io.BytesIO())
    lines = iter(text.split("\n"))
    stream.read = lambda *_: text
    stream.readline = lambda *_: next(lines)
    stream.readlines = lambda *_: text.split("\n")
    return stream


class Opened(io.StringIO):
    """What ``open`` gives, whatever is opened: the program's input to read, and nowhere to write to."""

    def write(self, text: str) -> int:
        return len(text)


class Streams:
    """Stand-ins for the standard streams of a whole program. What it imports as ``stdout`` leads nowhere."""

    def __init__(self) -> None:
        self.text = sys.stdin.read()
        self.stdout, self.descriptor = sys.stdout, os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # what is written past sys.stdout is not looked at either
        os.close(nowhere)
        sys.stdin, sys.stdout = imported_stdin(self.text), io.StringIO()

    def run(self, function: Any, opens: bool) -> None:
        """Call the program that was made a function and pass on what it printed.

        Args:
            function: The program.
            opens: Whether ``open`` gives the program's input, as it does where no prelude has bound the real one.
        """
        stdin: Text = Stdin(self.text)
        written: Text = io.StringIO()
        written.close = lambda *_: None
        sys.stdin, sys.stdout = stdin, written
        if opens:
            setattr(builtins, "open", lambda *_, **__: Opened(self.text))  # noqa: B010
        try:
            function()
        except SystemExit:
            pass
        finally:
            sys.stdout = self.stdout
        os.dup2(self.descriptor, 1)
        self.stdout.write(written.getvalue())
        self.stdout.flush()


def method(namespace: dict[str, Any], of_class: bool, name: str) -> Any:
    """The function to call: of one instance of ``Solution`` (``of_class``), or of the module."""
    return getattr(namespace["Solution"](), name) if of_class else namespace[name]


def reloaded(source: str, of_class: bool, name: str) -> Any:
    """A function that executes the whole program again for every call."""

    def call(*arguments: Any) -> Any:
        namespace: dict[str, Any] = {}
        exec(source, namespace)
        return method(namespace, of_class, name)(*arguments)

    return call
