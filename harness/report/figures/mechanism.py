"""Where distributions change: entropy by the base's own entropy, tail mass by token class. From a record's measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.measure.classes import ROLES
from harness.measure.groups import EDGES
from harness.report.figures.canvas import axes, colour, tip
from harness.report.numbers import plain, signed, span
from harness.report.theme import SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.ledger.record import Row

MARKERS = "osD^v"
LEAST = 2
"""Problems a group must have positions in, for its interval to mean anything."""

RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Point:
    """An estimate over problems with its 95 % interval; ``problems`` have positions in the group."""

    estimate: float
    interval: tuple[float, float]
    problems: int


@dataclass(frozen=True, slots=True)
class EntropyChange:
    """An arm's entropy minus the reference's, in nats, for each bin of the reference's entropy that has positions."""

    arm: str
    bins: tuple[tuple[int, Point], ...]


@dataclass(frozen=True, slots=True)
class ClassTails:
    """Tail mass, as a share, of each arm at the positions of one token class."""

    kind: str
    role: str
    arms: tuple[tuple[str, Point], ...]


def measured_arms(head: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The reference arm, and the arms that were measured, matched ones among them."""
    asked = head["measurement"]
    return str(asked["reference"]), [*asked["arms"], *(name for name, _ in asked.get("matched", ()))]


def entropy_changes(rows: Sequence[Row], head: Mapping[str, Any]) -> tuple[EntropyChange, ...]:
    """Every measured arm against the reference, by bin; empty without measures of the reference.

    Args:
        rows: one task's rows of ``measures.parquet``.
        head: of the record.
    """
    from harness.measure.metrics import measured_matrix
    from harness.report.values import ANALYSIS_SEED
    from harness.stats import paired_contrast

    if not rows or "measurement" not in head:
        return ()
    reference, arms = measured_arms(head)
    if reference not in arms:
        return ()
    out = []
    for arm in (a for a in arms if a != reference):
        bins = []
        for i in range(len(EDGES) + 1):
            a, b = (measured_matrix(rows, name, f"entropy@bin:{i}") for name in (arm, reference))
            r = paired_contrast(a, b, seed=ANALYSIS_SEED, resamples=RESAMPLES, bounded=None)
            if r.n_problems >= LEAST:
                bins.append((i, Point(r.difference, (r.interval[0], r.interval[1]), r.n_problems)))
        if bins:
            out.append(EntropyChange(arm, tuple(bins)))
    return tuple(out)


def class_tails(rows: Sequence[Row], head: Mapping[str, Any]) -> tuple[ClassTails, ...]:
    """Tail mass by token class, locks first; classes in too few problems are left out."""
    import numpy as np

    from harness.measure.metrics import measured_matrix
    from harness.stats import mean_interval

    if not rows or "measurement" not in head:
        return ()
    _, arms = measured_arms(head)
    out = []
    for kind in sorted(ROLES, key=lambda k: ("lock", "fork", "").index(ROLES[k])):
        points = []
        for arm in arms:
            values = measured_matrix(rows, arm, f"tail_mass@class:{kind}")
            problems = int((~np.isnan(values)).all(axis=0).sum())
            if problems >= LEAST:
                e = mean_interval(values)
                points.append((arm, Point(e.estimate, (e.interval[0], e.interval[1]), problems)))
        if points:
            out.append(ClassTails(kind, ROLES[kind], tuple(points)))
    return tuple(out)


def draw_entropy_changes(data: Sequence[EntropyChange]) -> Figure:
    """A line an arm over the bins, with 95 % intervals; zero is no change."""
    figure, ax = axes(3.2)
    ax.axhline(0, color=colour("edge"), linewidth=0.9)
    shift = 0.16
    for n, one in enumerate(data):
        ink, marker = colour(SERIES[n % len(SERIES)]), MARKERS[n % len(MARKERS)]
        at = [i + shift * (n - (len(data) - 1) / 2) for i, _ in one.bins]
        ax.plot(
            at, [p.estimate for _, p in one.bins], color=ink, linewidth=1.2, label=one.arm, marker=marker, markersize=5
        )
        for x, (i, p) in zip(at, one.bins, strict=True):
            ax.plot([x, x], p.interval, color=ink, linewidth=1.0, alpha=0.8)
            (mark,) = ax.plot([x], [p.estimate], marker=marker, markersize=5, color=ink, linestyle="none")
            shown = f"{signed(p.estimate, 3)} nats {span(p.interval, 3)}, {p.problems} problems"
            mark.set_gid(tip(f"{one.arm}, base entropy {bin_label(i)}: {shown}"))
    bins = range(len(EDGES) + 1)
    ax.set_xticks(list(bins), [bin_label(i) for i in bins], rotation=35, ha="right", fontsize=8.5)
    ax.set(
        xlabel="entropy of the base at the position, nats",
        ylabel="change in entropy, nats",
        xlim=(-0.5, len(EDGES) + 0.5),
    )
    ax.spines["left"].set_visible(True)
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, len(data)), handlelength=1.6, columnspacing=1.2
    )
    return figure


def draw_class_tails(data: Sequence[ClassTails]) -> Figure:
    """Marks with 95 % intervals, an arm a line of its own below each class's name."""
    arms = [arm for arm, _ in max(data, key=lambda d: len(d.arms)).arms]
    row = 0.3 + 0.12 * len(arms)
    figure, ax = axes(row * len(data) + 1.0)
    transform = ax.get_yaxis_transform()
    top = max(100 * p.interval[1] for d in data for _, p in d.arms)
    for i, one in enumerate(data):
        y = row * (len(data) - i)
        for n, (arm, p) in enumerate(one.arms):
            which = arms.index(arm)
            ink, at = colour(SERIES[which % len(SERIES)]), y - 0.22 - 0.12 * n
            ends = (100 * p.interval[0], 100 * p.interval[1])
            ax.plot(ends, [at, at], color=ink, linewidth=1.3)
            (mark,) = ax.plot(
                [100 * p.estimate],
                [at],
                marker=MARKERS[which % len(MARKERS)],
                markersize=5,
                color=ink,
                linestyle="none",
            )
            mark.set_gid(tip(f"{arm}, {one.kind}: {plain(100 * p.estimate, 2)} % {span(ends, 2, sign=False)}"))
        ax.text(0, y - 0.13, one.kind, transform=transform, va="bottom", ha="left")
        said = f"{one.role or 'neither'}, {one.arms[0][1].problems} problems"
        ax.text(1, y - 0.13, said, transform=transform, va="bottom", ha="right", color=colour("muted"))
    for which, arm in enumerate(arms):
        ink, marker = colour(SERIES[which % len(SERIES)]), MARKERS[which % len(MARKERS)]
        ax.plot([], [], color=ink, marker=marker, markersize=5, linewidth=1.3, label=arm)
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(4, len(arms)), handlelength=1.4, columnspacing=1.0
    )
    ax.set(xlim=(-0.02 * top, 1.04 * top or 1.0), ylim=(0.05, row * len(data) + 0.15), yticks=[])
    ax.set_xlabel("tail mass (outside the kept set), %")
    return figure


def bin_label(index: int) -> str:
    """``0.05–0.1``; the last bin has no upper end."""
    edges = [0.0, *EDGES]
    low = f"{edges[index]:g}"
    return f"≥ {low}" if index == len(EDGES) else f"{low}–{edges[index + 1]:g}"
