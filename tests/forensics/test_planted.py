"""Planted errors are found, and consistent tables are left alone, however they were made and rounded."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from harness.forensics import find, load
from harness.forensics.model import Benchmark, Gain, Line, PublishedTable, Table
from harness.forensics.printed import Printed, Rounding

ROOT = Path(__file__).parents[2]


def test_every_planted_error_is_found_and_nothing_is_invented():
    findings = find(load(ROOT / "results/published/example_planted.yaml")).findings
    assert {(f.check, f.certainty, f.where) for f in findings} == {
        ("total range", "unconditional", "main · Model H · after · bench pass@1"),
        ("total", "conditional", "main · Model B · after · bench pass@1"),
        ("granularity", "conditional", "main · Model C · before · bench pass@1 · medium"),
        ("granularity", "conditional", "extra · Model A · after · mini pass@8 · all"),
        ("joint counts", "marginal", "main · Model A · before · bench pass@1"),
        ("pass@k pair", "unconditional", "main · Model B · before · bench · hard"),
        ("pass@k pair", "conditional", "main · Model D · after · bench · hard"),
        ("pass@k pair", "unconditional", "main · Model F · after · bench · easy"),
        ("gain weighting", "unconditional", "summary · Model I · after − before · bench pass@1"),
        ("gain weighting", "conditional", "summary · Model J · after − before · bench pass@1"),
        ("delta", "unconditional", "main · Model G · after − before · bench pass@1 · easy"),
        ("captions", "reading", "sweep_left (made up) and sweep_right (made up)"),
        ("statement", "reading", "made up"),
    }
    assert len(findings) == 13


def test_the_example_marks_each_error_it_plants():
    text = (ROOT / "results/published/example_planted.yaml").read_text(encoding="utf-8")
    assert text.count("# planted (") == 13


class Maker:
    """Tables computed from random outcomes, in exact arithmetic, and printed with random conventions."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = np.random.default_rng(seed)
        mode = str(rng.choice(["nearest", "nearest", "down", "either"]))
        unit = str(rng.choice(["percent", "fraction"]))
        decimals = int(rng.integers(0, 3)) + (2 if unit == "fraction" else 0)
        self.rounding = Rounding(decimals, mode, unit)
        self.sizes = tuple(int(x) for x in rng.integers(3, 20, size=int(rng.integers(1, 4))))
        self.samples = int(rng.integers(1, 13))
        self.k = int(rng.integers(2, 7))
        self.metrics = ["pass@1", f"pass@{self.k}"] if self.k <= self.samples else ["pass@1"]
        self.before_rounding = bool(rng.integers(2))
        stated = bool(rng.integers(2))
        names = tuple("abc"[: len(self.sizes)])
        self.benchmark = Benchmark(
            "bench", "Bench", sum(self.sizes), self.samples, (5,), names, self.sizes if stated else None
        )
        self.lines: list[Line] = []
        self.gains: list[Gain] = []
        for row in range(int(rng.integers(1, 7))):
            self._row(f"row {row}")

    def print(self, value: Fraction) -> Printed:
        scaled = value * self.rounding.full
        down = self.rounding.mode == "down" or (self.rounding.mode == "either" and self.rng.integers(2))
        if down:
            return Printed(math.floor(scaled), self.rounding)
        # Ties go up or down: tables are made with both habits.
        half = math.floor(scaled + Fraction(1, 2))
        tie = (scaled + Fraction(1, 2)).denominator == 1 and self.rng.integers(2)
        return Printed(half - int(tie), self.rounding)

    def _values(self, shift: float) -> dict[str, list[Fraction]]:
        """Exact [total, strata…] by metric, from one set of outcomes."""
        outcomes = []
        for size in self.sizes:
            concentration = float(np.exp(self.rng.uniform(-2, 4)))
            mean = min(max(self.rng.beta(1, 1) + shift, 0.001), 0.999)
            rates = self.rng.beta(mean * concentration, (1 - mean) * concentration, size)
            outcomes.append(self.rng.binomial(self.samples, rates))
        found = {}
        for metric in self.metrics:
            k = int(metric[5:])
            whole = math.comb(self.samples, k)
            sums = [sum(Fraction(whole - math.comb(self.samples - int(c), k), whole) for c in o) for o in outcomes]
            total = sum(sums, Fraction(0)) / sum(self.sizes)
            found[metric] = [total, *[s / n for s, n in zip(sums, self.sizes, strict=True)]]
        return found

    def _row(self, name: str) -> None:
        arms = {"base": self._values(0.0), "tuned": self._values(0.05)}
        for metric in self.metrics:
            printed = {arm: [self.print(v) for v in values[metric]] for arm, values in arms.items()}
            for arm, cells in printed.items():
                self.lines.append(Line("main", name, arm, metric, "bench", cells[0], tuple(cells[1:])))
            deltas = [
                self._signed(t - b) if self.before_rounding else Printed(pt.ticks - pb.ticks, self.rounding)
                for t, b, pt, pb in zip(
                    arms["tuned"][metric], arms["base"][metric], printed["tuned"], printed["base"], strict=True
                )
            ]
            self.gains.append(Gain("main", name, "tuned", "base", metric, "bench", deltas[0], tuple(deltas[1:])))
            self.gains.append(
                Gain("main", f"{name} alone", "tuned", "base", metric, "bench", deltas[0], tuple(deltas[1:]))
            )

    def _signed(self, value: Fraction) -> Printed:
        size = self.print(abs(value))
        return Printed(size.ticks if value >= 0 else -size.ticks, self.rounding)

    def table(self, lines: list[Line] | None = None, gains: list[Gain] | None = None) -> PublishedTable:
        main = Table(
            "main",
            "Main",
            "made up",
            "base",
            ("base", "tuned"),
            tuple(self.lines if lines is None else lines),
            tuple(self.gains if gains is None else gains),
        )
        return PublishedTable(
            "random", "made up", (), self.rounding, (0.8, 0.95), (self.benchmark,), (main,), (), None, (), ()
        )


@pytest.mark.parametrize("block", range(10))
def test_nothing_is_invented_over_a_thousand_random_consistent_tables(block):
    for seed in range(100 * block, 100 * block + 100):
        findings = find(Maker(seed).table()).findings
        assert not findings, f"seed {seed}: {findings[0]}"


def planted(seed: int, change) -> set[str]:
    """Checks that object once ``change`` has altered the first line that it can alter (empty if it finds none)."""
    made = Maker(seed)
    for i, line in enumerate(made.lines):
        changed = change(made, line)
        if changed is not None:
            lines = [*made.lines[:i], changed, *made.lines[i + 1 :]]
            return {f.check for f in find(made.table(lines, [])).findings}
    return set()


def with_total(line: Line, ticks: int) -> Line:
    return dataclasses.replace(line, total=Printed(ticks, line.total.rounding))


def test_a_total_off_by_three_units_is_found_where_sizes_are_stated():
    tried = 0
    for seed in range(150):
        made = Maker(seed)
        if made.benchmark.sizes is None or len(made.sizes) < 2:
            continue
        tried += 1

        def change(made, line):
            up = line.total.ticks + 3
            return with_total(line, up if up <= made.rounding.full else line.total.ticks - 3)

        assert planted(seed, change) & {"total", "total range"}, seed
    assert tried > 40


def test_a_total_above_all_strata_is_found_whatever_the_sizes():
    tried = 0
    for seed in range(150):

        def change(made, line):
            top = max(s.ticks for s in line.strata)
            return with_total(line, top + 3) if len(made.sizes) > 1 and top + 3 <= made.rounding.full else None

        made = Maker(seed)
        if len(made.sizes) > 1 and any(change(made, x) for x in made.lines):
            tried += 1
            assert "total range" in planted(seed, change), seed
    assert tried > 40


def test_pass_at_k_below_pass_at_1_is_found():
    tried = 0
    for seed in range(150):
        made = Maker(seed)
        firsts = {(x.row, x.arm): x for x in made.lines if x.metric == "pass@1"}

        def change(made, line, firsts=firsts):
            if line.metric == "pass@1" or (below := firsts[line.row, line.arm].total.ticks - 3) < 0:
                return None
            return with_total(line, below)

        if any(change(made, x) for x in made.lines):
            tried += 1
            assert "pass@k pair" in planted(seed, change), seed
    assert tried > 40


def test_a_delta_beyond_rounding_is_found():
    for seed in range(100):
        made = Maker(seed)
        # With rounding to nearest (or all cut off) one unit is possible, with a mixture of the two, two units.
        off = 3 if made.rounding.mode == "either" else 2
        wrong = [
            dataclasses.replace(
                g, total=Printed(by["tuned"].total.ticks - by["base"].total.ticks + off, made.rounding), strata=g.strata
            )
            for g in made.gains
            if (by := {x.arm: x for x in made.lines if (x.row, x.metric) == (g.row, g.metric)})
        ]
        checks = [f.check for f in find(made.table(made.lines, wrong[:1])).findings]
        assert checks == ["delta"], seed


def test_values_between_two_counts_are_found_exactly_where_brute_force_finds_none():
    """Every printable value against every count, for a few designs."""
    for problems, samples in [(7, 3), (31, 10), (40, 2)]:
        rounding = Rounding()
        trials = problems * samples
        reachable = set()
        for c in range(trials + 1):
            exact = Fraction(c * rounding.full, trials)
            reachable |= {math.floor(exact + Fraction(1, 2)), math.ceil(exact - Fraction(1, 2))}
        bench = Benchmark("bench", "Bench", problems, samples)
        for ticks in range(0, rounding.full + 1, 7):
            line = Line("main", "row", "base", "pass@1", "bench", Printed(ticks, rounding))
            table = PublishedTable(
                "t", "s", (), rounding, (0.8, 0.95), (bench,), (Table("main", "", "", "base", ("base",), (line,), ()),),
                (), None, (), (),
            )  # fmt: skip
            assert bool(find(table).findings) == (ticks not in reachable)
