"""Reading a sweep grid."""

from __future__ import annotations

from harness.forensics.model import Benchmark, Cell, Grid, ProductFit
from harness.forensics.printed import Rounding, samples_drawn
from harness.forensics.reading import Node


def read_grid(name: str, node: Node, known: dict[str, Benchmark], rounding: Rounding) -> Grid:
    """One entry of ``grids``."""
    node.keys(
        ("source", "metric", "benchmark", "rows", "columns", "cells"),
        ("title", "settings", "selected_over", "baselines", "reported", "region", "fit", "group"),
    )
    row_name, rows = _axis(node.get("rows"))
    column_name, columns = _axis(node.get("columns"))
    metric = node.get("metric").text()
    proportion = samples_drawn(metric) is not None
    lists = [line.list() for line in node.get("cells").list()]
    if [len(line) for line in lists] != [len(columns)] * len(rows):
        shape = " ".join(str(len(line)) for line in lists)
        raise node.get("cells").fail(f"must be {len(rows)} rows of {len(columns)} values; row lengths are {shape}")
    reported = []
    for cell in node.get("reported").list():
        cell.keys(("row", "column"), ("note",))
        reported.append(
            Cell(cell.get("row").choice(rows), cell.get("column").choice(columns), cell.get("note").text(""))
        )
    return Grid(
        name=name,
        title=node.get("title").text(name),
        source=node.get("source").text(),
        metric=metric,
        benchmark=node.get("benchmark").choice(known),
        row_name=row_name,
        rows=rows,
        column_name=column_name,
        columns=columns,
        cells=tuple(tuple(cell.printed(rounding, proportion) for cell in line) for line in lists),
        settings=tuple((key, value.text()) for key, value in node.get("settings").items()),
        selected_over=node.get("selected_over").optional_integer(1) or 1,
        baselines=tuple((k, v.some_printed(rounding, proportion)) for k, v in node.get("baselines").items()),
        reported=tuple(reported),
        region=_region(node.get("region")),
        fit=_fit(node.get("fit")),
        group=node.get("group").text(name),
    )


def _axis(node: Node) -> tuple[str, tuple[str, ...]]:
    node.keys(("name", "values"))
    values = node.get("values").texts()
    if len(set(values)) != len(values) or not values:
        raise node.get("values").fail("must be a list of different values")
    return node.get("name").text(), values


def _region(node: Node) -> float | None:
    if node.missing:
        return None
    node.keys(("product_at_most",))
    return node.get("product_at_most").number()


def _fit(node: Node) -> ProductFit | None:
    if node.missing:
        return None
    node.keys(("r_squared", "peak", "source"))
    return ProductFit(node.get("r_squared").number(), node.get("peak").number(), node.get("source").text())
