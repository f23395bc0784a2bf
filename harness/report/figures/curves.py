"""Decoding curves: pass@1 against temperature for each model, where a run's arms differ in temperature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from harness.report.figures.canvas import axes, colour, tip
from harness.report.numbers import plain, span
from harness.report.theme import SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.report.analysis import ArmSummary

MARKERS = "osD^v"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One arm: temperature, then pass@1 and its interval in per cent.

    ``stages`` above 1 is two-stage decoding, placed at the product of its temperatures (arXiv:2604.01193, Lemma B.1:
    that is what the stages compose to without truncation); it is not joined to the curve.
    """

    arm: str
    temperature: float
    estimate: float
    interval: tuple[float, float]
    stages: int


@dataclass(frozen=True, slots=True)
class CurveSeries:
    """The arms of one model, by temperature."""

    label: str
    points: tuple[CurvePoint, ...]


def decoding_curves(head: Mapping[str, Any], task: str, arms: Sequence[ArmSummary]) -> tuple[CurveSeries, ...]:
    """A series a model with its arms by temperature; empty where no model was decoded at two temperatures.

    Models are told apart by the record's cells, in older records by the first word of an arm's name. Arms cut by min-p,
    or whose temperature adapts to each token, are left out: they are not the same decoding at another temperature.
    """
    policies = {a["name"]: a["policy"] for a in head["arms"]}
    known = [c for c in head["cells"] if c["task"] == task and c.get("model") is not None]
    model_of = {c["arm"]: c["model"] for c in reversed(known)}
    groups: dict[Any, list[CurvePoint]] = defaultdict(list)
    for arm in arms:
        estimate = arm.pass_at.get(1)
        if estimate is None:
            continue
        stages = policies[arm.arm]["stages"]
        if any(s["min_p"] or s.get("entropy_theta") for s in stages):
            continue
        point = CurvePoint(
            arm.arm,
            prod(s["temperature"] for s in stages),
            100 * estimate.estimate,
            (100 * estimate.interval[0], 100 * estimate.interval[1]),
            len(stages),
        )
        groups[model_of.get(arm.arm, _first_word(arm.arm))].append(point)
    if not any(len({round(p.temperature, 9) for p in points}) > 1 for points in groups.values()):
        return ()
    series = [
        CurveSeries(_label(points), tuple(sorted(points, key=lambda p: (p.stages, p.temperature))))
        for points in groups.values()
    ]
    return tuple(series)


def draw_curves(series: Sequence[CurveSeries]) -> Figure:
    """Lines with bands for models at three or more temperatures, bars for the rest; hollow marks are two-stage."""
    figure, ax = axes(3.1)
    for i, one in enumerate(series):
        ink, marker = colour(SERIES[i % len(SERIES)]), MARKERS[i % len(MARKERS)]
        single = _distinct([p for p in one.points if p.stages == 1])
        banded = len(single) >= 3
        if banded:
            low, high = ([p.interval[end] for p in single] for end in (0, 1))
            ax.fill_between([p.temperature for p in single], low, high, color=ink, alpha=0.15, linewidth=0)
        ax.plot([p.temperature for p in single], [p.estimate for p in single], color=ink, linewidth=1.5)
        for p in one.points:
            if not (banded and p.stages == 1):
                ax.plot([p.temperature] * 2, p.interval, color=ink, linewidth=1.0, alpha=0.8)
            (mark,) = ax.plot(
                [p.temperature],
                [p.estimate],
                marker=marker,
                markersize=6,
                linestyle="none",
                markerfacecolor=ink if p.stages == 1 else colour("paper"),
                markeredgecolor=ink,
                markeredgewidth=1.3,
            )
            mark.set_gid(tip(f"{p.arm}: T {p.temperature:g}, {plain(p.estimate)} % {span(p.interval, sign=False)}"))
        ax.plot([], [], color=ink, marker=marker, markersize=6, linewidth=1.5, label=one.label)
    ax.spines["left"].set_visible(True)
    ax.set(xlabel="temperature (product over stages)", ylabel="pass@1, %")
    ax.set_ylim(bottom=max(0.0, ax.get_ylim()[0]), top=min(100.0, ax.get_ylim()[1]) + 0.5)
    columns = min(3, len(series))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, handlelength=1.6, columnspacing=1.2)
    return figure


def _distinct(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """One point a temperature, so that arms with one policy do not make a line fold back."""
    return list({round(p.temperature, 9): p for p in points}.values())


def _label(points: Sequence[CurvePoint]) -> str:
    """What the names of one model's arms share, cut at a separator; the first name if they share nothing."""
    names = [p.arm for p in points]
    first = {_first_word(n) for n in names}
    if len(first) > 1:
        return names[0]
    word = first.pop()
    rest = {n.removeprefix(word).lstrip(" @").partition("·")[0] for n in names}
    # "ssd T0.7·0.3" and "ssd T0.7·0.6" are one model, and "T0.7" says which.
    return f"{word} {rest.pop()}" if len(rest) == 1 and "·" in names[0] else word


def _first_word(arm: str) -> str:
    return arm.replace("@", " ").split(" ")[0]
