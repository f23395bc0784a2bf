"""Figures: numbers against closed forms and direct computation, files against what pages and papers need."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.ledger.record import Record
from harness.report import figures
from harness.report.analysis import analyse
from harness.report.figures.canvas import Drawing, render
from harness.report.theme import LIGHT
from harness.spec import Contrast
from harness.stats.variance import spread_of


def counts(
    cells: dict[str, list[tuple[int, int]]], strata: list[str] | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Counts of arms as ``(n, passed)`` a problem."""
    rows = []
    for arm, values in cells.items():
        for i, (n, passed) in enumerate(values):
            stratum = strata[i] if strata else ""
            row = {"arm": arm, "seed": seed, "task": "t", "problem": f"p{i:03d}", "stratum": stratum, "n": n}
            rows.append({**row, "passed": passed, "no_code": 0, "truncated": 0, "infra": 0, "tokens": 9})
    return rows


def test_forest_rows_are_the_contrasts_in_points(matched: Record) -> None:
    starter = analyse(matched)[1]
    rows = figures.forest_rows(starter.contrasts)
    assert [r.label for r in rows][:1] == ["ssd@eval > base"]
    for row, c in zip(rows, starter.contrasts, strict=True):
        assert row.difference == pytest.approx(100 * c.result.difference)
        assert row.interval == pytest.approx(tuple(100 * e for e in c.result.interval))
        assert row.holds == c.holds
    place = next(i for i, c in enumerate(starter.contrasts) if c.contrast.test == "equivalence")
    equivalence = rows[place]
    assert equivalence.label == "ssd@eval ≈ base@two_stage ± 5"
    assert equivalence.zone == (-5.0, 5.0)
    assert equivalence.inner == pytest.approx(
        tuple(100 * e for e in starter.contrasts[place].result.equivalence.interval)
    )
    assert rows[0].zone == (0.0, None)
    assert [r.exploratory for r in rows] == [False] * (len(rows) - 1) + [True]


def test_the_zone_of_noninferiority_starts_below_zero(matched: Record) -> None:
    c = analyse(matched)[1].contrasts[0]
    contrast = Contrast("a", "b", "no_code", "noninferiority", 0.02)
    (row,) = figures.forest_rows((replace(c, contrast=contrast),))
    assert row.zone == (-2.0, None)
    assert row.label == "a ≥ b − 2, no_code"


def test_a_metric_that_is_no_rate_keeps_its_unit(matched: Record) -> None:
    c = analyse(matched)[1].contrasts[0]
    tokens = (replace(c, contrast=replace(c.contrast, metric="tokens")),)
    assert figures.forest_rows(tokens, rates=True) == ()
    assert figures.forest_rows(tokens, rates=False)[0].difference == c.result.difference


def test_curves_join_arms_of_one_model_and_place_two_stages_at_the_product(matched: Record) -> None:
    base, scaled, ssd = figures.decoding_curves(matched.head, "starter", analyse(matched)[1].arms)
    assert (base.label, ssd.label) == ("base", "ssd")
    assert [p.arm for p in scaled.points] == ["base@scaled"]
    assert {"base@min_p", "base@entropy"}.isdisjoint(p.arm for p in base.points)
    single = [p for p in base.points if p.stages == 1]
    assert [p.temperature for p in single] == pytest.approx([0.4, 0.9, 1.44, 1.6])
    (double,) = [p for p in base.points if p.stages == 2]
    assert double.temperature == pytest.approx(1.6 * 0.9)
    assert [p.temperature for p in ssd.points] == pytest.approx([0.4, 0.9])


def test_curves_tell_models_apart_that_share_a_word(results: Any) -> None:
    from harness.ledger.record import load_record

    record = load_record(results / "records" / "decoding_search-1")
    series = figures.decoding_curves(record.head, "starter_dev", analyse(record)[0].arms)
    assert [s.label for s in series] == ["base", "ssd T0.7", "ssd T1", "ssd T1.3"]
    assert [len(s.points) for s in series] == [6, 2, 2, 2]


def test_an_older_record_without_models_falls_back_on_names(matched: Record) -> None:
    head = {**matched.head, "cells": [{**c, "model": None} for c in matched.head["cells"]]}
    series = figures.decoding_curves(head, "starter", analyse(matched)[1].arms)
    assert [s.label for s in series] == ["base", "ssd"]


def test_there_are_no_curves_where_temperatures_do_not_differ(matched: Record) -> None:
    one = {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}
    head = {**matched.head, "arms": [{**a, "policy": {"stages": [one]}} for a in matched.head["arms"]]}
    assert figures.decoding_curves(head, "starter", analyse(matched)[1].arms) == ()


def test_strata_are_the_labels_in_order_with_their_own_means() -> None:
    cells = {"new": [(4, 4), (4, 3), (4, 2), (4, 1)], "old": [(4, 2), (4, 1), (4, 2), (4, 1)]}
    rows = counts(cells, ["hard", "hard", "easy", "easy"])
    easy, hard = figures.strata(rows, Contrast("new", "old"))
    assert (easy.label, hard.label) == ("easy", "hard")
    assert (easy.treatment.estimate, easy.control.estimate) == pytest.approx((3 / 8, 3 / 8))
    assert easy.difference.identical
    assert hard.difference.difference == pytest.approx(0.5)
    assert hard.problems == 2


@pytest.mark.parametrize("labels", [None, ["easy"] * 4])
def test_strata_need_two_labels(labels: list[str] | None) -> None:
    cells = {"new": [(4, 4)] * 4, "old": [(4, 2)] * 4}
    assert figures.strata(counts(cells, labels), Contrast("new", "old")) == ()


def test_variance_of_certain_problems_is_all_between_problems() -> None:
    """Rates 1 and 0 without sampling noise: Var(mean) = s²/2 = 0.5/2, in points² 2500."""
    split = figures.variance_split(counts({"a": [(5, 5), (5, 0)]}), "a")
    assert split.problems == pytest.approx(2500)
    assert split.samples == 0
    assert split.standard_error == pytest.approx(50)


def test_variance_of_equal_problems_is_all_sampling() -> None:
    """Every rate 0.5: what differs between problems is noise, so over many of them hardly anything is left over."""
    passed = np.random.default_rng(0).binomial(4, 0.5, 4000)
    split = figures.variance_split(counts({"a": [(4, int(c)) for c in passed]}), "a")
    assert split.samples == pytest.approx(1e4 * 0.25 / 4 / 4000, rel=0.05)
    assert split.problems < 0.1 * split.samples


def test_variance_parts_add_up_to_the_variance_the_intervals_use() -> None:
    rng = np.random.default_rng(1)
    solve = rng.uniform(0, 1, 60)
    values = []
    rows = []
    for seed in range(3):
        passed = rng.binomial(5, np.clip(solve + 0.1 * (seed - 1), 0, 1))
        rows += counts({"a": [(5, int(c)) for c in passed]}, seed=seed)
        values.append(passed / 5)
    split = figures.variance_split(rows, "a")
    spread = spread_of(np.array(values))
    assert split.n_seeds == 3
    assert split.seeds > 0
    assert split.standard_error == pytest.approx(100 * spread.standard_error)


def test_one_sample_a_problem_cannot_be_split() -> None:
    split = figures.variance_split(counts({"a": [(1, 1), (1, 0), (1, 1)]}), "a")
    assert split.samples is None
    assert split.problems == pytest.approx(1e4 * np.var([1, 0, 1], ddof=1) / 3)


@pytest.fixture(scope="module")
def forest(matched: Record) -> Drawing:
    rows = figures.forest_rows(analyse(matched)[1].contrasts)
    evil = replace(rows[0], label='$x^2$ <b>&"\u202e\x1b')
    return Drawing("matched-starter-forest", "Contrasts", figures.draw_forest, (*rows, evil))


def test_a_drawing_is_the_same_bytes_each_time(forest: Drawing) -> None:
    assert render(forest) == render(forest)


def test_an_inline_figure_fits_into_a_page(forest: Drawing) -> None:
    inline = render(forest).inline
    root = ElementTree.fromstring(inline)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Contrasts"
    assert root.get("width") is None
    ids = re.findall(r'\bid="([^"]+)"', inline)
    assert len(set(ids)) == len(ids)
    assert all(i.startswith("matched-starter-forest.") for i in ids)
    for reference in re.findall(r'(?:href="|url\()#([^")]+)', inline):
        assert reference in ids
    assert "<style" not in inline
    assert "font-family" not in inline


def test_every_colour_of_an_inline_figure_is_a_variable(forest: Drawing) -> None:
    styles = " ".join(re.findall(r'style="([^"]*)"', render(forest).inline))
    assert "var(--series-1)" in styles
    assert re.findall(r"#[0-9a-f]{6}", styles) == []


def test_files_for_papers_have_colours_of_their_own_and_no_date(forest: Drawing) -> None:
    drawn = render(forest)
    assert LIGHT["series-1"] in drawn.svg
    assert "var(--" not in drawn.svg
    ElementTree.fromstring(drawn.svg)
    assert drawn.pdf.startswith(b"%PDF-")
    assert b"CreationDate" not in drawn.pdf


def test_marks_say_their_numbers_and_hostile_labels_stay_text(forest: Drawing, matched: Record) -> None:
    root = ElementTree.fromstring(render(forest).inline)
    titles = [t.text for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(matched.head["contrasts"]) + 1
    assert titles[0] is not None
    assert titles[0].startswith("ssd@eval > base: +")
    assert titles[-1] is not None
    assert titles[-1].startswith('$x^2$ <b>&"\\u202e\\x1b: ')


def test_every_kind_of_figure_draws(matched: Record) -> None:
    analysis = analyse(matched)[1]
    rows = [r for r in matched.counts() if r["task"] == "starter"]
    kinds = {
        "curves": (figures.draw_curves, figures.decoding_curves(matched.head, "starter", analysis.arms)),
        "strata": (figures.draw_strata, (figures.strata(rows, analysis.contrasts[0].contrast), "ssd@eval", "base")),
        "variance": (figures.draw_variance, [figures.variance_split(rows, a.arm) for a in analysis.arms]),
    }
    for name, (draw, data) in kinds.items():
        drawn = render(Drawing(name, name, draw, data))
        root = ElementTree.fromstring(drawn.inline)
        assert len(list(root.iter("{http://www.w3.org/2000/svg}title"))) >= 6, name
