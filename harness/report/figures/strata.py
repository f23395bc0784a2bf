"""Difficulty strata: both arms of the first contrast on each of the benchmark's own difficulty labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.figures.canvas import axes, colour, tip
from harness.report.numbers import plain, size_text, span

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.ledger.record import Row
    from harness.spec import Contrast
    from harness.stats import Estimate, PairedContrast

ORDER = ("trivial", "easy", "medium", "hard", "very hard")
"""Labels known to be ordered; others follow by name."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One difficulty label: both arms' rates and their difference, as fractions."""

    label: str
    problems: int
    treatment: Estimate
    control: Estimate
    difference: PairedContrast


def strata(rows: Sequence[Row], contrast: Contrast) -> tuple[Stratum, ...]:
    """The contrast within each stratum of ``rows`` (one task's counts); empty for fewer than two labels.

    A label with one problem is left out: nothing can be said about its kind.

    Strata are the benchmark's own labels, never made from these results: problems that look hard *because* the base
    failed them regress to the mean under any treatment.
    """
    from harness.report.matrices import metric_matrix
    from harness.report.values import ANALYSIS_SEED
    from harness.stats import mean_interval, paired_contrast

    labels = {r["stratum"] for r in rows if r["stratum"]}
    if len(labels) < 2:
        return ()
    out = []
    for label in sorted(labels, key=_place):
        mine = [r for r in rows if r["stratum"] == label]
        a, b = (metric_matrix(mine, arm, contrast.metric) for arm in (contrast.treatment, contrast.control))
        if a.shape[1] != b.shape[1] or a.shape[1] < 2:
            continue
        difference = paired_contrast(a, b, seed=ANALYSIS_SEED, resamples=500)
        out.append(Stratum(str(label), a.shape[1], mean_interval(a), mean_interval(b), difference))
    return tuple(out) if len(out) > 1 else ()


def draw_strata(data: tuple[Sequence[Stratum], str, str]) -> Figure:
    """Draw ``(strata, treatment, control)``: two marks with 95 % intervals a stratum, easiest on top."""
    rows, treatment, control = data
    figure, ax = axes(0.62 * len(rows) + 0.85)
    transform = ax.get_yaxis_transform()
    for i, row in enumerate(rows):
        y = float(len(rows) - i)
        for name, estimate, ink, marker, at in (
            (treatment, row.treatment, colour("series-1"), "o", y - 0.3),
            (control, row.control, colour("series-2"), "s", y - 0.55),
        ):
            ends = tuple(100 * e for e in estimate.interval)
            ax.plot(ends, [at, at], color=ink, linewidth=1.4)
            (mark,) = ax.plot([100 * estimate.estimate], [at], marker=marker, markersize=6, color=ink, linestyle="none")
            shown = f"{plain(100 * estimate.estimate)} % {span(ends, sign=False)}"
            mark.set_gid(tip(f"{name}, {row.label}: {shown}"))
        ax.text(0, y - 0.14, row.label, transform=transform, va="bottom", ha="left")
        ax.text(
            1,
            y - 0.14,
            size_text(row.problems, "problem"),
            transform=transform,
            va="bottom",
            ha="right",
            color=colour("muted"),
        )
    ax.plot([], [], color=colour("series-1"), marker="o", markersize=6, linewidth=1.4, label=treatment)
    ax.plot([], [], color=colour("series-2"), marker="s", markersize=6, linewidth=1.4, label=control)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=1.6)
    ax.set(xlim=(-2, 102), ylim=(0.2, len(rows) + 0.25), yticks=[], xlabel="pass@1, %")
    return figure


def _place(label: str) -> tuple[int, str]:
    low = str(label).lower()
    return (ORDER.index(low) if low in ORDER else len(ORDER), str(label))
