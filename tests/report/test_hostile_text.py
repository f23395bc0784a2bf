"""Nothing a model writes can hide, reorder or break out of what a page shows."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.hostile import pieces, script_json, visible
from harness.report.site.highlight import KINDS, prompt_runs, runs

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # includes controls and lone surrogates


def test_every_control_format_and_surrogate_character_of_unicode_is_shown_as_an_escape() -> None:
    hidden = [
        chr(c)
        for c in range(sys.maxunicode + 1)
        if unicodedata.category(chr(c)) in ("Cc", "Cf", "Cs", "Zl", "Zp") and chr(c) not in "\n\t"
    ]
    assert len(hidden) > 2_200
    assert [c for c in hidden if visible(c) == c] == []
    assert all(visible(c).startswith("\\") and visible(c).isascii() for c in hidden)


@pytest.mark.parametrize("text", ["def f(x):\n\treturn 'ä → 猫 🐈'\n", "עברית", "e\u0301", ""])
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_a_bidirectional_override_is_marked() -> None:
    assert pieces("a\u202eb\r\n") == [(False, "a"), (True, "\\u202e"), (False, "b"), (True, "\\x0d"), (False, "\n")]


@given(ANY_TEXT)
def test_what_is_shown_can_always_be_written_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert visible(shown) == shown
    assert "".join(s for _, s in pieces(text)) == shown


@given(st.one_of(ANY_TEXT, st.from_regex(r"(```|~~~)?(py)?\n?.*(\n(```|def f\(|\"\"\"|#).*){0,5}")))
def test_highlighting_changes_no_character(text: str) -> None:
    for coloured in (runs(text), prompt_runs(text)):
        assert "".join(coloured[1::2]) == visible(text)
        assert set(coloured[::2]) <= {*KINDS, ""}


def test_highlighting_changes_no_character_of_hostile_samples(hostile: list[str]) -> None:
    for text in hostile:
        assert "".join(runs(text)[1::2]) == visible(text)


def test_code_is_coloured_inside_a_fence_and_prose_is_not() -> None:
    coloured = runs("for you:\n```python\nfor x in y: pass  # note\n```\nfor free")
    assert [text for kind, text in zip(coloured[::2], coloured[1::2], strict=True) if kind == "k"] == [
        "for",
        "in",
        "pass",
    ]
    assert ("c", "# note") in list(zip(coloured[::2], coloured[1::2], strict=True))


def test_an_unfinished_fence_and_bare_code_are_coloured_too() -> None:
    assert "k" in runs("```python\ndef f():")
    assert "k" in runs("def f():")


@given(ANY_TEXT)
def test_script_json_is_ascii_without_markup_and_reads_back(text: str) -> None:
    written = script_json({"text": text})
    assert written.isascii()
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"text": text}
