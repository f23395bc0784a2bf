"""The content-addressed store: one folder a step, named by the digest of what the step was asked to do.

What this does not promise: that equal keys give equal bytes on another machine. A key names the *request* (settings,
input digests, the step's own version number); floating-point results may differ with hardware, library versions and
thread counts, which is why a record keeps digests of what actually came out.

Layout::

    <root>/<step>/<key>/request.json   what was asked, in canonical JSON
    <root>/<step>/<key>/parts/…        finished batches, each written whole or not at all
    <root>/<step>/<key>/…              outputs of the step
    <root>/<step>/<key>/done.json      written last: the outputs with their digests, free-form facts, and what made it

A step without ``done.json`` is unfinished; whatever parts it has are kept and reused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.canonical import canonical_json, digest, file_digest
from harness.errors import CheckFailed
from harness.ledger.provenance import maker


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` so that a reader, or a crash, sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two nodes of one shared folder may have processes of one number.
    partial = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class StepRequest:
    """What a step is asked: its name, the version of its code, its settings and the digests of its inputs."""

    name: str
    version: int
    settings: Any
    inputs: Mapping[str, str]

    @property
    def key(self) -> str:
        return digest({"version": self.version, "settings": self.settings, "inputs": self.inputs})


@dataclass(frozen=True, slots=True)
class Step:
    """The folder of one step."""

    request: StepRequest
    path: Path

    @property
    def key(self) -> str:
        return self.request.key

    @property
    def name(self) -> str:
        """The step's folder inside the store."""
        return f"{self.request.name}/{self.key}"

    @property
    def done(self) -> bool:
        return (self.path / "done.json").exists()

    def facts(self) -> dict[str, Any]:
        """What the finished step noted about itself (counts, versions, seconds)."""
        return dict(self._done()["facts"])

    def made_by(self) -> dict[str, Any] | None:
        """Machine, libraries and commit that finished the step; ``None`` where that was not yet written down."""
        made: dict[str, Any] | None = self._done().get("made")
        return made

    def outputs(self) -> dict[str, str]:
        """Digests of all outputs."""
        return dict(self._done()["outputs"])

    def output_digest(self, name: str) -> str:
        return str(self._done()["outputs"][name])

    def read(self, name: str) -> bytes:
        """An output's bytes, checked against the digest recorded when it was finished.

        Raises:
            CheckFailed: if the file no longer has that digest.
        """
        target = self.path / name
        wanted = self.output_digest(name)
        if not target.exists() or file_digest(target) != wanted:
            raise CheckFailed(f"{target}: its bytes changed since the step finished; remove {self.path} to redo it")
        return target.read_bytes()

    def part(self, index: int) -> bytes | None:
        """The bytes of a finished part, or ``None``."""
        path = self._part_path(index)
        return path.read_bytes() if path.exists() else None

    def write_part(self, index: int, data: bytes) -> None:
        write_atomic(self._part_path(index), data)

    def finish(
        self, outputs: Mapping[str, bytes], facts: Mapping[str, Any], kept: Mapping[str, str] | None = None
    ) -> None:
        """Write the outputs, then ``done.json``. ``kept`` names outputs already in place, with their digests."""
        digests = dict(kept or {})
        for name, data in outputs.items():
            write_atomic(self.path / name, data)
            digests[name] = file_digest(self.path / name)
        done = {"outputs": digests, "facts": dict(facts), "made": maker()}
        write_atomic(self.path / "done.json", json.dumps(done, sort_keys=True, indent=1).encode())

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the step against other processes; released by the kernel if we die."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _done(self) -> dict[str, Any]:
        done: dict[str, Any] = json.loads((self.path / "done.json").read_text())
        return done

    def _part_path(self, index: int) -> Path:
        return self.path / "parts" / f"{index:05d}.jsonl"


class Store:
    """Steps under one root folder. ``asked`` keeps those that were asked for, in order, each once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: dict[str, Step] = {}

    def step(self, request: StepRequest) -> Step:
        """The step's folder; its request is written down the first time."""
        step = Step(request, self.root / request.name / request.key)
        self.asked.setdefault(step.name, step)
        target = step.path / "request.json"
        if not target.exists():
            write_atomic(target, (canonical_json(request) + "\n").encode())
        return step


def dump_lines(rows: list[dict[str, Any]]) -> bytes:
    """JSON lines, ASCII only (lone surrogates and control characters stay escaped), keys sorted."""
    return b"".join(json.dumps(r, sort_keys=True, ensure_ascii=True).encode() + b"\n" for r in rows)


def load_lines(data: bytes) -> list[dict[str, Any]]:
    """Inverse of :func:`dump_lines`."""
    return [json.loads(line) for line in data.splitlines() if line]
