"""The border's codec: what it promises to carry, and that no bytes can do more than be refused."""

from __future__ import annotations

import contextlib
import datetime
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.guest import codec

_keys = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.binary(), st.floats(allow_nan=False))
_leaves = st.one_of(
    _keys, st.complex_numbers(allow_nan=False), st.decimals(allow_nan=False), st.fractions(), st.dates()
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(_keys, inner), st.sets(_keys), st.frozensets(_keys)
    ),
    max_leaves=20,
)


def _same(a: object, b: object) -> bool:
    """Equal and of the same types all the way down (1, 1.0 and True are different)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))  # type: ignore[arg-type]
    if isinstance(a, dict):
        return all(_same(list(p), list(q)) for p, q in zip(a.items(), b.items(), strict=True))  # type: ignore[attr-defined]
    return a == b and (isinstance(a, set | frozenset) or repr(a) == repr(b))


@given(_values)
@settings(max_examples=60, deadline=None)
def test_values_cross_unchanged(value: object) -> None:
    assert _same(codec.loads(codec.dumps(value)), value)


@given(st.text(alphabet=st.characters(categories=["Cs", "Lu"])))
def test_surrogates_survive(text: str) -> None:
    assert codec.loads(codec.dumps(text)) == text


@given(st.binary())
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with contextlib.suppress(codec.Refused):
        codec.loads(data)


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text()),
        lambda i: st.one_of(
            st.lists(i),
            st.dictionaries(st.sampled_from(["t", "d", "s", "F", "D", "dt", "q", "m", "ma", "x", "b", "i", "zz"]), i),
        ),
    )
)
def test_any_tree_is_decoded_or_refused(tree: object) -> None:
    with contextlib.suppress(codec.Refused):
        codec.loads(codec.text_of(tree))


def test_special_floats() -> None:
    assert math.isnan(codec.loads(codec.dumps(math.nan)))
    assert math.copysign(1, codec.loads(codec.dumps(-0.0))) == -1


def test_a_time_with_a_zone() -> None:
    moment = datetime.datetime(2026, 4, 1, 12, tzinfo=datetime.UTC)
    assert codec.loads(codec.dumps(moment)) == moment


def test_what_is_no_data_arrives_as_a_name() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            return True

    arrived = codec.loads(codec.dumps([Odd()]))
    assert arrived != [1]
    assert "Odd" in str(codec.contains_foreign(arrived))


def test_self_reference_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(codec.Refused, match="nested deeper"):
        codec.dumps(loop)
