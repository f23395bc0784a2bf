"""Packed tests: what is accepted equals Python's own unpickling of a string, and nothing else is accepted."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.tasks.packed import string_of_pickle, unpack

FIXTURE = Path(__file__).parents[1] / "fixtures" / "livecodebench"


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@given(st.text(), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_a_pickled_string_is_read_as_python_reads_it(text: str, protocol: int) -> None:
    assert string_of_pickle(pickle.dumps(text, protocol), "x") == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s, max_size=4)))
def test_both_encodings_give_the_same_value(value: object) -> None:
    text = json.dumps([value])
    assert unpack(text, "x") == unpack(packed(pickle.dumps(text)), "x") == [value]


class Call:
    """Unpickling this would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (os.mkdir, (str(self.path),))


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    hostile = pickle.dumps(Call(made))
    with pytest.raises(BadInput, match="only one string is accepted"):
        unpack(packed(hostile), "x")
    assert not made.exists()
    pickle.loads(hostile)  # the same bytes, to show that they are armed
    assert made.exists()


@given(
    st.one_of(
        st.binary(),
        st.none() | st.booleans() | st.integers() | st.floats() | st.binary(),
        st.lists(st.text()) | st.tuples(st.text(), st.text()) | st.dictionaries(st.text(), st.text()),
        st.sets(st.integers(), min_size=1),
    ),
    st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_any_other_value_is_refused(value: object, protocol: int) -> None:
    with pytest.raises(BadInput):
        string_of_pickle(pickle.dumps(value, protocol), "x")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for wrapped in (packed(data), base64.b64encode(data).decode()):
        with pytest.raises(BadInput):
            unpack(wrapped, "x")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(BadInput):
            unpack(text, "x")
    else:
        if text.lstrip()[:1] in ("[", "{", '"'):
            assert unpack(text, "x") == expected


def test_the_hostile_fixture_is_refused_row_by_row() -> None:
    rows = [json.loads(line) for line in (FIXTURE / "hostile.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    reasons = {}
    for row in rows:
        with pytest.raises(BadInput) as caught:
            unpack(row["private_test_cases"], row["question_id"], limit=2**20)
        reasons[row["question_id"].removeprefix("hostile_")] = str(caught.value)
    assert "STACK_GLOBAL" in reasons["calls"]
    assert "GLOBAL" in reasons["calls_os"]
    assert "more than 1048576 bytes" in reasons["bomb"]
    assert "cut off" in reasons["cut_off"]
    assert "TUPLE2" in reasons["two_strings"]
    assert "after the end" in reasons["more_after_end"]
    assert "BINBYTES" in reasons["bytes"]
    assert all("\n" not in reason for reason in reasons.values())


@pytest.mark.parametrize("opcode", [b"r\xff\xff\xff\x7f", b"X\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 8])
def test_a_claimed_size_allocates_nothing(opcode: bytes) -> None:
    """LONG_BINPUT, BINUNICODE and BINUNICODE8 that announce gigabytes."""
    with pytest.raises(BadInput):
        string_of_pickle(b"\x80\x04" + opcode + b".", "x")
