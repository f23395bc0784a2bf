"""Promises and whether the simulated cells keep them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.stats.calibration.pitfalls import StrataRow
from harness.stats.calibration.studies import Row

LOW, HIGH, TYPE_ONE = 0.935, 0.965, 0.055
ALLOWANCE = 0.005
"""Two standard errors of a coverage of 95 % from 10,000 experiments, rounded up: granted to "at least 95 %" only, where
a method that is exact in some cells would otherwise fail in half of them."""


@dataclass(frozen=True, slots=True)
class Results:
    """Everything simulated."""

    replicates: int
    resamples: int
    seed: int
    paired: Sequence[Row]
    seeds: Sequence[Row]
    clusters: Sequence[dict[str, float]]
    nesting: dict[str, float]
    strata: Sequence[StrataRow]
    selection: Sequence[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Promise:
    """A bound on one rate over a set of cells: how many cells, the extremes, and the cells outside the bound."""

    name: str
    bound: str
    values: tuple[float, ...]
    broken: tuple[tuple[Row, float], ...]

    @property
    def kept(self) -> bool:
        return not self.broken


def regime(row: Row) -> str:
    """``standard`` where nearly every experiment has enough to go by, ``sparse`` where hardly any has, or ``mixed``."""
    return "standard" if row.enough >= 0.95 else "sparse" if row.enough <= 0.05 else "mixed"


def _promise(name: str, bound: str, rows: Sequence[Row], rate: str, holds: Callable[[float], bool]) -> Promise:
    chosen = [(r, r.rates[rate]) for r in rows if rate in r.rates]
    return Promise(name, bound, tuple(v for _, v in chosen), tuple((r, v) for r, v in chosen if not holds(v)))


def between(value: float) -> bool:
    return LOW <= value <= HIGH


def at_least(value: float) -> bool:
    return value >= 0.95 - ALLOWANCE


def not_below(value: float) -> bool:
    return value >= LOW


def small(value: float) -> bool:
    return value <= TYPE_ONE


def promises(results: Results) -> list[Promise]:
    """Every promise of docs/statistics.md, judged."""
    out = []
    for study, label in (("contrast", "paired interval"), ("mean", "single-arm interval")):
        rows = [r for r in results.paired if r.study == study]
        for kind, bound, holds in (
            ("standard", "93.5–96.5 %", between),
            ("sparse", "≥ 95 %", at_least),
            ("mixed", "≥ 93.5 %", not_below),
        ):
            chosen = [r for r in rows if regime(r) == kind]
            if chosen:
                out.append(_promise(f"{label}, {kind} cells", bound, chosen, "recommended", holds))
    quiet = [r for r in results.seeds if r.cell.seed_sd == 0.0 and regime(r) == "standard"]
    out.append(_promise("paired interval for these models, 2–5 seeds", "93.5–96.5 %", quiet, "these models", between))
    out.append(_promise("paired interval over 2–5 seeds", "≥ 95 %", results.seeds, "over seeds", at_least))
    contrasts = [r for r in results.paired if r.study == "contrast"]
    for name, rate in (
        ("sign-flip test", "reject sign flip"),
        ("paired t test", "reject t"),
        ("exact McNemar test", "reject McNemar"),
        ("equivalence test (TOST), true difference at the margin", "reject TOST"),
    ):
        out.append(_promise(f"type-I error, {name}", "≤ 5.5 %", contrasts, rate, small))
    out.append(_promise("type-I error, test over seeds", "≤ 5.5 %", results.seeds, "reject over seeds", small))
    return [p for p in out if p.values]
