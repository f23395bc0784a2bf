"""Corpus filters and control transforms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.grade.extract import extract_code
from harness.train.corpus import FORMAT, Example, apply_filters, apply_transforms, has_code, is_empty, is_stub


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


CODE = "Sure:\n```python\ndef f():\n    return 1\n```\nDone."
BARE = "def f():\n    return 1"
CUT = "```py\ndef f():"
PROSE = "I would sort the list\nand take the last element."
SHELL = "```bash\nls -l\npwd\n```"


@pytest.mark.parametrize(
    ("text", "code"), [(CODE, True), (BARE, True), (CUT, True), (PROSE, False), (SHELL, False), ("", False)]
)
def test_code_is_what_grading_would_find(text, code):
    assert has_code(text) == code
    kept = {name: bool(apply_filters([example("a", text)], (name,)).examples) for name in ("codeless", "coded")}
    assert kept == {"codeless": code, "coded": not code}


def test_truncated_drops_what_was_cut_at_the_limit():
    corpus = [example("a", CODE), example("b", CUT, finished=False)]
    assert [e.key for e in apply_filters(corpus, ("truncated",)).examples] == ["a"]


def test_nothing_may_be_left():
    kept = apply_filters([example("a", CODE), example("b", BARE)], ("coded",))
    assert kept.counts == {"coded": 2, "kept": 0}


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_shuffled_tokens_are_the_same_tokens_with_the_stop_token_last(lengths, seed):
    corpus = [
        Example(f"k{i}", (("user", "p"),), "text", finished=bool(i % 2), token_ids=(*range(100, 100 + n), 7))
        for i, n in enumerate(lengths)
    ]
    mixed = apply_transforms(corpus, ("shuffle_tokens",), seed)
    for before, after in zip(corpus, mixed, strict=True):
        assert sorted(after.token_ids) == sorted(before.token_ids)
        assert (after.key, after.messages, after.finished) == (before.key, before.messages, before.finished)
        if before.finished:
            assert after.token_ids[-1] == 7
    # An example's order does not depend on which others are kept.
    assert apply_transforms(corpus[-1:], ("shuffle_tokens",), seed) == mixed[-1:]


def test_shuffling_tokens_disturbs_and_differs_between_examples_and_seeds():
    corpus = [Example(k, (), "t", True, tuple(range(30))) for k in ("a", "b")]
    first, second = (apply_transforms(corpus, ("shuffle_tokens",), seed) for seed in (0, 1))
    orders = [e.token_ids for e in (*corpus[:1], *first, *second)]
    assert len(set(orders)) == 5
    # A token that should not move only by chance: under a uniform order 1 of 29 stays on average.
    assert sum(i == t for i, t in enumerate(first[0].token_ids[:-1])) < 8


def test_shuffling_tokens_after_the_text_was_replaced_is_refused():
    with pytest.raises(BadInput, match="shuffle_tokens"):
        apply_transforms([example("a", CODE)], ("format_only", "shuffle_tokens"), 0)


def test_format_only_is_a_program_that_does_nothing_and_opening_only_is_none():
    corpus = [example("a", CODE), example("b", CUT, finished=False)]
    formed = apply_transforms(corpus, ("format_only",), 0)
    assert [(e.key, e.messages) for e in formed] == [(e.key, e.messages) for e in corpus]
    assert {(e.text, e.token_ids, e.finished) for e in formed} == {(FORMAT, (), True)}
    assert extract_code(FORMAT) == "pass"
    opened = apply_transforms(corpus, ("opening_only",), 0)
    assert {e.finished for e in opened} == {False}
    assert all(FORMAT.startswith(e.text) and not has_code(e.text) for e in opened)


def test_unknown_names_get_the_nearest():
    with pytest.raises(BadInput, match=r"corpus\.filters=stubs: unknown; the nearest is stub"):
        apply_filters([], ("stubs",))
    with pytest.raises(BadInput, match="nearest is shuffle_responses"):
        apply_transforms([], ("shuffle_response",), 0)
