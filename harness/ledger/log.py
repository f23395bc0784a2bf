"""The event log of a results folder: ``log.jsonl``, one entry a line, each carrying the hash of the one before.

What this does not promise: a chain shows that entries were not changed, removed or reordered *relative to its head*.
Whoever holds the file can rewrite it whole. So the head's hash is printed for anchoring elsewhere, and
:mod:`harness.audit` compares the file with every committed version of it, which git keeps.

Nothing is ever edited: a correction is a new entry that names what it corrects and why.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from harness.canonical import canonical_json
from harness.errors import BadInput, CheckFailed

Kind = Literal["publish", "correction", "prereg", "deviation"]

GENESIS = "0" * 64
"""What the first entry carries where the others carry the hash of the one before."""

LOG = "log.jsonl"

SUBJECTS: Mapping[str, frozenset[str]] = {
    "publish": frozenset({"run", "folder", "record", "provenance", "left_out", "exploratory"}),
    "correction": frozenset({"run", "folder"}),
    "prereg": frozenset({"prereg", "sha256", "design"}),
    "deviation": frozenset({"prereg"}),
}
"""What an entry of each kind is about: the keys of its subject."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry. ``time`` is UTC in ISO 8601 and proves nothing; order is what the chain fixes."""

    index: int
    time: str
    kind: Kind
    subject: Mapping[str, Any]
    reason: str
    prev: str

    @property
    def line(self) -> bytes:
        """The entry as it stands in the file, without its newline."""
        fields = {k: getattr(self, k) for k in ("index", "time", "kind", "subject", "reason", "prev")}
        return canonical_json(fields).encode()

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.line).hexdigest()


def append(results: Path, kind: Kind, subject: Mapping[str, Any], reason: str) -> Event:
    """Add an entry to the log below ``results``; safe against a second writer.

    Raises:
        BadInput: if the reason is empty.
        ValueError: if the subject is not what entries of this kind are about.
        CheckFailed: if the log is broken already, because an entry on top would hide that.
    """
    if not reason.strip():
        raise BadInput("a log entry needs a reason")
    results.mkdir(parents=True, exist_ok=True)
    with (results / LOG).open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        events, faults = parse(stream.read())
        if faults:
            raise CheckFailed(f"{results / LOG}: {faults[0]}")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        plain = json.loads(canonical_json(subject))
        event = Event(len(events), stamp, kind, plain, reason.strip(), head_hash(events))
        _event(json.loads(event.line))
        stream.write(event.line + b"\n")
    return event


def read(results: Path) -> list[Event]:
    """Every entry that can be read, faulty chain or not; an absent log is an empty one."""
    path = results / LOG
    return parse(path.read_bytes())[0] if path.exists() else []


def faults(results: Path) -> list[str]:
    """What is wrong with the chain, in words; empty for a whole one."""
    path = results / LOG
    return parse(path.read_bytes())[1] if path.exists() else []


def head_hash(events: list[Event]) -> str:
    """The hash to anchor elsewhere: of the last entry."""
    return events[-1].hash if events else GENESIS


def parse(data: bytes) -> tuple[list[Event], list[str]]:
    """Entries of a log file and its faults. An unreadable line is a fault and no entry."""
    events: list[Event] = []
    wrong: list[str] = []
    previous = GENESIS
    lines = data.split(b"\n")
    if lines[-1]:
        wrong.append("the last entry has no end of line")
    for number, line in enumerate(filter(None, lines)):
        try:
            fields = json.loads(line)
            event = _event(fields)
        except (ValueError, TypeError) as error:
            wrong.append(f"entry {number} cannot be read ({error})")
            previous = hashlib.sha256(line).hexdigest()
            continue
        if event.index != number:
            wrong.append(f"entry {number} says that it is number {event.index}")
        if event.prev != previous:
            wrong.append(f"entry {number} does not carry the hash of the entry before it")
        if event.line != line:
            wrong.append(f"entry {number} is not in canonical form")
        previous = hashlib.sha256(line).hexdigest()
        events.append(event)
    return events, wrong


def _event(fields: Any) -> Event:
    """An entry from its JSON, with the types and the subject that its kind asks for."""
    event = Event(**fields)
    texts = (event.time, event.kind, event.reason, event.prev)
    if not all(isinstance(t, str) for t in texts) or not isinstance(event.index, int):
        raise TypeError("a field has the wrong type")
    if event.kind not in get_args(Kind):
        raise ValueError(f"unknown kind {event.kind!r}")
    if not isinstance(event.subject, dict) or set(event.subject) != SUBJECTS[event.kind]:
        raise ValueError(f"a {event.kind} entry is about {', '.join(sorted(SUBJECTS[event.kind]))}")
    return event


def published(events: list[Event]) -> dict[str, Event]:
    """The newest publish entry of each run id."""
    return {str(e.subject["run"]): e for e in events if e.kind == "publish"}


def corrected(events: list[Event]) -> dict[str, str]:
    """Run ids that a correction withdrew, with the reason. Publishing one again later puts it back."""
    out: dict[str, str] = {}
    for event in events:
        if event.kind == "correction":
            out[str(event.subject["run"])] = event.reason
        elif event.kind == "publish":
            out.pop(str(event.subject["run"]), None)
    return out
