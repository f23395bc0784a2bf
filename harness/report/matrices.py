"""Per-problem values of the arms that were run, as arrays, from a record's counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.ledger.record import Row
from harness.stats import pass_at_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS = {"format_failure": "no_code"}


def problems_of(rows: Sequence[Row]) -> list[str]:
    """The problems of these rows, sorted: the order of every matrix's columns."""
    return sorted({r["problem"] for r in rows})


def metric_matrix(rows: Sequence[Row], arm: str, metric: str) -> NDArray[np.float64]:
    """A metric of an arm as [seeds, problems]; problems in sorted order, seeds likewise.

    ``pass@k`` is the unbiased estimate (NaN where n < k); ``no_code``, ``truncated`` and ``tokens`` are means a sample.
    ``format_failure`` is another name of ``no_code``: answers without the form asked for, be it a program or not.
    """
    mine = [r for r in rows if r["arm"] == arm]
    seeds = sorted({r["seed"] for r in mine})
    problems = sorted({r["problem"] for r in mine})
    at = {(r["seed"], r["problem"]): r for r in mine}
    shape = (len(seeds), len(problems))

    def field(name: str) -> NDArray[np.float64]:
        return np.array([[at[s, p][name] for p in problems] for s in seeds], dtype=np.float64).reshape(shape)

    if metric.startswith("pass@"):
        return np.asarray(pass_at_k(field("n"), field("passed"), int(metric.removeprefix("pass@"))), dtype=np.float64)
    total = field("n") + field("infra")
    return np.asarray(field(_COLUMNS.get(metric, metric)) / total, dtype=np.float64)
