"""The profiles against the rows of the published behaviour table (probes of the official evaluators)."""

from __future__ import annotations

import pytest

from harness.errors import BadInput
from harness.grade.extract import extract_code
from harness.grade.profiles import PROFILES, profile_named
from harness.grade.repeat import flips
from harness.grade.verdict import Verdict
from sandbox import Limits, Outcome


@pytest.mark.parametrize(
    ("expected", "actual", "ssd", "lcb"),
    [([1.0, 2.0], [1, 2], False, True), (25, "25", True, False), ([1], (1,), True, True), (3, 4, False, False)],
)
def test_values(expected: object, actual: object, ssd: bool, lcb: bool) -> None:
    assert PROFILES["ssd_official"].value(expected, actual) is ssd
    assert PROFILES["livecodebench"].value(expected, actual) is lcb


@pytest.mark.parametrize("name", ["ssd_official", "livecodebench"])
def test_numbers_as_text(name: str) -> None:
    assert PROFILES[name].text("1.0 2", "1 2.00\n")
    assert not PROFILES[name].text("1 2", "1\n2")
    assert not PROFILES[name].text("yes", "Yes")


def test_nine_seconds_on_one_test_fit_one_budget_and_not_a_limit_per_test() -> None:
    assert PROFILES["ssd_official"].seconds(1) == 12
    assert PROFILES["livecodebench"].seconds(1) == 6


def test_one_budget_covers_all_tests_and_a_limit_each_of_them() -> None:
    """Seven seconds a test and five more, once; or six seconds for each."""
    whole = PROFILES["ssd_official"].limits(10, Limits())
    each = PROFILES["livecodebench"].limits(10, Limits())
    assert (whole.cpu_seconds, whole.whole_program) == (75.0, True)
    assert (each.cpu_seconds, each.whole_program) == (6.0, False)
    assert whole.wall_seconds >= 10 * whole.cpu_seconds
    assert PROFILES["strict"].limits(3, Limits(memory_bytes=7)).memory_bytes == 7


def test_only_our_own_rules_leave_a_thought_out() -> None:
    sample = "```python\nfirst\n```\n</think>\nNo code."
    assert PROFILES["strict"].answer(sample, "thinking") == "\nNo code."
    assert PROFILES["strict"].answer(sample, "plain") == sample
    for name in ("livecodebench", "ssd_official"):
        assert extract_code(PROFILES[name].answer(sample, "thinking"), "", PROFILES[name].extraction).strip() == "first"


def test_an_unknown_profile_gets_the_nearest_one() -> None:
    with pytest.raises(BadInput, match="no such profile; did you mean 'livecodebench'"):
        profile_named("livecodbench")


def _verdict(key: str, outcome: Outcome) -> Verdict:
    return Verdict(key, outcome, outcome is Outcome.PASSED)


def test_flip_rate_counts_changes_of_pass_and_leaves_out_what_was_not_executed() -> None:
    first = [_verdict("a", Outcome.PASSED), _verdict("b", Outcome.CPU_TIMEOUT), _verdict("c", Outcome.PASSED)]
    second = [_verdict("c", Outcome.INFRA_ERROR), _verdict("a", Outcome.CPU_TIMEOUT), _verdict("b", Outcome.MEMORY)]
    found = flips(first, second)
    assert (found.samples, found.passed_flips, found.outcome_flips, found.unexecuted) == (2, 1, 2, 1)
    assert found.flip_rate == 0.5
    with pytest.raises(BadInput, match="only in one"):
        flips(first, second[:2])
