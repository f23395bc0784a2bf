"""Verdict noise: grade twice and say how often a verdict changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import BadInput
from harness.grade.verdict import Verdict
from sandbox import Outcome


@dataclass(frozen=True, slots=True)
class Flips:
    """How two gradings of the same samples differ.

    ``passed_flips`` counts samples whose pass or fail changed, ``outcome_flips`` those whose outcome changed at all;
    samples that either grading could not execute are left out of both and counted in ``unexecuted``.
    """

    samples: int
    passed_flips: int
    outcome_flips: int
    unexecuted: int
    changed: tuple[tuple[str, str, str], ...]

    @property
    def flip_rate(self) -> float:
        """Share of compared samples whose pass or fail changed; 0 where there is none."""
        return self.passed_flips / self.samples if self.samples else 0.0

    def line(self) -> str:
        """One line for a person."""
        return (
            f"flip rate {self.flip_rate:.4%} ({self.passed_flips} of {self.samples} samples changed pass or fail, "
            f"{self.outcome_flips} changed outcome, {self.unexecuted} not executed)"
        )


def flips(first: Iterable[Verdict], second: Iterable[Verdict]) -> Flips:
    """Compare two gradings by key.

    Raises:
        BadInput: when they are not of the same samples.
    """
    a, b = {v.key: v for v in first}, {v.key: v for v in second}
    if a.keys() != b.keys():
        odd = sorted(a.keys() ^ b.keys())[0]
        raise BadInput(f"two gradings of different samples: {odd!r} is only in one of them")
    infra = {k for k in a if Outcome.INFRA_ERROR in (a[k].outcome, b[k].outcome)}
    kept = [k for k in a if k not in infra]
    changed = [k for k in kept if a[k].outcome is not b[k].outcome]
    return Flips(
        samples=len(kept),
        passed_flips=sum(a[k].passed != b[k].passed for k in kept),
        outcome_flips=len(changed),
        unexecuted=len(infra),
        changed=tuple((k, a[k].outcome.value, b[k].outcome.value) for k in changed),
    )
