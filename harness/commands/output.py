"""Where commands write: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any


def emit(document: Mapping[str, Any]) -> None:
    """One JSON document on stdout. NaN has no JSON form and is written ``null``."""
    sys.stdout.write(json.dumps(_finite(document), ensure_ascii=True, allow_nan=False) + "\n")


def write(text: str) -> None:
    """Text on stdout, ending in one newline."""
    sys.stdout.write(printable(text).rstrip("\n") + "\n")


def printable(text: str) -> str:
    """Text that cannot drive a terminal: control characters other than newline and tab are shown escaped."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Cf") else ascii(c)[1:-1] for c in text
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float) and value - value != 0.0:
        return None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
