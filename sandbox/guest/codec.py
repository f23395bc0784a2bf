"""The closed set of types that may cross the border between candidate and oracle, as JSON text.

Objects never cross: only data does. What is not in the set crosses as the *name* of its type
(:class:`Foreign`), so an object that equals everything arrives as nothing that could be compared.
Instances of subclasses of the built-in types cross as the built-in value they hold (a named tuple as a tuple), read
through the built-in type's own methods.

Python lists, ``None``, booleans, strings, finite and special floats and integers below 2**53 are their own JSON; every
other type is a one-key object, which no Python value maps to otherwise. Not kept: object identity (two references to
one list become two lists), a ``defaultdict``'s factory, and laziness (an iterator is drained, up to
:data:`MAX_ITERATOR`).
"""

from __future__ import annotations

import _json
import collections
import datetime
import decimal
import fractions
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 200
"""Nesting levels of one value. Deeper (or self-referential) values do not cross."""

MAX_NODES = 1_000_000
"""Elements of one value, counted with repetition, so that shared references cannot blow up."""

MAX_ITERATOR = 1_000_000
"""Items drawn from an iterator before it is refused."""

SAFE_INT = 2**53


class Refused(Exception):
    """The value cannot cross: nested too deeply, too large, or malformed on arrival."""


class Foreign:
    """Stands, after decoding, for an object whose type is not in the closed set. It supports nothing."""

    __slots__ = ("type_name",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __eq__(self, other: object) -> bool:
        return False


class MatchData:
    """What a regular expression's match object tells, as data; true, and equal to itself only, like the real one."""

    __slots__ = ("_groups", "_names", "_spans", "string")

    def __init__(self, string: str, spans: list[tuple[int, int]], names: dict[str, int]) -> None:
        if not spans or not all(type(n) is int for span in spans for n in span):
            raise Refused("malformed match")
        self.string = string
        self._spans = spans
        self._names = names
        self._groups = tuple(None if a < 0 else string[a:b] for a, b in spans)

    def _index(self, group: int | str) -> int:
        return self._names[group] if isinstance(group, str) else group

    def group(self, *groups: int | str) -> Any:
        """As :meth:`re.Match.group`."""
        chosen = tuple(self._groups[self._index(g)] for g in groups or (0,))
        return chosen[0] if len(chosen) == 1 else chosen

    __getitem__ = group

    def groups(self, default: Any = None) -> tuple[Any, ...]:
        """As :meth:`re.Match.groups`."""
        return tuple(default if g is None else g for g in self._groups[1:])

    def groupdict(self, default: Any = None) -> dict[str, Any]:
        """As :meth:`re.Match.groupdict`."""
        return {n: default if self._groups[i] is None else self._groups[i] for n, i in self._names.items()}

    def span(self, group: int | str = 0) -> tuple[int, int]:
        """As :meth:`re.Match.span`."""
        return self._spans[self._index(group)]

    def start(self, group: int | str = 0) -> int:
        """As :meth:`re.Match.start`."""
        return self.span(group)[0]

    def end(self, group: int | str = 0) -> int:
        """As :meth:`re.Match.end`."""
        return self.span(group)[1]


def _match_tree(encoder: _Encoder, match: re.Match[Any], depth: int) -> Any:
    spans = [match.span(i) for i in range(match.re.groups + 1)]
    return {"ma": encoder.items((match.string, spans, dict(match.re.groupindex)), depth)}


def _never(value: object) -> Any:
    raise Refused(f"{type(value).__name__} has no encoding")


# The C encoder used directly: a candidate that patches the json module must not lose its own results by it.
_c_encode = _json.make_encoder(None, _never, _json.encode_basestring_ascii, None, ":", ",", False, False, True)
_scan_once: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_surrogate = re.compile("[\ud800-\udfff]").search
_KEYS: type = type({}.keys())
_VALUES: type = type({}.values())
_ITEMS: type = type({}.items())
_ITERATORS: tuple[type, ...] = (
    type(iter([])), type(iter(())), type(iter("")), type(iter({})), type(iter(set())), type(iter(range(0))),
    type(iter(b"")), type(reversed([])), reversed, map, filter, zip, enumerate, type(_ for _ in ()),
    type(iter({}.values())), type(iter({}.items())), itertools.chain, itertools.product, itertools.permutations,
    itertools.combinations, itertools.combinations_with_replacement, itertools.islice, itertools.accumulate,
    itertools.starmap, itertools.takewhile, itertools.dropwhile, itertools.compress, itertools.zip_longest,
    itertools.filterfalse, itertools.groupby, itertools.count, itertools.cycle, itertools.repeat,
)  # fmt: skip


class _Encoder:
    """One encoding: counts nodes, so that the size of the result is bounded before it is built."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes = 0

    def tree(self, value: Any, depth: int) -> Any:
        """``value`` as a tree of JSON types."""
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -SAFE_INT < value < SAFE_INT else {"i": hex(value)}
        if kind is str:
            return {"u": value.encode("utf-8", "surrogatepass").hex()} if _surrogate(value) else value
        if depth >= MAX_DEPTH:
            raise Refused(f"nested deeper than {MAX_DEPTH} levels")
        if kind is list:
            return self.items(value, depth)
        if kind is tuple:
            return {"t": self.items(value, depth)}
        if kind is dict:
            return {"d": self.pairs(value, depth)}
        encode = _EXACT.get(kind)
        if encode is not None:
            return encode(self, value, depth)
        for base in kind.__mro__:
            if base in _FLATTEN:
                return self.tree(_FLATTEN[base](value), depth)
        if kind in _ITERATORS:
            drawn = list(itertools.islice(value, MAX_ITERATOR + 1))
            if len(drawn) > MAX_ITERATOR:
                raise Refused(f"iterator of more than {MAX_ITERATOR} items")
            return {"it": self.items(drawn, depth)}
        return {"x": f"{kind.__module__}.{kind.__qualname__}"[:200]}

    def items(self, values: Any, depth: int) -> list[Any]:
        """The elements of a sequence or set."""
        self.nodes += len(values)
        if self.nodes > MAX_NODES:
            raise Refused(f"more than {MAX_NODES} elements")
        tree, deeper = self.tree, depth + 1
        return [tree(v, deeper) for v in values]

    def pairs(self, mapping: Any, depth: int) -> list[Any]:
        """Keys and values in turn."""
        flat: list[Any] = []
        for key, value in dict.items(mapping):
            flat.append(key)
            flat.append(value)
        return self.items(flat, depth)


_EXACT: dict[type, Callable[[_Encoder, Any, int], Any]] = {
    set: lambda e, v, d: {"s": e.items(v, d)},
    frozenset: lambda e, v, d: {"fs": e.items(v, d)},
    bytes: lambda e, v, d: {"b": v.hex()},
    bytearray: lambda e, v, d: {"ba": v.hex()},
    complex: lambda e, v, d: {"c": [v.real, v.imag]},
    range: lambda e, v, d: {"r": e.items((v.start, v.stop, v.step), d)},
    type(...): lambda e, v, d: {"e": 0},
    type(NotImplemented): lambda e, v, d: {"ni": 0},
    decimal.Decimal: lambda e, v, d: {"D": str(v)},
    fractions.Fraction: lambda e, v, d: {"F": [hex(v.numerator), hex(v.denominator)]},
    datetime.datetime: lambda e, v, d: {"dt": v.isoformat()},
    datetime.date: lambda e, v, d: {"da": v.isoformat()},
    datetime.time: lambda e, v, d: {"ti": v.isoformat()},
    datetime.timedelta: lambda e, v, d: {"td": [v.days, v.seconds, v.microseconds]},
    collections.Counter: lambda e, v, d: {"C": e.pairs(v, d)},
    collections.OrderedDict: lambda e, v, d: {"O": e.pairs(v, d)},
    collections.defaultdict: lambda e, v, d: {"dd": e.pairs(v, d)},
    collections.deque: lambda e, v, d: {"q": e.items(v, d), "m": v.maxlen},
    re.Match: _match_tree,
    _KEYS: lambda e, v, d: {"dk": e.items(list(v), d)},
    _VALUES: lambda e, v, d: {"dv": e.items(list(v), d)},
    _ITEMS: lambda e, v, d: {"di": e.items(list(v), d)},
}

# A subclass crosses as the built-in value inside it; the built-in's own methods read it, never the subclass's.
_FLATTEN: dict[type, Callable[[Any], Any]] = {
    int: int.__pos__,
    float: float.__pos__,
    str: lambda v: "".join(str.__iter__(v)),
    list: lambda v: list(list.__iter__(v)),
    tuple: lambda v: tuple(tuple.__iter__(v)),
    dict: lambda v: dict(dict.items(v)),
    set: lambda v: set(set.__iter__(v)),
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
    bytes: lambda v: bytes(bytes.__iter__(v)),
}


def text_of(tree: Any) -> bytes:
    """JSON text of a tree of JSON types (the C encoder: nothing a program patches is involved)."""
    return "".join(_c_encode(tree, 0)).encode("ascii")


def dumps(value: Any) -> bytes:
    """Encode ``value`` as ASCII JSON text.

    Raises:
        Refused: when it is nested too deeply or too large.
    """
    return text_of(_Encoder().tree(value, 0))


def _pairs(flat: Any) -> Any:
    values = _list(flat)
    if len(values) % 2:
        raise Refused("odd number of keys and values")
    return zip(values[::2], values[1::2], strict=True)


def _list(tree: Any) -> list[Any]:
    if type(tree) is not list:
        raise Refused("a list was expected")
    return [value_of(v) for v in tree]


def _text(tree: Any) -> str:
    if type(tree) is not str:
        raise Refused("text was expected")
    return tree


def _int(tree: Any) -> int:
    return int(_text(tree), 16)


_DECODE: dict[str, Callable[[Any], Any]] = {
    "i": _int,
    "u": lambda t: bytes.fromhex(_text(t)).decode("utf-8", "surrogatepass"),
    "t": lambda t: tuple(_list(t)),
    "d": lambda t: dict(_pairs(t)),
    "s": lambda t: set(_list(t)),
    "fs": lambda t: frozenset(_list(t)),
    "b": lambda t: bytes.fromhex(_text(t)),
    "ba": lambda t: bytearray.fromhex(_text(t)),
    "c": lambda t: complex(*_list(t)),
    "r": lambda t: range(*_list(t)),
    "e": lambda t: ...,
    "ni": lambda t: NotImplemented,
    "D": lambda t: decimal.Decimal(_text(t)),
    "F": lambda t: fractions.Fraction(_int(t[0]), _int(t[1])),
    "dt": lambda t: datetime.datetime.fromisoformat(_text(t)),
    "da": lambda t: datetime.date.fromisoformat(_text(t)),
    "ti": lambda t: datetime.time.fromisoformat(_text(t)),
    "td": lambda t: datetime.timedelta(*_list(t)),
    "C": lambda t: collections.Counter(dict(_pairs(t))),
    "O": lambda t: collections.OrderedDict(_pairs(t)),
    "dd": lambda t: collections.defaultdict(None, _pairs(t)),
    "dk": lambda t: dict.fromkeys(_list(t)).keys(),
    "dv": lambda t: dict(enumerate(_list(t))).values(),
    "di": lambda t: dict(_list(t)).items(),
    "ma": lambda t: MatchData(*_list(t)),
    "it": lambda t: iter(_list(t)),
    "x": lambda t: Foreign(_text(t)),
}


def value_of(tree: Any) -> Any:
    """The value of a JSON tree. Strict: an unknown form raises :class:`Refused`."""
    kind = type(tree)
    if kind is list:
        return [value_of(v) for v in tree]
    if kind is not dict:
        return tree
    if len(tree) == 2 and "q" in tree and "m" in tree:
        length = tree["m"]
        if length is not None and type(length) is not int:
            raise Refused("a deque's length is a number")
        return collections.deque(_list(tree["q"]), length)
    if len(tree) != 1:
        raise Refused("a tagged value has one key")
    ((tag, inner),) = tree.items()
    decode = _DECODE.get(tag)
    if decode is None:
        raise Refused("unknown type tag")
    return decode(inner)


def parse(text: bytes) -> Any:
    """JSON text to a JSON tree, whatever the bytes.

    Raises:
        Refused: for anything that is not JSON or is nested too deeply.
    """
    try:
        tree, end = _scan_once(text.decode("ascii"), 0)
    except StopIteration:
        raise Refused("malformed: not JSON") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"malformed: {type(error).__name__}") from None
    if end != len(text):
        raise Refused("malformed: more than one value")
    return tree


def loads(text: bytes) -> Any:
    """Decode what :func:`dumps` made.

    Raises:
        Refused: for anything :func:`dumps` cannot have made.
    """
    tree = parse(text)
    try:
        return value_of(tree)
    except Refused:
        raise
    except RecursionError:
        raise Refused("malformed: nested too deeply") from None
    except Exception as error:
        raise Refused(f"malformed: {type(error).__name__}") from None


def contains_foreign(value: Any) -> str | None:
    """The type name of the first :class:`Foreign` inside ``value``, or ``None``."""
    if type(value) is Foreign:
        return value.type_name
    if isinstance(value, dict):
        inner: Any = itertools.chain(value.keys(), value.values())
    elif isinstance(value, list | tuple | set | frozenset | collections.deque):
        inner = value
    else:
        return None
    for item in inner:
        found = contains_foreign(item)
        if found is not None:
            return found
    return None
