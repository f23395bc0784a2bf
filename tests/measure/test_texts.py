"""Variety of answers, against values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.texts import canonical_program, distinct_ngrams, distinct_programs, text_measures

A = "def f(x):\n    return x + 1\n"
SAME_AS_A = 'def f(x):\n    """Add one."""\n\n    return (x+1)  # so\n'
B = "def f(y):\n    return y + 1\n"


def test_layout_comments_and_docstrings_make_no_other_program_but_names_do() -> None:
    assert canonical_program(A) == canonical_program(SAME_AS_A)
    assert canonical_program(A) != canonical_program(B)
    assert canonical_program('"""Only this."""') == ""
    assert canonical_program('def f():\n    """Only this."""') == "def f():\n    pass"
    assert canonical_program("def f(:\n\n   x  y") == "def f(:\nx y"


def test_shares_of_programs() -> None:
    assert distinct_programs([A, SAME_AS_A, B, B]) == 0.5
    assert distinct_programs([A, None, None, None]) == 0.25
    assert distinct_programs([None, None]) == 0.0
    assert distinct_programs([A]) is None


def test_distinct_4() -> None:
    assert distinct_ngrams(["a b c d e"]) == 1.0
    assert distinct_ngrams(["a b c d", "a b c d"]) == 0.5
    assert distinct_ngrams(["a.b(c)"]) == 1.0  # a . b ( c ) are six words
    assert distinct_ngrams(["a b c"]) is None
    assert distinct_ngrams(["x x x x x x"]) == pytest.approx(1 / 3)


@given(st.lists(st.text(max_size=30), max_size=5), st.integers(1, 5))
def test_a_share_is_a_share(texts: list[str], n: int) -> None:
    found = distinct_ngrams(texts, n)
    assert found is None or 0 < found <= 1


@given(st.lists(st.sampled_from([A, SAME_AS_A, B, None, "(", "\x00", "if"]), min_size=2, max_size=6))
def test_more_copies_are_less_diverse(programs: list[str | None]) -> None:
    once, twice = distinct_programs(programs), distinct_programs(programs * 2)
    assert once is not None
    assert twice == once / 2


def test_all_together() -> None:
    assert text_measures(["a b c d", "a b c d"], [A, None], [10, 20]) == {
        "distinct_programs": 0.5,
        "distinct_ngrams": 0.5,
        "length": 15.0,
    }
