"""What a check reports: printed numbers that cannot all be right together, under which facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Certainty = Literal["unconditional", "conditional", "marginal", "reading"]
"""``unconditional``: follows from the printed digits and how they are rounded. ``conditional``: follows if a stated or
recovered fact (sample count, stratum sizes) holds too. ``marginal``: misses by no more than a tenth of the last printed
digit, or by one success, so that the slightest liberty in rounding removes it. ``reading``: a sentence or caption does
not match numbers, as the file's author read it."""

CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)

ASSUMPTIONS = {
    "rounding": "numbers were rounded as the file declares (ties may go either way)",
    "stated sizes": "the benchmark's strata have the stated sizes",
    "recovered sizes": "the benchmark's strata have the sizes recovered from the table itself (section 1)",
    "same problems": "total and strata average the same problems, each with equal weight",
    "samples": "every problem got the number of samples that is stated (or asked about)",
    "same samples": "both pass@k values are the usual unbiased estimates from the same samples",
    "both arms": "both arms were averaged with the same weights",
}

MARGIN_TICKS = 0.1
"""Misses up to this many units of the last printed digit are called marginal."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of arithmetic that does not close.

    Attributes:
        check: Which check, e.g. ``total`` or ``granularity``.
        certainty: See :data:`Certainty`.
        where: Table, row, arm, benchmark and metric.
        statement: The arithmetic in one or two sentences.
        assumes: Keys of :data:`ASSUMPTIONS`.
        numbers: The same in machine-readable form.
    """

    check: str
    certainty: Certainty
    where: str
    statement: str
    assumes: tuple[str, ...] = ()
    numbers: dict[str, Any] = field(default_factory=dict)


def certainty_of(miss_ticks: float, conditional: bool) -> Certainty:
    """How much a miss of so many ticks says."""
    if miss_ticks <= MARGIN_TICKS:
        return "marginal"
    return "conditional" if conditional else "unconditional"
