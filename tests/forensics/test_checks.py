"""Single checks against brute force and hand arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.forensics import loads
from harness.forensics.cells import joint_miss
from harness.forensics.granularity import attainable, attainable_share, count_range, smallest_samples
from harness.forensics.model import Line
from harness.forensics.passk import extreme_sums
from harness.forensics.printed import Printed, Rounding, signed
from harness.forensics.report import find
from harness.forensics.sizes import Sizes, all_splits

PERCENT = Rounding()


def pass_at_k(n: int, c: int, k: int) -> Fraction:
    return 1 - Fraction(math.comb(n - c, k), math.comb(n, k))


def printed(value: float, rounding: Rounding = PERCENT) -> Printed:
    return Printed(round(value * 10**rounding.decimals), rounding)


@pytest.mark.parametrize(
    ("mode", "low", "high"), [("nearest", 54.45, 54.55), ("down", 54.5, 54.6), ("either", 54.45, 54.6)]
)
def test_what_prints_as_a_number(mode, low, high):
    bounds = printed(54.5, Rounding(1, mode)).bounds()
    assert [b / 20 for b in bounds] == [low, high]


def test_proportions_stay_within_zero_and_one():
    assert printed(100.0).bounds() == (1999, 2000)
    assert printed(0.0).bounds() == (0, 1)
    assert Printed(0, PERCENT, proportion=False).bounds() == (-1, 1)
    assert Printed(1500, PERCENT, proportion=False).bounds() == (2999, 3001)


@given(st.integers(-50, 50), st.sampled_from(["nearest", "down", "either"]))
def test_bounds_of_signed_numbers_contain_what_prints_so(ticks, mode):
    """Every value on a fine grid that rounds or cuts off to ``ticks`` lies within the bounds."""
    low, high = Printed(ticks, Rounding(1, mode), proportion=False).bounds()
    for half_ticks in (Fraction(i, 10) for i in range(20 * ticks - 40, 20 * ticks + 41)):
        value = half_ticks / 2
        rounds = math.floor(value + Fraction(1, 2)) == ticks
        cut = math.trunc(value) == ticks
        if {"nearest": rounds, "down": cut, "either": rounds or cut}[mode]:
            assert low <= half_ticks <= high


@given(st.integers(1, 400), st.integers(0, 1000))
def test_count_range_is_the_set_of_counts_that_print_so(trials, ticks):
    number = Printed(ticks, PERCENT)
    low, high = (Fraction(b, 2000) for b in number.bounds())
    expected = [c for c in range(trials + 1) if low <= Fraction(c, trials) <= high]
    first, last = count_range(number, trials)
    assert list(range(first, last + 1)) == expected


@pytest.mark.parametrize(("problems", "n", "k"), [(3, 5, 2), (4, 4, 3), (2, 10, 5), (5, 3, 1)])
def test_attainable_pass_at_k_against_all_outcomes(problems, n, k):
    sums = {
        sum((pass_at_k(n, c, k) for c in counts), Fraction(0)) / problems
        for counts in combinations_with_replacement(range(n + 1), problems)
    }
    for ticks in range(1001):
        low, high = (Fraction(b, 2000) for b in Printed(ticks, PERCENT).bounds())
        expected = any(low <= s <= high for s in sums)
        assert attainable(Printed(ticks, PERCENT), problems, n, k) == expected


def test_pass_at_k_is_undefined_below_k_samples():
    assert not attainable(printed(50.0), 10, 4, 5)


def test_published_example_of_the_grim_test():
    """Brown and Heathers (2017): a mean of 5.19 cannot come from 28 whole numbers; 5.18 and 5.21 can."""
    # A mean of items scored 0 to 10 is a proportion of 280; 5.19 is 51.9 % of it.
    for ticks, possible in [(518, True), (519, False), (521, True)]:
        low, high = (Fraction(b, 2) / 100 * 28 for b in (2 * ticks - 1, 2 * ticks + 1))
        assert (math.ceil(low) <= math.floor(high)) == possible
        fine = Printed(ticks, Rounding(3, "nearest", "fraction"))
        assert (count_range(fine, 280)[0] <= count_range(fine, 280)[1]) == possible


@given(st.integers(1, 60), st.integers(1, 12), st.sampled_from(["nearest", "down", "either"]))
@settings(max_examples=30)
def test_share_is_the_average_over_all_printable_values(problems, samples, mode):
    rounding = Rounding(1, mode)
    each = [attainable(Printed(t, rounding), problems, samples) for t in range(rounding.full + 1)]
    assert attainable_share(rounding, problems, samples) == pytest.approx(sum(each) / 1001)


def test_smallest_samples():
    assert smallest_samples(printed(99.8), [31]) == 13
    assert smallest_samples(printed(50.0), [2]) == 1
    # 1/8 = 12.5 % and 7/57 = 12.28 %: nothing between them with a denominator up to 40.
    assert smallest_samples(printed(12.3), [1]) is None


@pytest.mark.parametrize(("problems", "n", "k"), [(3, 4, 2), (4, 3, 3), (2, 6, 5)])
def test_extreme_sums_against_all_outcomes(problems, n, k):
    by_count: dict[int, list[Fraction]] = {}
    for counts in combinations_with_replacement(range(n + 1), problems):
        value = sum((pass_at_k(n, c, k) for c in counts), Fraction(0)) / problems
        by_count.setdefault(sum(counts), []).append(value)
    for successes, values in by_count.items():
        assert extreme_sums(successes, problems, n, k) == (min(values), max(values))


@pytest.mark.parametrize(("total", "parts"), [(5, 1), (7, 2), (9, 3), (9, 4), (3, 3)])
def test_all_splits_are_the_compositions(total, parts):
    expected = {s for s in product(range(1, total + 1), repeat=parts) if sum(s) == total}
    assert {tuple(s) for s in all_splits(total, parts).tolist()} == expected


def test_too_many_splits_are_not_tried():
    assert all_splits(5000, 4) is None
    assert all_splits(2, 3) is None


def line(total: float, *strata: float) -> Line:
    return Line("t", "r", "a", "pass@1", "b", printed(total), tuple(printed(s) for s in strata))


def test_joint_counts_by_hand():
    sizes = Sizes(np.array([[10, 20]]), None, True)
    # 3/10 and 11/20 make 14/30 = 46.7 %; 50.0 % would be 15, one success more.
    assert joint_miss(line(46.7, 30.0, 55.0), sizes, 1) == 0
    assert joint_miss(line(50.0, 30.0, 55.0), sizes, 1) == 1
    # 33.0 % of 10 is no whole number.
    assert joint_miss(line(46.7, 33.0, 55.0), sizes, 1) >= 1


def test_checks_that_need_sizes_object_only_if_every_accepted_split_does():
    """Two strata and one line: many splits fit, so nothing may be said about a cell that some of them allow."""
    table = loads(
        """
schema: published-table/1
title: t
source: s
benchmarks: {b: {problems: 20, samples: 1, strata: [x, y]}}
tables:
  t:
    source: s
    benchmark: b
    columns: [all, x, y]
    arms: [a]
    rows:
      - {name: r, a: {pass@1: [50.0, 40.0, 60.0]}}
"""
    )
    found = find(table)
    assert not found.findings
    assert not found.sizes["b"].usable


def test_plain_means_may_exceed_any_limit():
    text = """
schema: published-table/1
title: t
source: s
benchmarks: {b: {problems: 30, samples: 1, strata: {x: 10, y: 20}}}
tables:
  t:
    source: s
    benchmark: b
    metric: tokens
    columns: [all, x, y]
    arms: [a]
    rows: [{name: r, a: [1200.0, 1000.0, 1300.0]}]
"""
    assert not find(loads(text)).findings
    assert [f.check for f in find(loads(text.replace("1200.0", "1201.0"))).findings] == ["total"]
    assert [f.check for f in find(loads(text.replace("1200.0", "1301.0"))).findings] == ["total range"]


def test_signed_numbers():
    assert [signed(x, 1) for x in (3.26, -0.84, 0.04, -0.04)] == ["+3.3", "−0.8", "0.0", "0.0"]
