"""From a YAML file to a :class:`~harness.forensics.model.PublishedTable` (the schema is in ``docs/forensics.md``)."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from harness.canonical import text_digest
from harness.errors import BadInput
from harness.forensics.load_grids import read_grid
from harness.forensics.load_statements import read_settings, read_statement
from harness.forensics.model import Benchmark, Gain, Line, PublishedTable, Recorded, Table
from harness.forensics.printed import Printed, Rounding, RoundingMode, Unit, samples_drawn
from harness.forensics.reading import Node, nearest, parse

SCHEMA = "published-table/1"
TOTAL = "all"
"""The column name of a benchmark's total, beside its strata."""


def load(path: str | Path) -> PublishedTable:
    """Read and check a published table.

    Raises:
        BadInput: if the file is missing, is not YAML or does not follow the schema.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = nearest(path.name, sorted(p.name for p in path.parent.glob("*.yaml")))
        raise BadInput(f"{path}: no such file{near}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as text ({error})") from None
    return loads(text, path.name)


def loads(text: str, name: str = "table") -> PublishedTable:
    """:func:`load` for a text that is already in memory; ``name`` begins every complaint."""
    root = parse(text, name)
    root.keys(
        ("schema", "title", "source", "benchmarks"),
        ("caveats", "rounding", "assumptions", "tables", "grids", "settings", "statements", "recorded"),
    )
    root.get("schema").choice([SCHEMA])
    rounding = _rounding(root.get("rounding"))
    benchmarks = tuple(_benchmark(key, node) for key, node in root.get("benchmarks").items())
    known = {b.name: b for b in benchmarks}
    tables = tuple(_table(key, node, known, rounding) for key, node in root.get("tables").items())
    grids = tuple(read_grid(key, node, known, rounding) for key, node in root.get("grids").items())
    return PublishedTable(
        title=root.get("title").text(),
        source=root.get("source").text(),
        caveats=root.get("caveats").texts(),
        rounding=rounding,
        correlations=_correlations(root.get("assumptions")),
        benchmarks=benchmarks,
        tables=tables,
        grids=grids,
        settings=read_settings(root.get("settings")),
        statements=tuple(read_statement(n, tables, known) for n in root.get("statements").list()),
        recorded=tuple(_recorded(n) for n in root.get("recorded").list()),
        digest=text_digest(text),
        name=name,
    )


def _rounding(node: Node) -> Rounding:
    if node.missing:
        return Rounding()
    node.keys((), ("decimals", "mode", "unit"))
    decimals = node.get("decimals").optional_integer()
    return Rounding(
        decimals=1 if decimals is None else decimals,
        mode=cast(RoundingMode, node.get("mode").choice(("nearest", "down", "either"), "nearest")),
        unit=cast(Unit, node.get("unit").choice(("percent", "fraction"), "percent")),
    )


def _correlations(node: Node) -> tuple[float, float]:
    if node.missing:
        return (0.8, 0.95)
    node.keys((), ("correlation",))
    pair = node.get("correlation")
    values = [n.number() for n in pair.list()] or [0.8, 0.95]
    if len(values) != 2 or not -1 <= values[0] <= values[1] <= 1:
        raise pair.fail("must be two numbers from -1 to 1, the smaller first")
    return values[0], values[1]


def _benchmark(name: str, node: Node) -> Benchmark:
    node.keys(("problems", "samples"), ("title", "samples_considered", "strata", "source"))
    problems, samples = (node.get(key).optional_integer(1) for key in ("problems", "samples"))
    strata = node.get("strata")
    sizes: tuple[int | None, ...] = ()
    if isinstance(strata.value, list):
        names = strata.texts()
    else:
        names = tuple(key for key, _ in strata.items())
        sizes = tuple(size.optional_integer(1) for _, size in strata.items())
    if TOTAL in names or len(set(names)) != len(names):
        raise strata.fail(f"names must differ from each other and from {TOTAL!r}, the total")
    stated = tuple(s for s in sizes if s is not None)
    if stated and len(stated) != len(names):
        raise strata.fail("give the size of every stratum or of none")
    if stated and sum(stated) != problems:
        raise strata.fail(f"sizes {' + '.join(map(str, stated))} = {sum(stated)} are not problems: {problems}")
    return Benchmark(
        name=name,
        title=node.get("title").text(name),
        problems=problems,
        samples=samples,
        considered=tuple(n.integer(1) for n in node.get("samples_considered").list()),
        strata=names,
        sizes=stated or None,
        source=node.get("source").text(""),
    )


def _table(name: str, node: Node, known: dict[str, Benchmark], rounding: Rounding) -> Table:
    node.keys(("source", "columns", "arms", "rows"), ("title", "benchmark", "metric", "control", "samples"))
    arms = node.get("arms").texts()
    if not arms:
        raise node.get("arms").fail("name at least one arm")
    control = node.get("control").choice(arms, arms[0])
    samples: dict[str, int] = {}
    for arm, count in node.get("samples").items():
        Node(arm, f"{count.path} (arm)").choice(arms)
        samples[arm] = count.integer(1)
    parts = _parts(node, known)
    lines: list[Line] = []
    gains: list[Gain] = []
    for row in node.get("rows").list():
        row.keys(("name",), (*arms, "gains"))
        label = row.get("name").text()
        for arm in arms:
            for metric, values in _metrics(row.get(arm), node):
                for bench, total, strata in _split(values, parts, known, rounding, metric, gain=False):
                    lines.append(Line(name, label, arm, metric, bench, total, strata, samples.get(arm)))
        if not row.get("gains").missing:
            if len(arms) != 2:
                raise row.get("gains").fail("printed gains need exactly two arms")
            treatment = next(a for a in arms if a != control)
            for metric, values in _metrics(row.get("gains"), node):
                for bench, total, strata in _split(values, parts, known, rounding, metric, gain=True):
                    gains.append(Gain(name, label, treatment, control, metric, bench, total, strata))
    return Table(
        name=name,
        title=node.get("title").text(name),
        source=node.get("source").text(),
        control=control,
        arms=arms,
        lines=tuple(lines),
        gains=tuple(gains),
    )


def _parts(node: Node, known: dict[str, Benchmark]) -> list[tuple[str, str]]:
    """What each column is: (benchmark, part)."""
    columns = node.get("columns")
    if node.get("benchmark").missing:
        return [(c.choice(known), TOTAL) for c in columns.list()]
    bench = node.get("benchmark").choice(known)
    return [(bench, c.choice((TOTAL, *known[bench].strata))) for c in columns.list()]


def _metrics(node: Node, table: Node) -> list[tuple[str, Node]]:
    """Metric and values of an arm: a list under the table's own metric, or a mapping from metrics to lists."""
    if node.missing:
        return []
    if isinstance(node.value, list):
        if table.get("metric").missing:
            raise node.fail("a bare list of values needs the table to name its 'metric'")
        return [(_metric(table.get("metric")), node)]
    return [(_metric(Node(key, values.path)), values) for key, values in node.items()]


def _metric(node: Node) -> str:
    name = node.text()
    if samples_drawn(name) is None and name.lower().startswith(("pass", "acc")):
        raise node.fail(f"the metric {name!r} is not known{nearest(name, ('pass@1', 'accuracy'))}")
    return name


def _split(
    values: Node,
    parts: list[tuple[str, str]],
    known: dict[str, Benchmark],
    rounding: Rounding,
    metric: str,
    gain: bool,
) -> list[tuple[str, Printed | None, tuple[Printed | None, ...]]]:
    """Values in column order as (benchmark, total, strata in the benchmark's order)."""
    cells = values.list()
    if len(cells) != len(parts):
        raise values.fail(f"{len(cells)} values for {len(parts)} columns")
    proportion = samples_drawn(metric) is not None and not gain
    read = {part: cell.printed(rounding, proportion) for part, cell in zip(parts, cells, strict=True)}
    found = []
    for bench in dict.fromkeys(b for b, _ in parts):
        strata = tuple(read.get((bench, s)) for s in known[bench].strata)
        total = read.get((bench, TOTAL))
        if total is not None or any(s is not None for s in strata):
            found.append((bench, total, strata))
    return found


def _recorded(node: Node) -> Recorded:
    node.keys(("what", "value", "source"))
    return Recorded(node.get("what").text(), node.get("value").text(), node.get("source").text())
