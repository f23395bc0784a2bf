# ruff: noqa: E501  (programs are data here, kept as they are read)
"""Values on the border: what is odd but data crosses unharmed, what is no data does not."""

from __future__ import annotations

from sandbox.api import CheckScript, Limits, Outcome
from sandbox.selfcheck.probe import QUICK, Probe

_PASS = frozenset({Outcome.PASSED})
_ROOMY = Limits(cpu_seconds=10.0, wall_seconds=100.0, memory_bytes=1024 * 2**20)


def _crosses(name: str, value: str, test: str, limits: Limits = QUICK) -> Probe:
    source = f"import math, decimal, fractions, datetime, collections\ndef attack(x):\n    return {value}\n"
    script = f"import math, decimal, fractions, datetime, collections\ndef check(candidate):\n    v = candidate(0)\n    assert {test}\n"
    return Probe(name, "border", source, _PASS, CheckScript(script, "attack"), "none", limits)


def _stays(name: str, source: str, *outcomes: Outcome) -> Probe:
    script = CheckScript("def check(candidate):\n    assert candidate(0) is not None\n", "attack")
    return Probe(name, "border", source, frozenset(outcomes or (Outcome.WRONG_TYPE,)), script, "none", _ROOMY)


PROBES: tuple[Probe, ...] = (
    _crosses("lone surrogates", "'a\\ud800b\\udfff'", "v == 'a\\ud800b\\udfff'"),
    _crosses("a surrogate pair kept as two", "'\\ud83d' + '\\ude00'", "len(v) == 2"),
    _crosses("NUL bytes", "['\\0', b'\\0\\xff', bytearray(b'\\0')]", "v == ['\\0', b'\\0\\xff', bytearray(b'\\0')]"),
    _crosses("NaN and infinities", "[math.nan, math.inf, -math.inf]", "math.isnan(v[0]) and v[1:] == [math.inf, -math.inf]"),
    _crosses("negative zero", "-0.0", "math.copysign(1, v) == -1"),
    _crosses("integers beyond any float", "[2**53 + 1, -10**400, 7**9000]", "v == [2**53 + 1, -10**400, 7**9000]"),
    _crosses("true is not one", "[True, 1, 1.0]", "[type(i) for i in v] == [bool, int, float]"),
    _crosses("tuples, sets and keys of many types", "{(1, 2): {3}, frozenset({4}): (), None: [..., 5j]}",
             "v == {(1, 2): {3}, frozenset({4}): (), None: [..., 5j]}"),
    _crosses("the standard library's value types",
             "[decimal.Decimal('0.10'), fractions.Fraction(1, 3), datetime.date(2026, 2, 1), datetime.timedelta(3, 4, 5), "
             "collections.Counter('aab'), collections.OrderedDict(a=1), collections.deque([1], 3), range(3, 9, 2)]",
             "v == [decimal.Decimal('0.10'), fractions.Fraction(1, 3), datetime.date(2026, 2, 1), "
             "datetime.timedelta(3, 4, 5), collections.Counter('aab'), collections.OrderedDict(a=1), "
             "collections.deque([1], 3), range(3, 9, 2)]"),
    _crosses("a 10 MB literal", "'x' * 10_000_000", "v == 'x' * 10_000_000", _ROOMY),
    _crosses("a generator as an iterator", "(i * i for i in range(4))", "list(v) == [0, 1, 4, 9]"),
    Probe("a program with a 10 MB literal", "border", "DATA = '" + "y" * 10_000_000 + "'\ndef attack(x):\n    return len(DATA)\n",
          _PASS, CheckScript("def check(candidate):\n    assert candidate(0) == 10_000_000\n", "attack"), "none", _ROOMY),
    Probe("a program with NUL bytes", "border", "x = '\0'\ndef attack(x): return 1\n", frozenset({Outcome.COMPILE_ERROR}),
          CheckScript("def check(candidate):\n    assert candidate(0) == 1\n", "attack"), "none"),
    Probe("a program with lone surrogates", "border", "x = '\ud800'\ndef attack(x): return 1\n", frozenset({Outcome.COMPILE_ERROR}),
          CheckScript("def check(candidate):\n    assert candidate(0) == 1\n", "attack"), "none"),
    Probe("a program nested too deeply to compile", "border", "def attack(x):\n    return " + "(" * 5000 + "1" + ")" * 5000 + "\n",
          frozenset({Outcome.COMPILE_ERROR, Outcome.MEMORY}), CheckScript("def check(candidate):\n    assert candidate(0) == 1\n", "attack"), "none"),
    _stays("deeply nested", "def attack(x):\n    v = []\n    for _ in range(100_000):\n        v = [v]\n    return v\n"),
    _stays("self-referential", "def attack(x):\n    v = []\n    v.append(v)\n    return v\n"),
    _stays("doubling by shared references", "def attack(x):\n    v = [1]\n    for _ in range(60):\n        v = [v, v]\n    return v\n",
           Outcome.WRONG_TYPE, Outcome.CPU_TIMEOUT, Outcome.MEMORY),
    _stays("an endless generator", "def attack(x):\n    import itertools\n    return itertools.count()\n",
           Outcome.WRONG_TYPE, Outcome.CPU_TIMEOUT, Outcome.MEMORY),
    _stays("more answer than is allowed", "def attack(x):\n    return 'x' * 40_000_000\n", Outcome.OUTPUT_LIMIT, Outcome.MEMORY),
    _stays("a function", "def attack(x):\n    return lambda: 1\n"),
    _stays("a module", "def attack(x):\n    import math\n    return math\n"),
    _stays("an instance inside a list", "class A: pass\ndef attack(x):\n    return [1, A()]\n"),
    _stays("a set of colliding keys", "def attack(x):\n    m = (1 << 61) - 1\n    return {i * m for i in range(1, 20_000)}\n",
           Outcome.CPU_TIMEOUT, Outcome.PASSED),
)  # fmt: skip
