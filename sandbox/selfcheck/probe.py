"""What a hostile program of the acceptance suite is.

A probe's check *passes when the attack works*. In a sound executor it never does: the outcome is one of ``expect``.
In a deliberately weakened executor (``control``) it has to pass, or the probe would prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.api import CheckScript, Limits, Outcome

Control = Literal["weak", "in_process", "none"]
"""``weak``: same plan, protections off. ``in_process``: the test script in the candidate's process. ``none``: a benign
program, which has to pass in the sound executor itself, or a limit whose outcome already names what it hit."""

BREACH = CheckScript("def check(candidate):\n    assert candidate() == 'breach'\n", "attack")
SECRET = CheckScript(
    "def check(candidate):\n    assert candidate(3) == 839117\n    assert candidate(5) == 550731\n", "attack"
)
"""No honest computation gives these numbers: a program that passes has seen them or fooled the comparison."""

DOUBLE = CheckScript("def check(candidate):\n    for i in range(4):\n        assert candidate(i) == 2 * i\n", "double")

QUICK = Limits(cpu_seconds=1.0, wall_seconds=20.0, memory_bytes=256 * 2**20, output_bytes=2**20, processes=16)


@dataclass(frozen=True, slots=True)
class Probe:
    """One program and what has to become of it.

    ``source`` may name, in double angle brackets, what :class:`sandbox.selfcheck.bait.Bait` offers (``<<tcp>>``).
    ``before`` are programs run first on the same worker, for attacks on the next job.
    """

    name: str
    theme: str
    source: str
    expect: frozenset[Outcome]
    plan: CheckScript = BREACH
    control: Control = "weak"
    limits: Limits = QUICK
    before: tuple[str, ...] = ()
    needs_root: bool = field(default=False)


def attack(theme: str, name: str, body: str, **options: object) -> Probe:
    """A probe whose ``attack()`` has the given body and returns ``"breach"`` where it succeeds."""
    indented = "\n".join(f"    {line}" if line else "" for line in body.strip("\n").split("\n"))
    expect = options.pop("expect", (Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR))
    assert isinstance(expect, tuple)
    source = f"def attack():\n{indented}\n    return 'contained'\n"
    return Probe(name, theme, source, frozenset(expect), **options)  # type: ignore[arg-type]
