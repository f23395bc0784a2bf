"""What limits the precision of each arm: its pass@1's variance split into problems, samples and training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.report.figures.canvas import axes, colour, tip
from harness.report.numbers import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.ledger.record import Row

PARTS = (
    ("problems", "which problems", "series-1"),
    ("samples", "which samples", "series-2"),
    ("seeds", "training seed", "series-3"),
)


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Variance of an arm's mean pass@1, in points². ``samples`` is ``None`` with one sample a problem.

    The sum of the parts is the estimated variance of the mean over new problems, samples and training seeds; with one
    seed its part is unknown and counted zero (``n_seeds`` says so).
    """

    arm: str
    problems: float
    samples: float | None
    seeds: float
    n_seeds: int

    @property
    def standard_error(self) -> float:
        """Points."""
        return float(np.sqrt(self.problems + (self.samples or 0.0) + self.seeds))


def variance_split(rows: Sequence[Row], arm: str) -> VarianceSplit:
    """Split for one arm of one task's counts.

    The variance of a mean over problems contains the samples' noise, whose unbiased estimate for a problem with ``n``
    samples is p̂(1 − p̂)/(n − 1) (:func:`harness.stats.pass_at_k_variance` at k = 1); what is left, never below zero,
    is due to the problems. The seeds' part is the ANOVA estimator of :func:`harness.stats.variance.seed_variance`.
    """
    from harness.report.matrices import metric_matrix
    from harness.stats import pass_at_k_variance
    from harness.stats.variance import spread_of

    values = metric_matrix(rows, arm, "pass@1")
    values = values[:, ~np.isnan(values).any(axis=0)]
    n_seeds, n_problems = values.shape
    if n_problems < 2:
        return VarianceSplit(arm, float("nan"), None, 0.0, n_seeds)
    spread = spread_of(values)
    mine = [r for r in rows if r["arm"] == arm and r["n"] > 0]
    noise = pass_at_k_variance([r["n"] for r in mine], [r["passed"] for r in mine], 1)
    if np.isnan(noise).any():
        return VarianceSplit(arm, 1e4 * spread.problems, None, 1e4 * spread.seeds, n_seeds)
    # Mean over seeds and problems: each cell's noise enters with weight 1 / (seeds × problems).
    sampling = min(float(noise.sum()) / (n_seeds * n_problems) ** 2, spread.problems)
    return VarianceSplit(arm, 1e4 * (spread.problems - sampling), 1e4 * sampling, 1e4 * spread.seeds, n_seeds)


def draw_variance(splits: Sequence[VarianceSplit]) -> Figure:
    """A stacked bar an arm, in points² of the mean; its standard error in points beside it."""
    figure, ax = axes(0.46 * len(splits) + 0.85)
    transform = ax.get_yaxis_transform()
    for i, split in enumerate(splits):
        y, left = float(len(splits) - i), 0.0
        for field, words, ink in PARTS:
            value = getattr(split, field)
            if not value or value != value:
                continue
            (bar,) = ax.barh(y - 0.4, value, left=left, height=0.36, color=colour(ink), linewidth=0)
            bar.set_gid(tip(f"{split.arm}, {words}: {plain(value, 2)} points²"))
            left += value
        ax.text(0, y - 0.16, split.arm, transform=transform, va="bottom", ha="left")
        shown = f"SE {plain(split.standard_error)}"
        ax.text(1, y - 0.16, shown, transform=transform, va="bottom", ha="right", color=colour("muted"))
    for field, words, ink in PARTS:
        if any(getattr(s, field) for s in splits):
            together = field == "problems" and all(s.samples is None for s in splits)
            ax.barh([0], [0], color=colour(ink), label="problems and samples" if together else words)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handlelength=1.0, columnspacing=1.0)
    ax.set(ylim=(0.2, len(splits) + 0.25), yticks=[], xlabel="variance of mean pass@1, points²")
    ax.set_xlim(left=0)
    return figure
