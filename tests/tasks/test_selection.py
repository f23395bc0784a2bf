"""A subset follows from the ids alone."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.tasks.base import Problem
from harness.tasks.selection import content_digest, id_list_digest, select


def problem(name: str, tests: str = "def check(candidate): ...", stratum: str = "") -> Problem:
    return Problem(id=name, prompt=f"def f_{len(name)}():\n", entry_point="f", tests=tests, stratum=stratum)


id_sets = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30, unique=True)


@given(id_sets, st.integers(1, 40), st.randoms(use_true_random=False))
def test_file_order_does_not_matter(ids: list[str], limit: int, rng: random.Random) -> None:
    shuffled = rng.sample(ids, len(ids))
    chosen = [p.id for p in select([problem(i) for i in ids], limit)]
    assert chosen == [p.id for p in select([problem(i) for i in shuffled], limit)]
    assert id_list_digest(ids) == id_list_digest(shuffled)
    assert len(chosen) == min(limit, len(ids))


@given(id_sets, st.integers(1, 40), st.integers(1, 40))
def test_smaller_subsets_are_prefixes_of_larger_ones(ids: list[str], a: int, b: int) -> None:
    small, large = sorted((a, b))
    problems = [problem(i) for i in ids]
    assert select(problems, small) == select(problems, large)[:small]


def test_order_is_that_of_sha256() -> None:
    ids = [f"t/{i}" for i in range(50)]
    expected = sorted(ids, key=lambda i: hashlib.sha256(i.encode()).digest())[:7]
    assert [p.id for p in select([problem(i) for i in ids], 7)] == expected


def test_no_limit_keeps_the_benchmarks_order() -> None:
    problems = [problem(i) for i in "zay"]
    assert select(problems) == tuple(problems)


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(BadInput, match="limit=-1"):
        select([problem("a")], -1)


def test_repeated_ids_have_no_digest() -> None:
    with pytest.raises(BadInput, match="'b' occurs twice"):
        id_list_digest(["b", "a", "b"])


def test_id_digest_tells_lists_apart() -> None:
    assert len({id_list_digest(ids) for ids in ([], ["a"], ["b"], ["a", "b"], ["ab"])}) == 5


def test_content_digest_sees_every_field_and_no_order() -> None:
    a, b = problem("a"), problem("bb")
    base = content_digest([a, b])
    assert content_digest([b, a]) == base
    changed = [problem("a", tests="def check(candidate): assert 0"), problem("a", stratum="hard"), problem("c")]
    assert len({base, *(content_digest([c, b]) for c in changed)}) == 4
