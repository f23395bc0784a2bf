"""``docs/calibration.md`` and its table of every cell, from simulated results."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.stats.calibration import figures
from harness.stats.calibration.judge import Promise, Results, promises, regime
from harness.stats.calibration.prose import TEMPLATE
from harness.stats.calibration.studies import Row

METHODS = ("recommended", "t", "bca", "percentile")


def _p(value: float) -> str:
    return f"{100 * value:.1f}"


def _span(values: Sequence[float]) -> str:
    return f"{_p(min(values))} … {_p(max(values))}" if values else "–"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def _cell(row: Row) -> str:
    c = row.cell
    seeds = f", {c.seeds} seeds of SD {c.seed_sd:g}" if c.seeds > 1 else ""
    return f"{c.world}, rates near {c.shape}, {c.problems} problems × {c.samples} samples, pass@{row.k}{seeds}"


def _promises(judged: Sequence[Promise]) -> list[str]:
    rows = []
    for p in judged:
        kept = len(p.values) - len(p.broken)
        rows.append([p.name, p.bound, f"{kept} of {len(p.values)}", f"{_p(min(p.values))} … {_p(max(p.values))}"])
    return _table(["promise", "bound", "cells that keep it", "range over cells, %"], rows)


def _broken(judged: Sequence[Promise]) -> list[str]:
    rows = [[p.name, p.bound, _cell(r), _p(v)] for p in judged for r, v in p.broken]
    if not rows:
        return ["Every cell keeps its promise."]
    return _table(["promise", "bound", "cell", "measured, %"], rows)


def _paper(results: Results) -> list[str]:
    rows = []
    for r in results.paired:
        c = r.cell
        if c.problems == 131 and c.samples == 10 and c.shape == "50 %":
            label = f"{'paired, ' + c.world if r.study == 'contrast' else 'one arm'}, pass@{r.k}"
            rows.append([label, *(_p(r.rates[m]) for m in METHODS)])
    return _table(["131 problems × 10 samples", *METHODS], rows)


def _sparse(results: Results) -> list[str]:
    rows = []
    for r in results.paired:
        if r.study == "mean" and r.cell.problems == 31 and r.cell.shape in ("1 %", "95 %") and r.k == 1:
            label = f"rates near {r.cell.shape}, {r.cell.samples} samples ({regime(r)})"
            rows.append([label, *(_p(r.rates[m]) for m in METHODS)])
    return _table(["one arm, 31 problems", *METHODS], rows)


def _seeds(results: Results) -> list[str]:
    methods = ("over seeds", "these models", "bca", "t over seeds only")
    rows = []
    for count in sorted({r.cell.seeds for r in results.seeds}):
        for sd in sorted({r.cell.seed_sd for r in results.seeds}):
            chosen = [r for r in results.seeds if r.cell.seeds == count and r.cell.seed_sd == sd]
            spans = []
            for m in methods:
                values = [r.rates[m] for r in chosen]
                spans.append(f"{_p(min(values))} … {_p(max(values))}")
            rows.append([str(count), f"{sd:g}", *spans])
    return _table(["seeds", "SD of seed effect, logits", *methods], rows)


def _clusters(results: Results) -> list[str]:
    rows = [
        [f"{r['problems']:.0f}", f"{r['clusters']:.0f}", _p(r["t over clusters"]), _p(r["t over problems"])]
        for r in results.clusters
    ]
    return _table(["problems", "clusters", "t over clusters, %", "t over problems, %"], rows)


def _strata(results: Results) -> list[str]:
    rows = []
    for r in results.strata:
        gains = {k: float(v) for k, v in r.items() if k not in ("shape", "strata", "rejects", "welch")}
        shown = ", ".join(f"{k} {100 * v:+.1f}" for k, v in gains.items())
        rates = [_p(float(r["rejects"])), _p(float(r["welch"]))]
        rows.append([str(r["shape"]), f"{r['strata']} samples", *rates, shown])
    header = ["rates near", "strata from", "test rejects, %", "Welch's F alone, %", "apparent gains, points"]
    return _table(header, rows)


def _selection(results: Results) -> list[str]:
    gains = ("apparent gain", "cross-fitted gain", "bootstrap optimism")
    rows = [
        [f"{r['settings']:.0f}", *(f"{100 * r[g]:+.2f}" for g in gains), _p(r["coverage"])] for r in results.selection
    ]
    return _table(["settings", *(f"{g}, points" for g in gains), "coverage, %"], rows)


def markdown(results: Results) -> str:
    """The report."""
    judged = promises(results)
    plain = [r.rates["reject plain TOST"] for r in results.paired if "reject plain TOST" in r.rates]
    bca = [r.rates["bca"] for r in results.paired if r.study == "contrast" and regime(r) == "standard"]
    heavy = [r for r in results.paired if r.counted >= 0.95 and regime(r) != "standard"]
    blocks = {
        "promises": _promises(judged),
        "broken": _broken(judged),
        "paper": _paper(results),
        "sparse": _sparse(results),
        "seeds": _seeds(results),
        "clusters": _clusters(results),
        "strata": _strata(results),
        "selection": _selection(results),
    }
    return TEMPLATE.format(
        replicates=f"{results.replicates:,}",
        resamples=f"{results.resamples:,}",
        seed=results.seed,
        error=f"{100 * (0.05 * 0.95 / results.replicates) ** 0.5:.2f}",
        kept=sum(p.kept for p in judged),
        judged=len(judged),
        bca=_p(min(bca)),
        plain=_p(max(plain)),
        heavy=len(heavy),
        heavy_plain=_span([r.rates["t" if r.study == "contrast" else "score"] for r in heavy]),
        heavy_covers=_span([r.rates["recommended"] for r in heavy]),
        crossed=_p(results.nesting["crossed"]),
        nested=_p(results.nesting["nested"]),
        twice=_p(results.nesting["noise added twice"]),
        selection_replicates=f"{results.selection[0]['replicates']:,.0f}",
        **{name: "\n".join(lines) for name, lines in blocks.items()},
    )


def cells_csv(results: Results) -> str:
    """One line per study, cell and k, with every rate measured."""
    rows = [*results.paired, *results.seeds]
    rates = sorted({name for r in rows for name in r.rates})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    fixed = ["study", "world", "shape", "problems", "samples", "seeds", "seed_sd", "interaction_sd", "k"]
    fixed += ["regime", "enough", "counted"]
    writer.writerow([*fixed, *rates])
    for r in rows:
        c = r.cell
        head = [r.study, c.world, c.shape, c.problems, c.samples, c.seeds, c.seed_sd, c.interaction_sd, r.k, regime(r)]
        measured = [f"{r.rates[name]:.4f}" if name in r.rates else "" for name in rates]
        writer.writerow([*head, f"{r.enough:.4f}", f"{r.counted:.4f}", *measured])
    return stream.getvalue()


def write(results: Results, folder: Path) -> None:
    """Write the report, its figures and the table of cells below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "calibration.md").write_text(markdown(results), encoding="utf-8")
    (folder / "calibration.csv").write_text(cells_csv(results), encoding="utf-8")
    figures.coverage(results, folder / "figures" / "calibration_coverage.svg")
    figures.type_one(results, folder / "figures" / "calibration_type_one.svg")
    figures.seeds(results, folder / "figures" / "calibration_seeds.svg")
    figures.pitfalls(results, folder / "figures" / "calibration_pitfalls.svg")
