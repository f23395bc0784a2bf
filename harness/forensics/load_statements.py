"""Reading sentences that numbers can be held against, and the settings table."""

from __future__ import annotations

from typing import Literal, cast

from harness.forensics.model import (
    Benchmark,
    Comparison,
    Setting,
    Settings,
    Statement,
    Table,
)
from harness.forensics.reading import Node

_KINDS = {
    "same": ("comparisons",),
    "larger": ("comparisons",),
    "largest_gain": ("table", "metric", "strata"),
    "note": (),
}


def read_statement(node: Node, tables: tuple[Table, ...], known: dict[str, Benchmark]) -> Statement:
    """One entry of ``statements``."""
    node.keys(("kind", "says", "source"), ("comparisons", "table", "metric", "strata"))
    kind = node.get("kind").choice(_KINDS)
    node.keys(("kind", "says", "source", *_KINDS[kind]))
    comparisons = []
    for entry in node.get("comparisons").list():
        entry.keys(("what", "values"))
        values = entry.get("values").list()
        if len(values) != 2:
            raise entry.get("values").fail(f"{len(values)} values: a comparison has two")
        first, second = (v.decimal() for v in values)
        comparisons.append(Comparison(entry.get("what").text(), first, second))
    table = metric = ""
    strata: tuple[str, ...] = ()
    if kind == "largest_gain":
        table = node.get("table").choice(t.name for t in tables)
        lines = next(t.lines for t in tables if t.name == table)
        metric = node.get("metric").choice(sorted({line.metric for line in lines}))
        names = sorted({s for line in lines for s in known[line.benchmark].strata})
        strata = tuple(n.choice(names) for n in node.get("strata").list())
    return Statement(
        kind=cast(Literal["same", "larger", "largest_gain", "note"], kind),
        says=node.get("says").text(),
        source=node.get("source").text(),
        comparisons=tuple(comparisons),
        table=table,
        metric=metric,
        strata=strata,
    )


def read_settings(node: Node) -> Settings | None:
    """The ``settings`` section: per row, the printed settings of each named stage."""
    if node.missing:
        return None
    node.keys(("source", "rows"), ("compare", "product"))
    rows = []
    stages: set[str] = set()
    for row in node.get("rows").list():
        entries = dict(row.items())
        if "name" not in entries:
            raise row.fail("the key 'name' is missing")
        found = tuple(
            (stage, tuple((key, value.text("none")) for key, value in entry.items()))
            for stage, entry in entries.items()
            if stage != "name"
        )
        stages |= {stage for stage, _ in found}
        rows.append(Setting(entries["name"].text(), found))
    pairs: list[tuple[str, ...]] = []
    for key in ("compare", "product"):
        pair = node.get(key)
        names = tuple(n.choice(sorted(stages)) for n in pair.list())
        if names and len(names) != 2:
            raise pair.fail(f"{len(names)} stages: name two")
        pairs.append(names)
    return Settings(node.get("source").text(), pairs[0], pairs[1], tuple(rows))
