"""Grading profiles: the rules of the graders people compare against, so that their effect can be measured.

``strict`` is ours. ``livecodebench`` and ``ssd_official`` follow the published behaviour of LiveCodeBench's checker and
of the evaluator released with SSD; the code is this project's own and runs in the same sandbox, so what is compared is
rules and not isolation. Not reproduced: that graded code can patch the official comparator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.guest.comparators import TEXT_RULES, VALUE_RULES, livecodebench_text

SECONDS_PER_TEST = 6.0
"""LiveCodeBench's limit for one test."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One grader's rules.

    ``tests`` says which tests count; ``budget`` whether the limit holds for each test or once for the program;
    ``extraction`` names a rule of :mod:`harness.grade.extract`.
    """

    name: str
    tests: str
    budget: str
    extraction: str
    text: Callable[[str, str], bool]
    value: Callable[[Any, Any], bool]
    recursion_limit: int = 1000
    exit_is_failure: bool = False

    def seconds(self, tests: int) -> float:
        """The limit in seconds: of one test, or (one budget) of the whole program."""
        return SECONDS_PER_TEST if self.budget == "test" else (SECONDS_PER_TEST + 1) * tests + 5


def ssd_text(expected: str, actual: str) -> bool:
    """The SSD release's comparison: line by line as text, else as white-space separated decimal numbers."""
    return livecodebench_text(expected, actual)


def ssd_value(expected: Any, actual: Any) -> bool:
    """Both turned into strings and compared: ``[1, 2]`` is not ``[1.0, 2.0]``, and ``"25"`` is ``25``."""
    return livecodebench_text(str(expected), str(actual))


def livecodebench_value(expected: Any, actual: Any) -> bool:
    """Equality, with a tuple counted as the list of its items."""
    return bool(expected == (list(actual) if isinstance(actual, tuple) else actual))


PROFILES: dict[str, Profile] = {
    "strict": Profile(
        "strict", "public+private", "test", "last_defining", TEXT_RULES["same_text"], VALUE_RULES["equal"]
    ),
    "livecodebench": Profile(
        "livecodebench", "public+private", "test", "livecodebench", livecodebench_text, livecodebench_value, 50_000
    ),
    "ssd_official": Profile(
        "ssd_official", "private", "program", "ssd_official", ssd_text, ssd_value, 1000, exit_is_failure=True
    ),
}


def prologue(profile: Profile) -> str:
    """Source put before a program so that it behaves as under that grader."""
    if profile.recursion_limit == 1000:
        return ""
    return f"import sys\nsys.setrecursionlimit({profile.recursion_limit})\n"
