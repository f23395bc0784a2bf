"""Counting branches: the tree against its definition, and the labels' rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.measure.branching import PrefixTree, role

sequences = st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=8)


@given(sequences, st.lists(st.integers(0, 3), max_size=6))
def test_counts_are_what_they_are_defined_as(samples: list[list[int]], asked: list[int]) -> None:
    visits, branches = PrefixTree(samples).counts(asked)
    for i in range(len(asked)):
        after = [s[i] for s in samples if len(s) > i and s[:i] == asked[:i]]
        assert visits[i] == len(after)
        assert branches[i] == len(set(after))


@given(sequences.filter(bool))
def test_a_sample_sees_itself(samples: list[list[int]]) -> None:
    tree = PrefixTree(samples)
    for s in samples:
        visits, branches = tree.counts(s)
        assert all(v >= b >= 1 for v, b in zip(visits, branches, strict=True))
        assert visits == sorted(visits, reverse=True), "a longer prefix is shared by fewer"


@given(st.integers(0, 20), st.integers(0, 20), st.integers(2, 6))
def test_raising_the_threshold_only_takes_labels_away(visits: int, branches: int, threshold: int) -> None:
    stricter, label = role(visits, branches, threshold + 1), role(visits, branches, threshold)
    assert stricter in ("", label)


def test_the_labels() -> None:
    assert role(1, 1, 2) == "", "one visit says nothing"
    assert role(2, 1, 2) == "lock"
    assert role(2, 2, 2) == "fork"
    assert role(3, 2, 3) == "", "neither one token nor three"
    assert role(2, 1, 3) == "", "two visits could not have made a fork of three"
    assert role(0, 0, 2) == ""
