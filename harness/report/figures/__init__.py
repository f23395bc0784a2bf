"""Figures of a record, each drawn once with matplotlib and saved for pages (themed SVG) and for papers (SVG, PDF)."""

from harness.report.figures.canvas import Drawing, Rendered, render_all
from harness.report.figures.curves import CurvePoint, CurveSeries, decoding_curves, draw_curves
from harness.report.figures.forest import ForestRow, draw_forest, forest_rows
from harness.report.figures.mechanism import (
    ClassTails,
    EntropyChange,
    class_tails,
    draw_class_tails,
    draw_entropy_changes,
    entropy_changes,
)
from harness.report.figures.strata import Stratum, draw_strata, strata
from harness.report.figures.variance import VarianceSplit, draw_variance, variance_split

__all__ = [
    "ClassTails",
    "CurvePoint",
    "CurveSeries",
    "Drawing",
    "EntropyChange",
    "ForestRow",
    "Rendered",
    "Stratum",
    "VarianceSplit",
    "class_tails",
    "decoding_curves",
    "draw_class_tails",
    "draw_curves",
    "draw_entropy_changes",
    "draw_forest",
    "draw_strata",
    "draw_variance",
    "entropy_changes",
    "forest_rows",
    "render_all",
    "strata",
    "variance_split",
]
