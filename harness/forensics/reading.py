"""Reading YAML with its printed digits intact, and refusing what does not fit in one clear line.

Scalars stay text (``54.50`` is not ``54.5``) until a reader asks for a kind of value, and every refusal names the
path of keys, the value and, where there is one, the nearest valid one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from harness.errors import BadInput
from harness.forensics.printed import Printed, Rounding

_NOTHING = {"", "null", "~", "none", "-", "–", "—"}
_ABSENT = object()


class _TextLoader(yaml.BaseLoader):
    """BaseLoader (every scalar is text) that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise BadInput(f"{key.value}: given twice (line {key.start_mark.line + 1})")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(text: str, name: str) -> Node:
    """The document in ``text``; ``name`` begins every complaint."""
    try:
        return Node(yaml.load(text, _TextLoader), f"{name}:")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise BadInput(f"{name}:{line} is not YAML: {getattr(error, 'problem', None) or error}") from None
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None


def nearest(word: str, valid: Iterable[str]) -> str:
    """`` (nearest: …)`` or the list of what is valid, for the end of a complaint."""
    known = [str(v) for v in valid]
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; the nearest valid one is {close[0]!r}"
    return f"; valid are {', '.join(known)}" if known else "; none is defined"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document and the path of keys to it (the root's is the document's name and a colon)."""

    value: Any
    path: str

    def fail(self, why: str) -> BadInput:
        return BadInput(f"{self.path.removesuffix(':')}: {why}")

    def _below(self, key: str) -> str:
        return f"{self.path} {key}" if self.path.endswith(":") else f"{self.path}.{key}"

    def keys(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> None:
        """Check that this is a mapping with the required keys and no unknown ones."""
        required, optional = list(required), list(optional)
        if not isinstance(self.value, dict):
            raise self.fail(f"{self.shown} must be a mapping with {', '.join(required + optional)}")
        for key in self.value:
            if key not in required and key not in optional:
                raise BadInput(f"{self._below(key)}: unknown key{nearest(key, required + optional)}")
        for key in required:
            if key not in self.value:
                raise self.fail(f"the key {key!r} is missing")

    @property
    def shown(self) -> str:
        return repr(self.value) if isinstance(self.value, str) else type(self.value).__name__

    @property
    def missing(self) -> bool:
        return self.value is _ABSENT or (isinstance(self.value, str) and self.value.strip().lower() in _NOTHING)

    def get(self, key: str) -> Node:
        """The value under ``key``; an absent one is :attr:`missing`."""
        return Node(self.value.get(key, _ABSENT), self._below(key))

    def items(self) -> Iterator[tuple[str, Node]]:
        """Entries of a mapping (none if missing)."""
        if self.missing:
            return
        if not isinstance(self.value, dict):
            raise self.fail(f"{self.shown} must be a mapping")
        for key in self.value:
            yield key, self.get(key)

    def list(self) -> list[Node]:
        """Elements of a list (none if missing)."""
        if self.missing:
            return []
        if not isinstance(self.value, list):
            raise self.fail(f"{self.shown} must be a list")
        return [Node(v, f"{self.path}[{i}]") for i, v in enumerate(self.value)]

    def text(self, default: str | None = None) -> str:
        if self.missing and default is not None:
            return default
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.fail(f"{'nothing' if self.missing else self.shown} must be text")
        return " ".join(self.value.split())

    def texts(self) -> tuple[str, ...]:
        return tuple(n.text() for n in self.list())

    def choice(self, valid: Iterable[str], default: str | None = None) -> str:
        valid = list(valid)
        word = self.text(default)
        if word not in valid:
            raise self.fail(f"{word!r} is not known{nearest(word, valid)}")
        return word

    def integer(self, least: int = 0) -> int:
        text = self.text()
        try:
            number = int(text)
        except ValueError:
            raise self.fail(f"{text!r} must be a whole number") from None
        if number < least:
            raise self.fail(f"{number} must be at least {least}")
        return number

    def optional_integer(self, least: int = 0) -> int | None:
        return None if self.missing else self.integer(least)

    def number(self) -> float:
        return float(self.decimal())

    def printed(self, rounding: Rounding, proportion: bool) -> Printed | None:
        """A printed number with no more digits than ``rounding`` allows; None where nothing was printed."""
        if self.missing:
            return None
        number = self.decimal()
        ticks = number.scaleb(rounding.decimals)
        if ticks != ticks.to_integral_value():
            raise self.fail(f"{self.value} has more than the {rounding.decimals} decimals that 'rounding' declares")
        if proportion and not 0 <= ticks <= rounding.full:
            top = Printed(rounding.full, rounding).text
            raise self.fail(f"{self.value} must lie between 0 and {top} (unit: {rounding.unit})")
        return Printed(int(ticks), rounding, proportion)

    def some_printed(self, rounding: Rounding, proportion: bool) -> Printed:
        """Like :meth:`printed`, where a number is required."""
        number = self.printed(rounding, proportion)
        if number is None:
            raise self.fail("a number is needed here")
        return number

    def decimal(self) -> Decimal:
        """A finite number with the digits it was written with; a sign may be typographic, a percent sign may follow."""
        text = self.text().replace("−", "-").replace("±", "").replace("%", "")
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self.fail(f"{self.value!r} is not a number") from None
        if not number.is_finite():
            raise self.fail(f"{self.value!r} is not a number")
        return number
