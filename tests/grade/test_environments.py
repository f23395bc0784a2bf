"""Programs in their surroundings: what wrapping does to source, and that whatever a model wrote can be wrapped."""

from __future__ import annotations

import ast
import io
import sys
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grade.environments import ENTRY, STAR_IMPORTS, Environment, as_function
from harness.grade.profiles import PROFILES


def printed(source: str) -> str:
    """What a program prints, run here: only for sources of this file."""
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(source, "test", "exec"), {"__name__": "test"})
    return out.getvalue()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("x = 1\nprint(x)\n", "1\n"),
        ("import math\nprint(math.pi > 3)\n", "True\n"),
        ("def main():\n    print(2)\nif __name__ == '__main__':\n    main()\n", "2\n"),
        ("def main():\n    print(2)\nif '__main__' == __name__:\n    main()\n", ""),
        ("", ""),
        ("import os\n", ""),
        ("'''doc'''\nprint(3)\n", "3\n"),
        ("print('a')\nif __name__ == '__main__':\n    print('b')\n", "a\nb\n"),
    ],
)
def test_a_wrapped_program_prints_the_same_when_called(code: str, text: str) -> None:
    assert printed(as_function(code) + "\nwrapped_function()\n") == text
    assert printed(as_function(code)) == ""


@pytest.mark.parametrize("code", ["print(", "def f(:", "\0", "return 1 +", "  x = 1\n y = 2"])
def test_code_that_does_not_parse_is_left_as_it_is(code: str) -> None:
    assert as_function(code) == code


@given(st.text(max_size=200))
def test_any_text_can_be_wrapped(text: str) -> None:
    for profile in PROFILES.values():
        profile.environment.program(text)
        profile.environment.function(text, "f")


def test_deep_nesting_is_not_our_crash() -> None:
    assert as_function("(" * 5000 + ")" * 5000).startswith("(")


def test_our_own_surroundings_leave_a_whole_program_alone() -> None:
    code = "import sys\nprint(sys.stdin.read())\n"
    assert Environment().program(code) == code


def test_future_imports_stay_first_in_our_own_surroundings() -> None:
    source = Environment().function("from __future__ import annotations\ndef f(x: Unknown): return x\n", "f")
    namespace: dict[str, object] = {}
    exec(compile(source, "test", "exec"), namespace)
    assert namespace[ENTRY](3) == 3  # type: ignore[operator]


def test_the_prelude_binds_what_the_benchmark_takes_for_granted() -> None:
    namespace: dict[str, object] = {}
    exec(STAR_IMPORTS, namespace)
    import heapq
    import typing
    from collections import deque

    assert namespace["deque"] is deque
    assert namespace["List"] is typing.List  # noqa: UP006
    assert namespace["heappush"] is heapq.heappush
    assert namespace["pow"] is pow  # the one of builtins, which comes after that of math
    assert namespace["sys"] is sys


def test_stand_ins_are_one_literal_so_that_programs_keep_to_few_lines() -> None:
    source = PROFILES["livecodebench"].environment.program("print(1)\n")
    tree = ast.parse(source)
    assert sum(isinstance(n, ast.FunctionDef) for n in tree.body) == 1
    assert source.count("\n") < 60
