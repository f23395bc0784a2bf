"""The batch plan is complete, within its limits, and a function of its inputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.generate.batching import Load, plan_batches, split_rows

LOADS = st.lists(st.tuples(st.integers(1, 500), st.integers(1, 40)), max_size=60).map(
    lambda pairs: [Load(f"p{i}", tokens, samples) for i, (tokens, samples) in enumerate(pairs)]
)


@given(loads=LOADS, rows=st.integers(1, 64), new=st.integers(1, 256), budget=st.integers(1, 50_000))
def test_every_request_once_and_limits_kept(loads, rows, new, budget):
    batches = plan_batches(loads, new, max_rows=rows, max_cache_tokens=budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(loads)))
    for batch in batches:
        samples = sum(loads[i].samples for i in batch)
        longest = max(loads[i].prompt_tokens for i in batch)
        assert len(batch) == 1 or (samples <= rows and samples * (longest + new) <= budget)
    lengths = [loads[i].prompt_tokens for batch in batches for i in batch]
    assert lengths == sorted(lengths, reverse=True)


@given(loads=LOADS, seed=st.randoms())
def test_plan_does_not_depend_on_the_order_requests_come_in(loads, seed):
    def keys(order):
        return [[order[i].key for i in b] for b in plan_batches(order, 64, max_rows=16, max_cache_tokens=9000)]

    shuffled = list(loads)
    seed.shuffle(shuffled)
    assert keys(loads) == keys(shuffled)


def test_a_request_beyond_the_limits_is_split_into_passes():
    assert split_rows(64, 100, 28, max_rows=16, max_cache_tokens=10**6) == 16
    assert split_rows(64, 100, 28, max_rows=1000, max_cache_tokens=128 * 10) == 10
    assert split_rows(64, 100, 28, max_rows=1000, max_cache_tokens=1) == 1
