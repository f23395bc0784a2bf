"""Text from a model may be anything: make what could mislead a reader or a browser visible before it is shown.

Escaping of ``<`` and ``&`` is left to what writes the page (Jinja, or ``textContent``); here are the characters that
escaping lets through: controls, lone surrogates, and the format characters that reorder or hide text (bidirectional
overrides, zero-width marks; "Trojan Source", CVE-2021-42574).
"""

from __future__ import annotations

import json
import re
from typing import Any

_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"  # soft hyphen, joiner, Arabic and Syriac marks
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # fillers, Khmer vowels, Mongolian selectors
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero-width, separators, bidirectional
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\ufff0-\ufffb\ufffe\uffff"  # surrogates, selectors, byte-order mark, annotation
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # other format characters
    "\U000e0000-\U000e0fff"  # tags and supplementary variation selectors
    "]"
)


def pieces(text: str) -> list[tuple[bool, str]]:
    r"""Split text into ``(hidden, shown)`` pieces; a hidden character is shown as its Python escape.

    >>> pieces("a\u202eb")
    [(False, 'a'), (True, '\\u202e'), (False, 'b')]
    """
    out: list[tuple[bool, str]] = []
    start = 0
    for found in _HIDDEN.finditer(text):
        if found.start() > start:
            out.append((False, text[start : found.start()]))
        out.append((True, _escape(found.group())))
        start = found.end()
    if start < len(text):
        out.append((False, text[start:]))
    return out


def visible(text: str) -> str:
    """The text with hidden characters as escapes; encodable as UTF-8 whatever it was."""
    return _HIDDEN.sub(lambda found: _escape(found.group()), text)


def script_json(value: Any) -> str:
    """JSON that is safe inside a script file or element: ASCII, and no ``<``, ``>`` or ``&`` that HTML could read."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
