"""Corpus filters and control transforms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.train.corpus import Example, apply_filters, apply_transforms, is_empty, is_stub


def example(key: str, text: str, finished: bool = True) -> Example:
    return Example(key, (("user", f"prompt {key}"),), text, finished, tuple(text.encode()))


@pytest.mark.parametrize(
    ("text", "empty", "stub"),
    [
        ("", True, False),
        (" \n\t\n", True, False),
        ("pass", False, True),
        ("\n\n  return 1  \n\n", False, True),
        ("```python\npass\n```", False, False),
        ("def f():\n    return 1", False, False),
    ],
)
def test_what_counts_as_empty_and_as_a_stub(text, empty, stub):
    assert (is_empty(text), is_stub(text)) == (empty, stub)


def test_counts_and_keys_of_what_was_dropped():
    corpus = [example("a", ""), example("b", "x = 1"), example("c", "x\ny"), example("d", "cut\noff", finished=False)]
    kept = apply_filters(corpus, ("empty", "stub"))
    assert [e.key for e in kept.examples] == ["c", "d"]  # a truncated sample stays, as in the paper
    assert kept.dropped == {"empty": ("a",), "stub": ("b",)}
    assert kept.counts == {"empty": 1, "stub": 1, "kept": 2}
    assert apply_filters(corpus, ()).examples == tuple(corpus)


@given(texts=st.lists(st.text(max_size=20), max_size=20))
def test_every_example_is_kept_or_dropped_once(texts):
    corpus = [example(str(i), t) for i, t in enumerate(texts)]
    kept = apply_filters(corpus, ("stub", "empty"))
    everything = [e.key for e in kept.examples] + [k for keys in kept.dropped.values() for k in keys]
    assert sorted(everything) == sorted(e.key for e in corpus)


@given(n=st.integers(2, 30), seed=st.integers(0, 1000))
def test_shuffling_gives_nobody_their_own_response_and_loses_none(n, seed):
    corpus = [example(str(i), f"text {i}", finished=bool(i % 2)) for i in range(n)]
    mixed = apply_transforms(corpus, ("shuffle_responses",), seed)
    assert [(e.key, e.messages) for e in mixed] == [(e.key, e.messages) for e in corpus]
    assert sorted(e.text for e in mixed) == sorted(e.text for e in corpus)
    assert all(a.text != b.text for a, b in zip(mixed, corpus, strict=True))
    assert all(e.token_ids == tuple(e.text.encode()) and e.finished == bool(int(e.text[5:]) % 2) for e in mixed)
    assert mixed == apply_transforms(corpus, ("shuffle_responses",), seed)


def test_unknown_names_get_the_nearest():
    with pytest.raises(BadInput, match=r"corpus\.filters=stubs: unknown; the nearest is stub"):
        apply_filters([], ("stubs",))
    with pytest.raises(BadInput, match="nearest is shuffle_responses"):
        apply_transforms([], ("shuffle",), 0)
