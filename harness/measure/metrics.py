"""The measures by the names that contrasts use, as per-problem values. Numpy only.

``NAME`` is the mean over all positions of a problem, pooled over its contexts; ``NAME@GROUP`` that over the positions
of a group; ``NAME@fork-lock`` the mean over forks minus the mean over locks of the same problem, with
``NAME@fork-lock:b2`` and the like for labels by branch counting. Text-level measures have no groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput

Row = Mapping[str, Any]

SUMMED = (
    "entropy",
    "head_entropy",
    "tail_mass",
    "probability",
    "rank",
    "kl",
    "reverse_kl",
    "tv_predicted",
    "tv_decoded",
    "cross_entropy",
    "support_compression",
    "reshaping",
    "alignment",
    "constant",
)
"""Quantities of a position, in the order of :class:`harness.measure.positions.Values`; a record keeps their sums."""

POSITIONAL = (*SUMMED, "kept_mass")
"""Metrics of positions: kept mass is what tail mass leaves."""

TEXTUAL = ("distinct_programs", "distinct_ngrams", "length")
"""Metrics of the samples of a problem."""

TEXT_GROUP = "text"
"""The group that text-level rows carry in a record."""

DIFFERENCE = "fork-lock"


@dataclass(frozen=True, slots=True)
class Metric:
    """A parsed name: a quantity, in one group, or the difference ``group − minus``."""

    quantity: str
    group: str
    minus: str = ""


def parse(metric: str) -> Metric:
    """Read a metric's name.

    Raises:
        BadInput: if it names no measure.
    """
    quantity, at, group = metric.partition("@")
    if quantity in TEXTUAL and not at:
        return Metric(quantity, TEXT_GROUP)
    if quantity not in POSITIONAL or (at and not group):
        raise BadInput(f"{metric}: no such measure; there are {', '.join((*POSITIONAL, *TEXTUAL))}")
    if not at:
        return Metric(quantity, "all")
    head, colon, threshold = group.partition(":")
    if head == DIFFERENCE:
        return Metric(quantity, f"fork{colon}{threshold}", f"lock{colon}{threshold}")
    return Metric(quantity, group)


def is_measured(metric: str) -> bool:
    """Whether a metric is worked out from a record's measures (and not from its counts).

    >>> is_measured("tail_mass@fork-lock:b2"), is_measured("length"), is_measured("pass@1")
    (True, True, False)
    """
    try:
        parse(metric)
    except BadInput:
        return False
    return True


def measured_matrix(
    rows: Sequence[Row], arm: str, metric: str, problems: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """A metric of an arm as [seeds, problems], seeds sorted; NaN where a problem has no position of the group.

    Args:
        rows: one task's rows of ``measures.parquet``.
        arm: the arm.
        metric: a name for which :func:`is_measured` holds.
        problems: the problems of the columns; by default those of all arms together, sorted.

    Raises:
        BadInput: for another metric, or an arm that was not measured.
    """
    wanted = parse(metric)
    mine = [r for r in rows if r["arm"] == arm]
    if not mine:
        raise BadInput(f"{metric}: the arm {arm} was not measured in this run")
    seeds = sorted({r["seed"] for r in mine})
    problems = sorted({r["problem"] for r in rows}) if problems is None else list(problems)
    if wanted.quantity in TEXTUAL:
        at = {(r["seed"], r["problem"]): r[wanted.quantity] for r in mine if r["group"] == TEXT_GROUP}
        values = [[_number(at.get((s, p))) for p in problems] for s in seeds]
        return np.array(values, dtype=np.float64).reshape(len(seeds), len(problems))
    found = _means(mine, seeds, problems, wanted.quantity, wanted.group)
    return found - _means(mine, seeds, problems, wanted.quantity, wanted.minus) if wanted.minus else found


def _means(
    rows: Sequence[Row], seeds: Sequence[int], problems: Sequence[str], quantity: str, group: str
) -> NDArray[np.float64]:
    """Mean over the positions of a group, contexts pooled, as [seeds, problems]."""
    column = "tail_mass" if quantity == "kept_mass" else quantity
    totals: dict[tuple[int, str], float] = defaultdict(float)
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for r in rows:
        if r["group"] == group:
            key = (r["seed"], r["problem"])
            totals[key] += _number(r[column])
            counts[key] += r["positions"]
    means = [[totals[s, p] / counts[s, p] if counts.get((s, p)) else np.nan for p in problems] for s in seeds]
    matrix = np.array(means, dtype=np.float64).reshape(len(seeds), len(problems))
    return 1.0 - matrix if quantity == "kept_mass" else matrix


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
