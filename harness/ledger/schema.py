"""JSON Schemas of everything the project leaves behind, shipped in ``harness/ledger/schemas``."""

from __future__ import annotations

import importlib.util
import json
from importlib import resources
from typing import Any

NAMES = ("record", "event", "prereg", "claims", "statement")


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) called ``name``, one of :data:`NAMES`."""
    text = (resources.files("harness.ledger") / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def available() -> bool:
    """Whether the validator is installed. Everything else works without it."""
    return importlib.util.find_spec("jsonschema") is not None


def faults(name: str, document: Any, limit: int = 5) -> list[str]:
    """Up to ``limit`` breaches of a schema, each with the path to it."""
    from jsonschema import Draft202012Validator

    out = []
    for error in Draft202012Validator(schema(name)).iter_errors(document):
        where = "/".join(map(str, error.absolute_path)) or "the document"
        out.append(f"{where}: {error.message[:200]}")
        if len(out) == limit:
            break
    return out
