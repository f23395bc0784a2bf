"""Figures of the calibration report, as SVG that is the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.stats.calibration.judge import HIGH, LOW, TYPE_ONE, Results, regime
from harness.stats.calibration.studies import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"recommended": "#0b6e4f", "t": "#d1495b", "bca": "#edae49", "percentile": "#00798c"}
MARKS = {"standard": "o", "mixed": "s", "sparse": "^"}


def _new(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "calibration", "font.size": 9, "axes.grid": True, "grid.alpha": 0.25})
    return plt.subplots(rows, columns, figsize=size, squeeze=False)


def _save(figure: Figure, path: Path) -> None:
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _coverage_panel(axis: Any, rows: Sequence[Row], method: str, title: str) -> None:
    sizes = sorted({r.cell.problems for r in rows})
    for row in rows:
        # A fixed offset by samples per problem keeps points apart without randomness.
        samples = sorted({r.cell.samples for r in rows})
        offset = (samples.index(row.cell.samples) + 0.5) / len(samples) - 0.5
        axis.plot(
            sizes.index(row.cell.problems) + 0.7 * offset,
            100 * row.rates[method],
            MARKS[regime(row)],
            color=COLOURS[method],
            markersize=4,
            alpha=0.7,
            markeredgewidth=0,
        )
    axis.axhspan(100 * LOW, 100 * HIGH, color="#0b6e4f", alpha=0.08, linewidth=0)
    axis.axhline(95, color="black", linewidth=0.7)
    axis.set_xticks(range(len(sizes)), [str(s) for s in sizes])
    axis.set_title(title, fontsize=9)
    axis.set_ylim(79, 100.5)


def coverage(results: Results, path: Path) -> None:
    """Coverage of four intervals in every cell, for paired contrasts and for single arms."""
    figure, axes = _new(2, 4, (11, 5.6))
    for i, (study, label) in enumerate((("contrast", "paired"), ("mean", "single arm"))):
        rows = [r for r in results.paired if r.study == study]
        for j, method in enumerate(COLOURS):
            _coverage_panel(axes[i][j], rows, method, f"{label}: {method}")
        axes[i][0].set_ylabel("coverage, %")
    for axis in axes[1]:
        axis.set_xlabel("problems")
    _save(figure, path)


def type_one(results: Results, path: Path) -> None:
    """Type-I error of each test in every null cell."""
    tests = ("reject sign flip", "reject t", "reject McNemar", "reject TOST", "reject plain TOST")
    labels = ("sign flip", "paired t", "McNemar", "TOST, guarded", "TOST, plain t")
    figure, axes = _new(1, 1, (8, 3.4))
    axis = axes[0][0]
    for i, test in enumerate(tests):
        values = [100 * r.rates[test] for r in results.paired if r.study == "contrast" and test in r.rates]
        for j, value in enumerate(sorted(values)):
            axis.plot(i - 0.35 + 0.7 * (j + 0.5) / len(values), value, "o", color="#00798c", markersize=3, alpha=0.7)
    axis.axhline(100 * TYPE_ONE, color="#d1495b", linewidth=0.9, linestyle="--")
    axis.axhline(5, color="black", linewidth=0.7)
    axis.set_xticks(range(len(tests)), labels)
    axis.set_ylabel("rejections of a true null, %")
    _save(figure, path)


def seeds(results: Results, path: Path) -> None:
    """Coverage with several training seeds, by the size of the seed effect."""
    methods = {"over seeds": "#0b6e4f", "these models": "#d1495b", "bca": "#edae49", "t over seeds only": "#00798c"}
    counts = sorted({r.cell.seeds for r in results.seeds})
    figure, axes = _new(1, len(counts), (10, 3.4))
    for axis, count in zip(axes[0], counts, strict=True):
        rows = [r for r in results.seeds if r.cell.seeds == count]
        deviations = sorted({r.cell.seed_sd for r in rows})
        for k, (method, colour) in enumerate(methods.items()):
            for row in rows:
                x = deviations.index(row.cell.seed_sd) + 0.15 * (k - 1.5)
                axis.plot(x, 100 * row.rates[method], "o", color=colour, markersize=4, alpha=0.6, markeredgewidth=0)
            axis.plot([], [], "o", color=colour, markersize=4, label=method)
        axis.axhline(95, color="black", linewidth=0.7)
        axis.set_xticks(range(len(deviations)), [f"{d:g}" for d in deviations])
        axis.set_title(f"{count} seeds", fontsize=9)
        axis.set_xlabel("SD of the seed effect, logits")
    axes[0][0].set_ylabel("coverage of the procedure's mean, %")
    axes[0][0].legend(fontsize=7, loc="lower left")
    _save(figure, path)


def pitfalls(results: Results, path: Path) -> None:
    """Apparent gains by stratum when nothing changed, and of the best of several equal settings."""
    figure, axes = _new(1, 2, (9, 3.2))
    left, right = axes[0]
    rows = [r for r in results.strata if r["shape"] == "50 %"]
    names = ("hard", "medium", "easy")
    for i, row in enumerate(rows):
        heights = [100 * float(row[n]) for n in names]
        colour = "#0b6e4f" if row["strata"] == "separate" else "#d1495b"
        left.bar(
            [j + 0.38 * (i - 0.5) for j in range(3)], heights, 0.36, color=colour, label=f"{row['strata']} samples"
        )
    left.axhline(0, color="black", linewidth=0.7)
    left.set_xticks(range(3), names)
    left.set_ylabel("apparent gain, points (truth: 0)")
    left.set_title("strata made from …", fontsize=9)
    left.legend(fontsize=7)
    settings = [int(r["settings"]) for r in results.selection]
    for name, colour in (("apparent gain", "#d1495b"), ("cross-fitted gain", "#0b6e4f")):
        right.plot(settings, [100 * r[name] for r in results.selection], "o-", color=colour, label=name)
    right.axhline(0, color="black", linewidth=0.7)
    right.set_xscale("log")
    right.set_xticks(settings, [str(s) for s in settings])
    right.minorticks_off()
    right.set_xlabel("equally good settings tried")
    right.set_ylabel("gain of the best, points (truth: 0)")
    right.legend(fontsize=7)
    _save(figure, path)
