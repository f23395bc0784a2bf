"""Sections of the Markdown report on sweeps, noise, selection, settings and statements."""

from __future__ import annotations

from harness.forensics._md import join, plural, table
from harness.forensics.design import DeltaNoise, detectable
from harness.forensics.printed import signed
from harness.forensics.report import Report
from harness.forensics.selection import GridSummary


def _scale(r: Report) -> float:
    return float(r.table.rounding.full / 10**r.table.rounding.decimals)


def _span(low: float, high: float, decimals: int = 1) -> str:
    one, other = f"{low:.{decimals}f}", f"{high:.{decimals}f}"
    return one if one == other else f"{one}–{other}"


def sweeps(r: Report) -> str:
    """Each sweep in figures."""
    if not r.grids:
        return "The file contains no sweep."
    d = r.table.rounding.decimals
    rows = [
        ["Cells", *[str(g.cells) for g in r.grids]],
        ["Each the best of", *[str(g.grid.selected_over) for g in r.grids]],
        ["Maximum", *[f"{g.maximum:.{d}f}" for g in r.grids]],
        ["… at", *["; ".join(f"{c.row} × {c.column}" for c in g.at_maximum[:4]) for g in r.grids]],
        ["Median", *[f"{g.median:.{d + 1}f}" for g in r.grids]],
        ["Mean", *[f"{g.mean:.{d + 1}f}" for g in r.grids]],
    ]
    for name in dict.fromkeys(n for g in r.grids for n, _, _ in g.above):
        found = [{n: (v, s) for n, v, s in g.above}.get(name) for g in r.grids]
        rows.append(
            [f"Above the {name}", *["–" if x is None else f"{100 * x[1]:.0f} % (of {x[0]:.{d}f})" for x in found]]
        )
    rows.append(["Quadratic in the axes' product: R²", *[_fit(g) for g in r.grids]])
    rows.append(["… its peak", *["–" if g.fit is None else f"{g.fit.peak:.2f}" for g in r.grids]])
    text = [
        "A cell is written row value × column value. “Above” is the share of cells that exceed a baseline.",
        table(["", *[g.grid.title for g in r.grids]], rows),
    ]
    for g in r.grids:
        for cell, value, rank, around in g.reported:
            beside = f"; its direct neighbours average {around:.{d + 1}f}" if around is not None else ""
            note = f" ({cell.note})" if cell.note else ""
            text.append(
                f"- {g.grid.title}, {cell.row} × {cell.column}{note}: {value:.{d}f}, rank {rank} of {g.cells}{beside}."
            )
        if g.grid.fit and g.fit:
            f = g.grid.fit
            text.append(
                f"- {g.grid.title}: the publication gives R² = {f.r_squared:g} and a peak near {f.peak:g} "
                f"({f.source}); "
                f"refitted to the printed cells, R² = {g.fit.r_squared:.2f} and the peak is at {g.fit.peak:.2f}."
            )
        means = ", ".join(f"{name}: {mean:.{d}f}" for name, mean in g.row_means)
        text.append(f"- {g.grid.title}, mean by {g.grid.row_name}: {means}.")
    bullets = [t for t in text if t.startswith("- ")]
    return "\n\n".join([*[t for t in text if not t.startswith("- ")], "\n".join(bullets)])


def _fit(g: GridSummary) -> str:
    return "–" if g.fit is None else f"{g.fit.r_squared:.2f}"


def design(r: Report) -> str:
    """Half-widths beside every delta."""
    known = [n for n in r.noise if n.widths is not None]
    if not known:
        return "No delta whose numbers of problems and samples are known."
    low, high = r.table.correlations
    text = [
        "95 % half-widths of a paired difference, in the table's unit. Assumptions: solve rates are beta-distributed "
        "over problems, with the mean that is printed as pass@1 and the spread that gives the printed pass@k; the two "
        f"arms' rates correlate {low:g} to {high:g} over problems (assumed: per-problem results are not published); "
        "one training run, so no training noise; no selection of settings. “Decoding” is the half-width for a claim "
        "about these very problems, “with problems” for a claim about problems like them. Inside: the delta is within "
        "the half-width at both correlations; depends: at one of them; outside: at neither. Where training "
        "changes much, the arms correlate less and half-widths are larger.",
        _counts(r, known),
    ]
    if r.arms:
        firsts = [a for a in r.arms if a.line.metric == "pass@1"]
        for bench in dict.fromkeys(a.line.benchmark for a in firsts):
            mine = [a for a in firsts if a.line.benchmark == bench]
            text.append(
                f"Standard error of one arm's pass@1 on {r.table.benchmark(bench).title}: "
                f"{_span(min(a.decoding for a in mine), max(a.decoding for a in mine), 2)} from decoding, "
                f"{_span(min(a.total for a in mine), max(a.total for a in mine), 2)} with the drawing of problems."
            )
    text.append(_overall(r))
    if any(_flagged(r, n) for n in r.noise):
        text.append("† One of the two totals does not agree with its strata (section 2).")
    if any(n.samples_assumed and n.widths for n in r.noise):
        text.append(
            "‡ Samples per problem are not stated: each problem counts as solved always or never, the widest spread. "
            "Should these be averages over several samples, the half-widths are smaller."
        )
    if strata := _strata(r):
        text.append("The same by stratum: delta (half-width with problems) reading.")
        text.append(strata)
    return "\n\n".join(text)


def _counts(r: Report, known: list[DeltaNoise]) -> str:
    kinds = {k: sum(n.reading == k for n in known) for k in ("outside", "depends", "inside")}
    missing = len(r.noise) - len(known)
    rest = f" {missing} could not be computed (no spread, or problems unknown)." if missing else ""
    return (
        f"Of {plural(len(known), 'delta')}, {kinds['outside']} are outside noise, {kinds['inside']} inside, and for "
        f"{kinds['depends']} it depends on the correlation.{rest}"
    )


def _flagged(r: Report, noise: DeltaNoise) -> bool:
    bad = {id(row.line) for row in r.checked.totals if row.miss}
    return noise.part == "all" and bool({id(noise.pair.treatment), id(noise.pair.control)} & bad)


def _overall(r: Report) -> str:
    scale, d, rows = _scale(r), r.table.rounding.decimals, []
    for n in r.noise:
        if n.part != "all" or n.widths is None:
            continue
        w, line = n.widths, n.pair.treatment
        mde = detectable(w)
        marks = ("†" if _flagged(r, n) else "") + ("‡" if n.samples_assumed else "")
        rows.append(
            [
                f"{line.row} · {line.arm} − {n.pair.control.arm}",
                f"{r.table.benchmark(line.benchmark).title} {line.metric}",
                signed(n.delta, d) + marks,
                "–" if n.samples_assumed else f"{scale * w.decoding:.1f}",
                _span(scale * w.low, scale * w.high),
                _span(scale * mde[0], scale * mde[1]),
                n.reading,
            ]
        )
    headers = ["Row", "Metric", "Delta", "Decoding", "With problems", "Detectable (80 % power)", "Reading"]
    return table(headers, rows, 2)


def _strata(r: Report) -> str:
    scale, d = _scale(r), r.table.rounding.decimals
    names = list(dict.fromkeys(n.part for n in r.noise if n.part != "all"))
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for n in r.noise:
        if n.part == "all":
            continue
        line = n.pair.treatment
        key = (
            f"{line.row} · {line.arm} − {n.pair.control.arm}",
            f"{r.table.benchmark(line.benchmark).title} {line.metric}",
        )
        shown = signed(n.delta, d)
        if n.widths is not None:
            shown += f" ({_span(scale * n.widths.low, scale * n.widths.high)}) {n.reading}"
        lines.setdefault(key, {})[n.part] = shown
    if not lines:
        return ""
    return table(["Row", "Metric", *names], [[*k, *[v.get(n, "–") for n in names]] for k, v in lines.items()], 2)


def selection(r: Report) -> str:
    """How far the best of a sweep rises by noise alone."""
    known = [g for g in r.grids if g.standard_error is not None]
    if not known:
        return "No sweep with stated problems and samples and with pass@1 beside another pass@k."
    d = r.table.rounding.decimals + 1
    rows = [
        [
            g.grid.title,
            f"{g.standard_error:.2f}",
            f"{g.grid.selected_over}",
            f"{g.inflation_cell:+.{d}f}",
            f"{g.inflation_grid:+.{d}f}",
            f"{g.inflation_all:+.{d}f}",
            f"{g.maximum - g.median:+.{d}f}",
        ]
        for g in known
    ]
    text = [
        "If every setting were equally good, the best printed cell would still lie above the typical one. Expected "
        "rise of a maximum over that many independent scores with decoding noise alone (fitted to the sweep's median "
        "scores as in section 8; normal noise). Cells that share seeds rise less, and training noise adds to it. The "
        "last column also contains whatever real differences there are between settings.",
        table(
            [
                "Sweep",
                "SE of a score",
                "Candidates a cell",
                "Best of a cell's candidates",
                "Best of the sweep, one score a cell",
                "Best of all candidates",
                "Printed maximum − median",
            ],
            rows,
        ),
    ]
    for g in (g for g in r.grids if g.region):
        x = g.region
        if x is None:
            continue
        text.append(
            f"- {g.grid.title}, cells with {g.grid.row_name} × {g.grid.column_name} ≤ {x.limit:g}: {x.cells} cells, "
            f"mean {x.mean:.{d}f}, standard deviation {x.sd:.2f}. If that scatter were all noise (each cell the "
            f"best of {g.grid.selected_over} normal scores, cells independent), one of these cells would reach the "
            f"sweep's maximum of {g.maximum:.{d - 1}f} with probability {_percent(x.chance_one)}"
            + (f", and {x.at_maximum}, as many as do, with {_percent(x.chance_all)}." if x.at_maximum > 1 else ".")
        )
    bullets = [t for t in text if t.startswith("- ")]
    return "\n\n".join([*[t for t in text if not t.startswith("- ")], "\n".join(bullets)]).rstrip()


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def settings(r: Report) -> str:
    """What was held equal between the arms, and what was not."""
    s = r.table.settings
    if s is None:
        return "The file contains no settings."
    stages = list(dict.fromkeys(name for row in s.rows for name, _ in row.stages))
    rows, differing = [], dict[str, list[str]]()
    for row in s.rows:
        by = {name: dict(values) for name, values in row.stages}
        shown = [", ".join(f"{k} {v}" for k, v in by[n].items()) if n in by else "–" for n in stages]
        unequal: list[str] = []
        if s.compare:
            one, other = (by.get(n, {}) for n in s.compare)
            unequal = [k for k in one if k in other and one[k] != other[k]]
            for key in unequal:
                differing.setdefault(key, []).append(row.row)
        product = _product(by, s.product)
        rows.append([row.row, *shown, ", ".join(unequal) or "–", product])
    headers = ["Row", *stages, f"Differs, {' and '.join(s.compare)}" if s.compare else "Differs"]
    headers.append(f"Temperature product, {' × '.join(s.product)}" if s.product else "Product")
    text = [f"Source: {s.source}.", table(headers, rows, len(headers))]
    if differing:
        said = [f"{key} in {len(names)} of {len(s.rows)} rows" for key, names in differing.items()]
        text.insert(0, f"The compared arms differ in {join(said)}.")
    return "\n\n".join(text)


def _product(by: dict[str, dict[str, str]], stages: tuple[str, ...]) -> str:
    try:
        values = [float(by[n]["temperature"]) for n in stages]
    except (KeyError, ValueError):
        return "–"
    return f"{values[0] * values[1]:.2f}" if len(values) == 2 else "–"


def statements(r: Report) -> str:
    """Every sentence with its outcome."""
    if not r.checked.statements:
        return "The file contains no statements."
    rows = []
    for o in r.checked.statements:
        good = o.checked - len(o.exceptions)
        outcome = "recorded, not computed" if not o.checked else f"{good} of {o.checked} comparisons agree"
        rows.append([o.statement.says, o.statement.source, outcome])
    return table(["Statement", "Source", "Outcome"], rows, 3)


def recorded(r: Report) -> str:
    """Numbers kept without a check."""
    if not r.table.recorded:
        return "None."
    return table(["What", "Value", "Source"], [[x.what, x.value, x.source] for x in r.table.recorded], 3)
