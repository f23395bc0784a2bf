"""Grading profiles: the rules of the graders people compare against, so that their effect can be measured.

``strict`` is ours. ``livecodebench`` and ``ssd_official`` follow the published behaviour of LiveCodeBench's checker and
of the evaluator released with SSD; the code is this project's own and runs in the same sandbox, so what is compared is
rules and not isolation. ``docs/grading-profiles.md`` lists every rule with the test that holds it, and what is not
reproduced: that graded code can patch the official comparator, that a missing pandas fails everything, and that their
clocks measure wall time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.errors import BadInput
from harness.grade import arguments
from harness.grade.environments import Environment
from harness.grade.extract import final_answer
from harness.nearest import nearest
from sandbox.api import Limits
from sandbox.guest.comparators import VALUE_RULES, livecodebench_text

SECONDS_PER_TEST = 6.0
"""LiveCodeBench's limit for one test."""

VERSION = 1
"""Raised when a profile's verdicts change."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One grader's rules.

    ``tests`` says which tests count; ``budget`` whether the limit holds for each test or once for the program;
    ``extraction`` names a rule of :mod:`harness.grade.extract`. ``arguments`` and ``expected`` read a function test,
    ``text`` and ``value`` compare (expected first). ``reads_thoughts`` takes code from a thinking model's thoughts too.
    """

    name: str
    tests: Literal["public+private", "private"]
    budget: Literal["test", "program"]
    extraction: str
    environment: Environment
    arguments: Callable[[str], tuple[Any, ...]]
    expected: Callable[[str], Any]
    text: Callable[[str, str], bool]
    value: Callable[[Any, Any], bool]
    reads_thoughts: bool = True
    seconds_per_test: float = SECONDS_PER_TEST

    def answer(self, text: str, form: str) -> str:
        """What code is looked for in: a whole sample, or (ours) its answer without the thought before it.

        Args:
            text: The sample.
            form: How the model marks its answer (:func:`harness.grade.extract.final_answer`).
        """
        return text if self.reads_thoughts else final_answer(text, form)

    def seconds(self, tests: int) -> float:
        """The limit in seconds: of one test, or (one budget) of the whole program."""
        if self.budget == "test":
            return self.seconds_per_test
        return self.seconds_per_test / SECONDS_PER_TEST * ((SECONDS_PER_TEST + 1) * tests + 5)

    def limits(self, tests: int, otherwise: Limits) -> Limits:
        """CPU seconds by this profile's rule, ten times as much wall time (a minute at least), the rest as given."""
        seconds = self.seconds(tests)
        wall, whole = max(10 * seconds, 60.0), self.budget == "program"
        return replace(otherwise, cpu_seconds=seconds, wall_seconds=wall, whole_program=whole)


def livecodebench_value(expected: Any, actual: Any) -> bool:
    """Equality, with a tuple counted as the list of its items."""
    try:
        return bool(expected == (list(actual) if isinstance(actual, tuple) else actual))
    except (ArithmeticError, RecursionError):  # a signalling NaN compares with nothing
        return False


def ssd_value(expected: Any, actual: Any) -> bool:
    """Both turned into text and compared: ``[1, 2]`` is not ``[1.0, 2.0]``, and ``"25"`` is ``25``."""
    try:
        return livecodebench_text(str(expected), str(list(actual) if isinstance(actual, tuple) else actual))
    except (ValueError, RecursionError):  # an integer too long to be written out
        return False


PROFILES: dict[str, Profile] = {
    "strict": Profile(
        name="strict",
        tests="public+private",
        budget="test",
        extraction="last_defining",
        environment=Environment(),
        arguments=arguments.json_lines,
        expected=arguments.json_value,
        text=livecodebench_text,
        value=VALUE_RULES["equal"],
        reads_thoughts=False,
    ),
    "livecodebench": Profile(
        name="livecodebench",
        tests="public+private",
        budget="test",
        extraction="livecodebench",
        environment=Environment("star", recursion_limit=50_000, wraps=True, without=("quit", "help")),
        arguments=arguments.json_lines_all,
        expected=arguments.json_value,
        text=livecodebench_text,
        value=livecodebench_value,
    ),
    "ssd_official": Profile(
        name="ssd_official",
        tests="private",
        budget="program",
        extraction="ssd_official",
        environment=Environment("ssd", wraps=True, opens=True, reloads=True, without=("exit", "quit")),
        arguments=arguments.ssd_arguments,
        expected=arguments.ssd_expected,
        text=livecodebench_text,
        value=ssd_value,
    ),
}


def profile_named(name: str) -> Profile:
    """The profile of a name.

    Raises:
        BadInput: where there is none.
    """
    if name not in PROFILES:
        raise BadInput(f"task.profile={name}: no such profile{nearest(name, PROFILES)}")
    return PROFILES[name]
