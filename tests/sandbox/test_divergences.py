"""The table of expected differences from in-process grading in ``sandbox/README.md``, a test for each row."""

from __future__ import annotations

import pytest

from sandbox import CheckScript, Job, Limits, Outcome
from sandbox.pool import PoolExecutor

LIMITS = Limits(cpu_seconds=5.0, wall_seconds=50.0)
CASES = {
    "NumPy scalar": (
        "import numpy\ndef f(): return numpy.int64(1)",
        "assert candidate() == 1",
        True,
        Outcome.WRONG_TYPE,
    ),
    "own class": ("class A:\n    n = 1\ndef f(): return A()", "assert candidate().n == 1", True, Outcome.WRONG_TYPE),
    "always equal": (
        "class A:\n    def __eq__(self, o): return True\ndef f(): return A()",
        "assert candidate() == 1",
        True,
        Outcome.WRONG_TYPE,
    ),
    "argument changed in place": (
        "def f(x): x.append(1)",
        "v = []\n    candidate(v)\n    assert v == [1]",
        True,
        Outcome.WRONG_ANSWER,
    ),
    "named tuple": (
        "import collections\nP = collections.namedtuple('P', 'a')\ndef f(): return P(1)",
        "assert candidate() == (1,) and candidate().a == 1",
        True,
        Outcome.WRONG_TYPE,
    ),
    "patched built-ins": (
        "import builtins\nbuiltins.abs = lambda x: 0\ndef f(): return 5",
        "assert abs(candidate() - 1) < 1",
        True,
        Outcome.WRONG_ANSWER,
    ),
    "much output": (
        "def f():\n    print('x' * 2**21)\n    return 1",
        "assert candidate() == 1",
        True,
        Outcome.OUTPUT_LIMIT,
    ),
    "sys.exit at the end": (
        "import sys\ndef f(): return 1\nsys.exit()",
        "assert candidate() == 1",
        False,
        Outcome.PASSED,
    ),
}


def _in_process(source: str, script: str) -> bool:
    """What in-process graders do: program, script and check in one namespace (built-ins put back afterwards)."""
    import builtins
    import contextlib
    import io

    kept = builtins.abs
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(f"{source}\n{script}\ncheck(f)", {})
        return True
    except BaseException:
        return False
    finally:
        builtins.abs = kept


@pytest.mark.parametrize("name", CASES)
def test_divergence(name: str, executor: PoolExecutor) -> None:
    source, body, passes_in_process, here = CASES[name]
    script = f"def check(candidate):\n    {body}\n"
    assert _in_process(source, script) is passes_in_process
    (report,) = executor.run([Job(name, source, CheckScript(script, "f"), LIMITS)])
    assert report.outcome is here, report


def test_sets_and_random_numbers_are_the_same_in_every_run(executor: PoolExecutor) -> None:
    source = "def f(): return list({'a', 'b', 'c', 'd', 'e'})"
    script = CheckScript(
        "import random\ndef check(candidate):\n    assert candidate() == EXPECTED\n", "f", "EXPECTED = None"
    )
    reports = list(executor.run(Job(str(i), source, script, LIMITS) for i in range(2)))
    assert {r.outcome for r in reports} == {Outcome.WRONG_ANSWER}
    draws = CheckScript("import random\ndef check(candidate):\n    assert candidate(random.random()) < 0\n", "f")
    told = {
        r.detail for r in executor.run(Job(str(i), "def f(x): raise ValueError(x)", draws, LIMITS) for i in range(4))
    }
    assert len(told) == 1
