"""Readers of function tests, ours and the two published ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grade.arguments import Unreadable, json_lines, json_lines_all, ssd_arguments, ssd_expected

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(), lambda s: st.lists(s, max_size=3)
)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_json_lines_give_back_what_was_written(values: list[object]) -> None:
    text = "\n".join(json.dumps(v) for v in values)
    assert json_lines(text) == json_lines_all(text) == tuple(values)
    assert json_lines(text + "\n") == tuple(values)
    with pytest.raises(Unreadable):
        json_lines_all(text + "\n")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1\n2.5\n[1, 2]", (1, 2.5, [1, 2])),
        ('"abc"', ("abc",)),
        ('"a\\nb"', ("a\\nb",)),  # a backslash and an n, not a line's end
        ('""quoted""', ("quoted",)),
        ("false\nnull", ("false", "null")),
        ("x = 1, y = two", (1, "two")),
        ('"a=b"', ('b"'.strip('"'),)),
        ("1e3\ninf", (1000.0, float("inf"))),
        ("1_000", (1000,)),  # as Python reads numbers
        ("", ()),
    ],
)
def test_the_ssd_reader(text: str, values: tuple[object, ...]) -> None:
    assert ssd_arguments(text) == values


@pytest.mark.parametrize("text", ['"a=1,b=2=3"', '"x,y=1"', "[1, 2]\nx=1=2", "[1, 2", "=", "a==b"])
def test_the_ssd_reader_fails_or_reads_a_text(text: str) -> None:
    """Where the evaluator's unpacking of ``name=value`` fails, so does this; elsewhere a line is at least a text."""
    if "=" in text and any(part.count("=") != 1 for part in text.split(",")):
        with pytest.raises(Unreadable):
            ssd_arguments(text)
    else:
        assert ssd_arguments(text)


def test_the_ssd_reader_of_a_broken_list() -> None:
    with pytest.raises(Unreadable):
        ssd_arguments("[1, x]")


@pytest.mark.parametrize(("text", "value"), [("[1.0]\n", [1.0]), ("abc \n", "abc"), ("true", True), ('"x"', "x")])
def test_ssd_expected_values(text: str, value: object) -> None:
    assert ssd_expected(text) == value


@given(st.text())
def test_readers_give_values_or_say_that_they_cannot(text: str) -> None:
    for read in (json_lines, json_lines_all, ssd_arguments):
        try:
            assert isinstance(read(text), tuple)
        except Unreadable:
            continue
    ssd_expected(text)
