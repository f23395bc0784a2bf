"""Canonical JSON and the digests made from it.

Two settings that mean the same must have the same bytes: keys are sorted, ``1.0`` and ``1`` are one number, tuples and
lists are one sequence, a dataclass is a mapping of its fields with its class name under ``"kind"``. NaN and infinities
are refused because JSON has no such numbers and they compare unequal to themselves.

A field that a noun gains later is declared with ``metadata=LATER`` and left out while it has its default, so that the
keys of everything stored before it existed stay what they were.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LATER = {"later": True}
"""Metadata of a dataclass field added after results were stored under keys without it."""

DIGEST_CHARACTERS = 32
"""Hexadecimal characters kept of a SHA-256 digest used as a key: 128 bits, ample against accidental collision."""


def to_plain(value: Any) -> Any:
    """Turn ``value`` into JSON types in canonical form.

    Raises:
        TypeError: for a type with no canonical form (sets, bytes, arrays, …).
        ValueError: for NaN and infinities.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        present = [f for f in dataclasses.fields(value) if not _left_out(f, getattr(value, f.name))]
        return {"kind": type(value).__name__, **{f.name: to_plain(getattr(value, f.name)) for f in present}}
    if isinstance(value, enum.Enum):
        return to_plain(value.value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no canonical JSON form")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        if not all(isinstance(k, str) for k in value):
            raise TypeError("canonical JSON needs string keys")
        return {k: to_plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [to_plain(v) for v in value]
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def _left_out(field: dataclasses.Field[Any], value: Any) -> bool:
    return bool(field.metadata.get("later")) and value == field.default


def canonical_json(value: Any) -> str:
    """The one JSON text of ``value``: sorted keys, no spaces, ASCII."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of :func:`canonical_json`, shortened to :data:`DIGEST_CHARACTERS` hexadecimal characters."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:DIGEST_CHARACTERS]


def text_digest(text: str) -> str:
    """Full SHA-256 of a text in UTF-8 (lone surrogates, which models can emit, are kept)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: Path) -> str:
    """Full SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key64(*parts: Any) -> int:
    """A 64-bit key for a random stream, from any canonical values (used for sampling noise and seeds)."""
    raw = hashlib.blake2b(canonical_json(list(parts)).encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little")
