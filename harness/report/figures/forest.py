"""Forest plot: each contrast's difference with its interval, against zero and against its margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.figures.canvas import axes, colour, tip
from harness.report.numbers import is_rate, signed, span

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.report.analysis import ContrastResult

ROW = 0.46
"""Inches a contrast takes: a line of text and its mark below it."""

LINE = 56
"""Characters of label and numbers that fit side by side; longer ones are set smaller."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One contrast. Numbers are in points for rates, in the metric's unit otherwise.

    ``inner`` is the 90 % interval that decides equivalence, where that is the test; ``zone`` is where the difference
    must lie for the contrast to hold.
    """

    label: str
    difference: float
    interval: tuple[float, float]
    inner: tuple[float, float] | None
    zone: tuple[float | None, float | None]
    exploratory: bool
    holds: bool
    scale: float
    """From the metric's own unit to the one shown: 100 for rates."""

    @property
    def digits(self) -> int:
        """Decimals shown: points have one; other units may be as small as nats."""
        return 1 if self.scale == 100 else 3


def forest_rows(contrasts: Sequence[ContrastResult], rates: bool = True) -> tuple[ForestRow, ...]:
    """Rows of the contrasts on rates (``rates``), or of those on other metrics."""
    return tuple(_row(c) for c in contrasts if is_rate(c.contrast.metric) == rates)


def _row(c: ContrastResult) -> ForestRow:
    k, r = c.contrast, c.result
    scale = 100.0 if is_rate(k.metric) else 1.0
    margin = scale * k.margin
    zones: dict[str, tuple[float | None, float | None]] = {
        "superiority": (0.0, None),
        "noninferiority": (-margin, None),
        "equivalence": (-margin, margin),
    }
    sign = {"superiority": ">", "noninferiority": "≥", "equivalence": "≈"}[k.test]
    within = {"superiority": "", "noninferiority": f" − {margin:g}", "equivalence": f" ± {margin:g}"}[k.test]
    metric = "" if k.metric == "pass@1" else f", {k.metric}"
    return ForestRow(
        label=f"{k.treatment} {sign} {k.control}{within}{metric}",
        difference=scale * r.difference,
        interval=(scale * r.interval[0], scale * r.interval[1]),
        inner=(scale * r.equivalence.interval[0], scale * r.equivalence.interval[1])
        if k.test == "equivalence"
        else None,
        zone=zones[k.test],
        exploratory=k.family == "exploratory",
        holds=c.holds,
        scale=scale,
    )


def draw_forest(rows: Sequence[ForestRow]) -> Figure:
    """Draw the rows, first on top. Full marks hold, hollow ones do not; the zone where a contrast holds is shaded."""
    figure, ax = axes(ROW * len(rows) + 0.55)
    low, high = _limits(rows)
    for i, row in enumerate(rows):
        y = float(len(rows) - i)
        ink = colour("muted" if row.exploratory else "series-1")
        left, right = (bound if bound is not None else end for bound, end in zip(row.zone, (low, high), strict=True))
        ax.fill_between([left, right], y - 0.62, y - 0.18, color=colour("zone"), alpha=0.13, linewidth=0)
        for bound in row.zone:
            if bound:  # zero has a line of its own
                ax.plot([bound, bound], [y - 0.62, y - 0.18], color=colour("zone"), linewidth=1.2)
        # In pieces, so that it does not run through the labels.
        ax.plot([0, 0], [y - 0.66, y - 0.14], color=colour("edge"), linewidth=0.9, zorder=0.5)
        at = y - 0.4
        if row.inner is not None:
            ax.plot(row.inner, [at, at], color=ink, linewidth=3.4, solid_capstyle="butt")
        ax.plot(row.interval, [at, at], color=ink, linewidth=1.4)
        (mark,) = ax.plot(
            [row.difference],
            [at],
            marker="D" if row.inner is not None else "o",
            markersize=6.5,
            markerfacecolor=ink if row.holds else colour("paper"),
            markeredgecolor=ink,
            markeredgewidth=1.4,
            linestyle="none",
        )
        numbers = f"{signed(row.difference, row.digits)} {span(row.interval, row.digits)}"
        mark.set_gid(tip(f"{row.label}: {numbers}, {'holds' if row.holds else 'does not hold'}"))
        label = row.label + (" †" if row.exploratory else "")
        size = min(9.5, 9.5 * LINE / (len(label) + len(numbers)))
        transform = ax.get_yaxis_transform()
        ax.text(0, y - 0.1, label, transform=transform, va="bottom", ha="left", fontsize=size)
        ax.text(1, y - 0.1, numbers, transform=transform, va="bottom", ha="right", fontsize=size, color=colour("muted"))
    ax.set(xlim=(low, high), ylim=(0.2, len(rows) + 0.45), yticks=[])
    ax.set_xlabel("difference, points" if rows[0].scale == 100 else "difference, in the metric’s own unit")
    return figure


def _limits(rows: Sequence[ForestRow]) -> tuple[float, float]:
    ends = [e for r in rows for e in (*r.interval, *(b for b in r.zone if b is not None)) if e == e]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    pad = 0.06 * (high - low) or 1.0
    return low - pad, high + pad
