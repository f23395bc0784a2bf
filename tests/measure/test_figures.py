"""Figures of measures: the numbers they show, and that they can be drawn."""

from __future__ import annotations

from typing import Any

import pytest

from harness.measure.groups import EDGES
from harness.measure.metrics import SUMMED, TEXTUAL
from harness.report.figures import Drawing, class_tails, draw_class_tails, draw_entropy_changes, entropy_changes
from harness.report.figures.canvas import render
from harness.report.figures.mechanism import bin_label

HEAD = {
    "measurement": {
        "arms": ["base", "ssd"],
        "reference": "base",
        "contexts": ["base"],
        "matched": [["base@matched", "ssd"]],
    }
}


def row(arm: str, problem: int, group: str, positions: int, **sums: float) -> dict[str, Any]:
    where = {"arm": arm, "seed": 0, "task": "t", "problem": f"p{problem}", "context": "base", "group": group}
    return {**where, "positions": positions, **dict.fromkeys((*SUMMED, *TEXTUAL), 0.0), **sums}


def rows() -> list[dict[str, Any]]:
    """Three problems; the arms differ by 0.5 and 0.25 nats in bin 2, and only one problem has positions in bin 9."""
    found = []
    for arm, lower in (("base", 0.0), ("ssd", 0.5), ("base@matched", 0.25)):
        for p in range(3):
            found.append(row(arm, p, "bin:2", 4, entropy=4 * (2.0 + p - lower)))
            found.append(row(arm, p, "class:bracket", 10, tail_mass=10 * (0.3 - lower / 5)))
        found.append(row(arm, 0, "bin:9", 1, entropy=3.0))
        found.append(row(arm, 0, "class:choice", 1, tail_mass=0.5))
    return found


def test_changes_are_against_the_reference_and_lonely_bins_left_out() -> None:
    changes = entropy_changes(rows(), HEAD)
    assert [c.arm for c in changes] == ["ssd", "base@matched"]
    for change, wanted in zip(changes, (-0.5, -0.25), strict=True):
        ((index, point),) = change.bins
        assert index == 2
        assert (point.estimate, point.problems) == (pytest.approx(wanted), 3)


def test_tails_are_shares_by_class() -> None:
    (one,) = class_tails(rows(), HEAD)
    assert (one.kind, one.role) == ("bracket", "lock")
    assert {arm: round(p.estimate, 9) for arm, p in one.arms} == {"base": 0.3, "ssd": 0.2, "base@matched": 0.25}


def test_there_is_nothing_to_draw_without_measures() -> None:
    assert entropy_changes([], HEAD) == ()
    assert class_tails([], HEAD) == ()
    assert entropy_changes(rows(), {}) == ()


def test_both_are_drawn_with_their_numbers_to_be_pointed_at() -> None:
    entropy = render(Drawing("entropy", "Entropy", draw_entropy_changes, entropy_changes(rows(), HEAD)))
    assert "ssd, base entropy 0.05–0.1: −0.500 nats" in entropy.inline
    tails = render(Drawing("tails", "Tails", draw_class_tails, class_tails(rows(), HEAD)))
    assert "base, bracket: 30.00 %" in tails.inline
    assert "lock, 3 problems" in tails.inline


def test_labels_of_bins() -> None:
    assert [bin_label(0), bin_label(len(EDGES))] == ["0–0.01", "≥ 3"]
