"""The YAML schema: what is read, and the one line that a mistake gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.forensics import load, loads

GOOD = """
schema: published-table/1
title: A title
source: somewhere
benchmarks:
  bench: {problems: 30, samples: 10, strata: {easy: 10, hard: 20}}
tables:
  main:
    source: Table 1
    benchmark: bench
    columns: [hard, all, easy]
    arms: [base, tuned]
    rows:
      - name: model
        base: {pass@1: [10.0, 20.0, 40.0]}
        tuned: {pass@1: [15.0, 26.7, 50]}
        gains: {pass@1: ["+5.0", +6.7, 10.0 ]}
grids:
  sweep:
    source: Figure 1
    metric: pass@1
    benchmark: bench
    rows: {name: T, values: ["1.0", "2.0"]}
    columns: {name: k, values: ["5"]}
    cells: [[20.1], [null]]
"""


def test_columns_may_come_in_any_order():
    line = loads(GOOD).lines[0]
    assert line.total.text == "20.0"
    assert [s.text for s in line.strata] == ["40.0", "10.0"]


def test_digits_are_exact_and_missing_cells_stay_missing():
    table = loads(GOOD)
    assert table.lines[1].strata[0].ticks == 500
    assert table.tables[0].gains[0].total.signed == "+6.7"
    assert table.grids[0].cells[1][0] is None


@pytest.mark.parametrize(("text", "signed"), [("−0.8", "−0.8"), ("±0", "0.0"), ("+0.8", "+0.8"), ("-0.8", "−0.8")])
def test_typographic_signs(text, signed):
    assert loads(GOOD.replace('"+5.0"', text)).tables[0].gains[0].strata[1].signed == signed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("published-table/1", "published-table/2", r"schema: 'published-table/2' is not known; the nearest.*table/1"),
        (
            "problems: 30",
            "problem: 30",
            r"benchmarks\.bench\.problem: unknown key; the nearest valid one is 'problems'",
        ),
        ("problems: 30", "problems: 31", r"strata: sizes 10 \+ 20 = 30 are not problems: 31"),
        ("problems: 30", "problems: many", r"problems: 'many' must be a whole number"),
        ("samples: 10", "samples: 0", r"samples: 0 must be at least 1"),
        ("hard: 20}", "hard: null}", r"size of every stratum or of none"),
        ("{easy: 10, hard: 20}", "[all, hard]", r"strata: names must differ"),
        ("benchmark: bench\n    columns", "benchmark: bnch\n    columns", r"'bnch' is not known; the nearest.*'bench'"),
        ("[hard, all, easy]", "[hard, all, esy]", r"columns\[2\]: 'esy' is not known; the nearest valid one is 'easy'"),
        ("[10.0, 20.0, 40.0]", "[10.0, 20.0]", r"base\.pass@1: 2 values for 3 columns"),
        ("[10.0, 20.0, 40.0]", "[10.0, 20.05, 40.0]", r"pass@1\[1\]: 20\.05 has more than the 1 decimals"),
        ("[10.0, 20.0, 40.0]", "[10.0, 120.0, 40.0]", r"120\.0 must lie between 0 and 100\.0"),
        ("[10.0, 20.0, 40.0]", "[10.0, twenty, 40.0]", r"'twenty' is not a number"),
        ("[10.0, 20.0, 40.0]", "[10.0, nan, 40.0]", r"'nan' is not a number"),
        ("base: {pass@1", "base: {pass@one", r"metric 'pass@one' is not known; the nearest valid one is 'pass@1'"),
        ("base: {pass@1: [10", "base: {pass@0: [10", r"metric 'pass@0' is not known"),
        ("        tuned:", "        tunde:", r"rows\[0\]\.tunde: unknown key; the nearest valid one is 'tuned'"),
        ("arms: [base, tuned]", "arms: [base, tuned]\n    control: bas", r"control: 'bas' is not known.*'base'"),
        ("arms: [base, tuned]", "arms: [base, tuned]\n    samples: {bas: 5}", r"'bas' is not known.*'base'"),
        ("cells: [[20.1], [null]]", "cells: [[20.1]]", r"cells: must be 2 rows of 1 values; row lengths are 1"),
        ('values: ["5"]', 'values: ["5", "5"]', r"columns\.values: must be a list of different values"),
        ("title: A title", "title:", r"title: nothing must be text"),
        ("title: A title\n", "", r"the key 'title' is missing"),
        ("title: A title", "title: A title\ntitle: B", r"title: given twice"),
        ("title: A title", "title: [", r"line \d+ is not YAML"),
        (
            "title: A title",
            "title: A\nrounding: {mode: up}",
            r"mode: 'up' is not known; valid are nearest, down, either",
        ),
        ("title: A title", "title: A\nassumptions: {correlation: [0.9, 0.2]}", r"the smaller first"),
        ("title: A title", "title: A\nstatements: [{kind: sam, says: a, source: b}]", r"'sam' is not known.*'same'"),
        ("title: A title", "title: A\nsettings: {source: a, rows: [{base: {t: 1}}]}", r"the key 'name' is missing"),
    ],
)
def test_a_mistake_gets_one_line_that_names_it(old, new, message):
    assert old in GOOD
    with pytest.raises(BadInput, match=message) as error:
        loads(GOOD.replace(old, new, 1), "paper.yaml")
    assert str(error.value).startswith("paper.yaml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "just text", "[1, 2]", "null"])
def test_what_is_no_mapping_is_refused(text):
    with pytest.raises(BadInput, match="must be a mapping"):
        loads(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    with pytest.raises(BadInput):
        loads(text)


def test_missing_file_names_a_near_one(tmp_path):
    (tmp_path / "paper.yaml").write_text(GOOD)
    assert load(tmp_path / "paper.yaml").title == "A title"
    with pytest.raises(BadInput, match=r"no such file; the nearest valid one is 'paper.yaml'"):
        load(tmp_path / "papr.yaml")
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path)


def test_the_example_of_the_documentation_is_a_valid_file():
    text = (Path(__file__).parents[2] / "docs/forensics.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    table = loads(blocks[0], "docs/forensics.md")
    assert [t.name for t in table.tables] == ["table1"]
    assert [g.name for g in table.grids] == ["figure2"]
    assert {s.kind for s in table.statements} == {"same", "larger", "largest_gain", "note"}
    # Every key that the loader accepts is explained.
    for key in ("samples_considered", "selected_over", "region", "assumptions", "compare", "recorded", "group", "unit"):
        assert f"`{key}`" in text
