"""Progress of long steps: a bar with rate and time left on a terminal, plain lines otherwise. Always on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

PLAIN_INTERVAL_SECONDS = 15.0

Advance = Callable[[int], None]


@contextlib.contextmanager
def track(title: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
    """Show a step of ``total`` units, ``done`` of them already in the store. Yields ``advance(units)``."""
    if sys.stderr.isatty():
        with _bar(title, total, unit, done) as advance:
            yield advance
    else:
        with _lines(title, total, unit, done) as advance:
            yield advance


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _bar(title: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} {unit}/s" if task.speed else f"… {unit}/s")

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), Rate())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total, completed=done)
        yield lambda n: progress.advance(task, n)


@contextlib.contextmanager
def _lines(title: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    start = last = time.monotonic()
    count = done

    def advance(n: int) -> None:
        nonlocal count, last
        count += n
        now = time.monotonic()
        if now - last >= PLAIN_INTERVAL_SECONDS and count < total:
            last = now
            rate = (count - done) / (now - start)
            say(f"{title}: {count}/{total} {unit}, {rate:.1f}/s, {(total - count) / max(rate, 1e-9):.0f} s left")

    yield advance
    elapsed = time.monotonic() - start
    if count > done:
        say(f"{title}: {count}/{total} {unit} in {elapsed:.1f} s")
