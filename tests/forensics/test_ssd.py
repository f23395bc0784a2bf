"""results/published/ssd.yaml: the known inconsistencies of arXiv:2604.01193 v2 are found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.forensics import load, report, to_markdown
from harness.forensics.cells import feasible_samples

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ssd():
    return report(load(ROOT / "results/published/ssd.yaml"))


def found(r, check):
    return {f.where: f for f in r.findings if f.check == check}


def test_the_split_of_v6_is_recovered_and_unique(ssd):
    known = ssd.checked.sizes["lcb_v6"]
    assert known.unique == (31, 39, 61)
    assert (known.search.explained, known.search.lines) == (21, 24)
    assert known.search.next_best[1] <= 14
    assert known.search.splits == 130 * 129 // 2


def test_the_split_of_v5_is_recovered(ssd):
    known = ssd.checked.sizes["lcb_v5"]
    assert known.unique == (92, 116, 166)
    assert (known.search.explained, known.search.lines) == (24, 24)
    assert known.search.next_best == ((91, 118, 165), 21)


def test_a_second_count_of_the_search_without_the_upper_limit_of_100(ssd):
    """Plain |gap| ≤ 0.10, by another route: 21 lines at the best split and 14 at the runner-up 32/37/62."""
    lines = [x for x in ssd.table.lines if x.benchmark == "lcb_v6" and x.complete]
    values = np.array([[s.ticks for s in x.strata] for x in lines])
    totals = np.array([x.total.ticks for x in lines])
    scores = {}
    for easy in range(1, 130):
        for medium in range(1, 131 - easy):
            split = (easy, medium, 131 - easy - medium)
            scores[split] = int((np.abs(values @ split - 131 * totals) <= 131).sum())
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)
    assert [(ranked[i], scores[ranked[i]]) for i in (0, 1)] == [((31, 39, 61), 21), ((32, 37, 62), 14)]


def test_three_totals_fail_and_no_other(ssd):
    rows = {(r.line.row, r.line.arm, r.line.metric): r for r in ssd.checked.totals if r.miss}
    expected = {
        ("Qwen3-30B-Thinking", "base", "pass@1"): (64.67, 1.426),
        ("GPT-OSS-20B (high)", "base", "pass@1"): (73.02, -3.924),
        ("GPT-OSS-20B (high)", "base", "pass@5"): (86.21, -0.105),
    }
    assert set(rows) == set(expected)
    for key, (implied, gap) in expected.items():
        assert rows[key].implied == pytest.approx(implied, abs=0.006)
        assert rows[key].gap == pytest.approx(gap, abs=6e-4)
        assert rows[key].line.benchmark == "lcb_v6"
    certainties = {f.where.split(" · ")[-1]: f.certainty for f in found(ssd, "total").values() if "GPT" in f.where}
    assert certainties == {"lcb_v6 pass@1": "conditional", "lcb_v6 pass@5": "marginal"}


def test_what_would_close_the_failing_totals(ssd):
    text = {f.where: f.statement for f in found(ssd, "total").values()}
    thinking = next(t for w, t in text.items() if "30B-Thinking" in w)
    assert "hard 44.6" in thinking
    assert "medium 77.8" in thinking
    assert "+3.48" in thinking
    gpt = next(t for w, t in text.items() if "GPT" in w and w.endswith("pass@1"))
    assert "hard 49.4" in gpt


def test_five_cells_are_impossible_at_ten_samples_and_one_at_twenty(ssd):
    table_cells = [c for c in ssd.checked.cells if c.line.arm != "sweep" and c.line.metric == "pass@1"]
    impossible = {(c.line.row, c.part, c.printed.text) for c in table_cells if c.samples == 10 and not c.possible}
    assert impossible == {
        ("Qwen3-30B-Instruct", "medium", "46.8"),
        ("Qwen3-30B-Instruct", "hard", "18.3"),
        ("Qwen3-30B-Thinking", "easy", "99.8"),
        ("Qwen3-30B-Thinking", "medium", "73.0"),
        ("GPT-OSS-20B (high)", "hard", "57.8"),
    }
    assert {c.line.arm for c in table_cells if not c.possible} == {"base"}
    at_twenty = [(c.line.row, c.part) for c in table_cells if c.samples == 20 and not c.possible]
    assert at_twenty == [("Qwen3-30B-Thinking", "medium")]
    assert len(found(ssd, "granularity")) == 5


def test_every_pass_at_5_cell_and_every_sweep_cell_is_attainable(ssd):
    rest = [c for c in ssd.checked.cells if c.stated and (c.line.arm == "sweep" or c.line.metric == "pass@5")]
    assert len(rest) > 600
    assert all(c.possible for c in rest)


@pytest.mark.parametrize(
    ("samples", "part", "percent"),
    [(10, "easy", 31), (10, "medium", 39), (10, "hard", 61), (10, "all", 100), (20, "easy", 62), (20, "medium", 78)],
)
def test_how_blunt_the_granularity_test_is(ssd, samples, part, percent):
    shares = {
        round(100 * c.share)
        for c in ssd.checked.cells
        if (c.samples, c.part, c.line.benchmark, c.line.metric) == (samples, part, "lcb_v6", "pass@1")
    }
    assert shares == {percent}


def test_joint_feasibility(ssd):
    off = {(j.line.row, j.line.benchmark, j.samples): j.miss for j in ssd.checked.joint if j.miss}
    assert {k[:2] for k in off} == {
        ("Qwen3-30B-Thinking", "lcb_v6"),
        ("GPT-OSS-20B (high)", "lcb_v6"),
        ("Qwen3-30B-Instruct", "lcb_v6"),
        ("Qwen3-30B-Instruct", "lcb_v5"),
    }
    # The instruct row is feasible at n = 20 on both versions, and misses by one success of 3,740 at n = 10 on v5.
    assert ("Qwen3-30B-Instruct", "lcb_v6", 20) not in off
    assert ("Qwen3-30B-Instruct", "lcb_v5", 20) not in off
    assert off["Qwen3-30B-Instruct", "lcb_v5", 10] == 1
    finding = found(ssd, "joint counts")
    assert [f.certainty for f in finding.values()] == ["marginal"]
    assert "1 of 3,740" in next(iter(finding.values())).statement
    lines = {(j.line.row, j.line.benchmark, j.line.arm): j.line for j in ssd.checked.joint}
    for row in ("Qwen3-30B-Thinking", "GPT-OSS-20B (high)"):
        assert feasible_samples(lines[row, "lcb_v6", "base"], ssd.checked.sizes["lcb_v6"]) == []
    assert not [j for j in ssd.checked.joint if j.line.arm == "SSD" and j.samples == 10 and j.miss]


def test_one_impossible_pair(ssd):
    finding = found(ssd, "pass@k pair")
    assert list(finding) == ["table2_v6 · Llama-3.1-8B-Instruct · base · lcb_v6 · hard"]
    only = next(iter(finding.values()))
    assert only.certainty == "unconditional"
    assert "0.250" in only.statement
    assert "0.164" in only.statement


def test_one_gain_that_no_weighting_gives(ssd):
    finding = found(ssd, "gain weighting")
    assert [w.split(" · ")[1] for w in finding] == ["GPT-OSS-20B (high)"]
    assert next(iter(finding.values())).numbers["overall"] == pytest.approx(5.3)


def test_all_printed_deltas_agree(ssd):
    d = ssd.checked.deltas
    assert (d.printed, d.exact, d.near) == (98, 98, 0)
    assert not found(ssd, "delta")
    assert not found(ssd, "total range")


def test_captions_and_sentences(ssd):
    captions = found(ssd, "captions")
    assert len(captions) == 1
    assert "All 156 values" in next(iter(captions.values())).statement
    exceptions = {s.statement.source: s.exceptions for s in ssd.checked.statements if s.exceptions}
    assert set(exceptions) == {"§3.2", "§3.3, Fig. 2", "Fig. 3a, Fig. 9", "C.4, Fig. 14"}
    assert [e.split(":")[0] for e in exceptions["§3.2"]] == ["GPT-OSS-20B (high)", "Llama-3.1-8B-Instruct"]


def test_the_stress_test_confirms_the_split(ssd):
    text = to_markdown(ssd)
    assert "imply +5.66; printed +5.7" in text
    assert "imply +10.58; printed +10.5" in text


def test_figures_of_the_thinking_sweep(ssd):
    grid = next(g for g in ssd.grids if g.grid.name == "fig11_pass1")
    assert (grid.cells, grid.maximum, len(grid.at_maximum)) == (156, 57.8, 2)
    assert (grid.median, round(grid.mean, 1)) == (55.5, 55.0)
    assert [round(100 * s) for _, _, s in grid.above] == [81, 44]
    assert grid.reported[0][3] == pytest.approx(55.85)
    assert (grid.region.cells, round(grid.region.mean, 1), round(grid.region.sd, 2)) == (85, 55.9, 0.53)
    assert grid.region.chance_one == pytest.approx(0.10, abs=0.01)
    assert grid.region.chance_all == pytest.approx(0.006, abs=0.0005)
    assert (round(grid.fit.r_squared, 2), round(grid.fit.peak, 2)) == (0.90, 0.94)
    assert dict(grid.row_means)["1.0"] == pytest.approx(55.4, abs=0.05)


def test_figures_of_the_instruct_sweep(ssd):
    grid = next(g for g in ssd.grids if g.grid.name == "fig10_pass1")
    assert (round(grid.fit.r_squared, 2), round(grid.fit.peak, 1)) == (0.74, 1.3)
    assert dict(grid.row_means)["1.0"] == pytest.approx(45.0, abs=0.05)
    five = next(g for g in ssd.grids if g.grid.name == "fig10_pass5")
    assert dict(five.row_means)["1.0"] == pytest.approx(59.8, abs=0.05)


def test_noise_of_the_published_deltas(ssd):
    read = {
        (n.pair.treatment.row, n.pair.treatment.benchmark, n.pair.treatment.metric): n
        for n in ssd.noise
        if n.part == "all" and n.pair.treatment.table != "stress"
    }
    readings = {key[0]: n.reading for key, n in read.items() if key[1:] == ("lcb_v6", "pass@1")}
    assert readings["Qwen3-30B-Instruct"] == readings["Qwen3-4B-Instruct"] == "outside"
    assert readings["Qwen3-30B-Thinking"] == "inside"
    assert readings["Qwen3-4B-Thinking"] == readings["Llama-3.1-8B-Instruct"] == "depends"
    # An independent simulation of the same design gave these ranges of half-widths; ours must contain them.
    for row, low, high in [
        ("Qwen3-4B-Thinking", 3.4, 4.7),
        ("Qwen3-4B-Instruct", 3.5, 4.7),
        ("Llama-3.1-8B-Instruct", 2.6, 3.6),
    ]:
        widths = read[row, "lcb_v6", "pass@1"].widths
        assert 100 * widths.low <= low
        assert 100 * widths.high >= high - 0.05


def test_the_committed_report_is_what_the_file_yields(ssd):
    assert (ROOT / "results/tables/forensics_ssd.md").read_text(encoding="utf-8") == to_markdown(ssd)
