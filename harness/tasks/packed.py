"""LiveCodeBench's packed tests: JSON, or JSON text pickled, compressed with zlib and written in base64.

A pickle is a program, so it is not unpickled here. Its instructions are read one by one without being executed, and
only a stream that consists of one string is accepted: nothing is imported, called or built, whatever the data holds.
Sizes are bounded before anything is allocated.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import zlib
from typing import Any

from harness.errors import BadInput

MAX_BYTES = 512 * 2**20
"""Uncompressed bytes of one problem's tests. The packed tests of the published files are a fraction of it."""

_STRINGS = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_HARMLESS = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"})
"""Instructions that a pickled string may have around it: a version, a length, and notes that nothing reads."""


def unpack(text: str, where: str, limit: int = MAX_BYTES) -> Any:
    """The JSON value that a field of tests holds, in either encoding.

    Args:
        text: The field.
        where: Names the problem, for messages.
        limit: Uncompressed bytes that are accepted.

    Raises:
        BadInput: for anything else than the two encodings: text that is no base64, truncated or too large data, a
            pickle with any other instruction than those of one string, a string that is no JSON.
    """
    if text.lstrip()[:1] in ("[", "{", '"'):
        return _json(text, where)
    try:
        compressed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput(f"{where}: neither JSON nor base64") from error
    return _json(string_of_pickle(_inflate(compressed, where, limit), where), where)


def string_of_pickle(data: bytes, where: str) -> str:
    """The string of a pickle that holds one string and nothing else.

    Raises:
        BadInput: naming the first instruction that does more.
    """
    found: list[str] = []
    try:
        for opcode, argument, position in pickletools.genops(data):
            if opcode.name == "STOP":
                if position is None or position + 1 != len(data):
                    raise BadInput(f"{where}: data after the end of the pickle")
            elif opcode.name in _STRINGS:
                found.append(str(argument))
            elif opcode.name not in _HARMLESS:
                raise BadInput(f"{where}: the pickle holds {opcode.name}; only one string is accepted")
    except (ValueError, IndexError) as error:  # pickletools' word for truncated and malformed data
        raise BadInput(f"{where}: not a pickle ({error})") from error
    if len(found) != 1:
        raise BadInput(f"{where}: the pickle holds {len(found)} strings, not one")
    return found[0]


def _inflate(compressed: bytes, where: str, limit: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(compressed, limit + 1)
    except zlib.error as error:
        raise BadInput(f"{where}: not compressed with zlib ({error})") from error
    if len(data) > limit:
        raise BadInput(f"{where}: more than {limit} bytes when uncompressed")
    if not inflater.eof or inflater.unused_data:
        raise BadInput(f"{where}: compressed data that is cut off or goes on after its end")
    return data


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: tests are no JSON") from error
