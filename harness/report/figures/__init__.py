"""Figures of a record, each drawn once with matplotlib and saved for pages (themed SVG) and for papers (SVG, PDF)."""

from harness.report.figures.canvas import Drawing, Rendered, render_all
from harness.report.figures.curves import CurvePoint, CurveSeries, decoding_curves, draw_curves
from harness.report.figures.forest import ForestRow, draw_forest, forest_rows
from harness.report.figures.strata import Stratum, draw_strata, strata
from harness.report.figures.variance import VarianceSplit, draw_variance, variance_split

__all__ = [
    "CurvePoint",
    "CurveSeries",
    "Drawing",
    "ForestRow",
    "Rendered",
    "Stratum",
    "VarianceSplit",
    "decoding_curves",
    "draw_curves",
    "draw_forest",
    "draw_strata",
    "draw_variance",
    "forest_rows",
    "render_all",
    "strata",
    "variance_split",
]
