"""The report as plain JSON values."""

from __future__ import annotations

from typing import Any

from harness.forensics.design import DeltaNoise
from harness.forensics.report import Report
from harness.forensics.selection import GridSummary


def to_dict(report: Report) -> dict[str, Any]:
    """Every finding and every computed number; proportions are in the table's own unit."""
    t, c = report.table, report.checked
    return {
        "title": t.title,
        "source": t.source,
        "file": t.name,
        "sha256": t.digest,
        "caveats": list(t.caveats),
        "findings": [
            {
                "check": f.check,
                "certainty": f.certainty,
                "where": f.where,
                "statement": f.statement,
                "assumes": list(f.assumes),
                "numbers": f.numbers,
            }
            for f in c.findings
        ],
        "looked_at": dict(c.looked),
        "sizes": {name: _sizes(report, name) for name in c.sizes},
        "totals": [
            {
                **_line(row.line),
                "printed": row.line.total.value if row.line.total else None,
                "implied": row.implied,
                "gap": row.gap,
                "beyond_rounding": row.miss,
            }
            for row in c.totals
        ],
        "cells": [
            {
                **_line(x.line),
                "part": x.part,
                "printed": x.printed.value,
                "problems": list(x.problems),
                "samples": x.samples,
                "stated": x.stated,
                "possible": x.possible,
                "share_attainable": x.share,
            }
            for x in c.cells
        ],
        "joint": [
            {**_line(j.line), "samples": j.samples, "stated": j.stated, "miss_successes": j.miss} for j in c.joint
        ],
        "deltas": {"printed": c.deltas.printed, "exact": c.deltas.exact, "within_rounding": c.deltas.near},
        "samples_not_stated": [
            {
                "table": u.table,
                "benchmark": u.benchmark,
                "metric": u.metric,
                "cells": u.cells,
                "fits": list(u.fits),
                "impossible_at_one": list(u.single),
            }
            for u in report.unstated
        ],
        "noise": [_noise(report, n) for n in report.noise],
        "grids": [_grid(g) for g in report.grids],
        "statements": [
            {
                "says": s.statement.says,
                "source": s.statement.source,
                "kind": s.statement.kind,
                "checked": s.checked,
                "exceptions": list(s.exceptions),
            }
            for s in c.statements
        ],
    }


def _line(line: Any) -> dict[str, str]:
    return {k: getattr(line, k) for k in ("table", "row", "arm", "benchmark", "metric")}


def _sizes(report: Report, name: str) -> dict[str, Any]:
    known = report.checked.sizes[name]
    search = known.search
    return {
        "strata": list(report.table.benchmark(name).strata),
        "splits": known.splits[:100].tolist(),
        "accepted": len(known.splits),
        "usable": known.usable,
        "search": None
        if search is None
        else {
            "splits": search.splits,
            "lines": search.lines,
            "explained": search.explained,
            "next_best": None
            if search.next_best is None
            else {"sizes": list(search.next_best[0]), "explained": search.next_best[1], "ties": search.next_best_count},
        },
    }


def _noise(report: Report, n: DeltaNoise) -> dict[str, Any]:
    scale = report.table.rounding.full / 10**report.table.rounding.decimals
    w = n.widths
    return {
        **_line(n.pair.treatment),
        "control": n.pair.control.arm,
        "part": n.part,
        "delta": n.delta,
        "problems": n.problems,
        "half_width": None
        if w is None
        else {"decoding": w.decoding * scale, "low": w.low * scale, "high": w.high * scale},
        "reading": n.reading,
        "samples_assumed": n.samples_assumed,
    }


def _grid(g: GridSummary) -> dict[str, Any]:
    return {
        "name": g.grid.name,
        "cells": g.cells,
        "maximum": g.maximum,
        "at_maximum": [[c.row, c.column] for c in g.at_maximum],
        "median": g.median,
        "mean": g.mean,
        "above": [{"baseline": n, "value": v, "share": s} for n, v, s in g.above],
        "row_means": dict(g.row_means),
        "reported": [
            {"cell": [c.row, c.column], "note": c.note, "value": v, "rank": k, "neighbours": m}
            for c, v, k, m in g.reported
        ],
        "standard_error": g.standard_error,
        "inflation": {"cell": g.inflation_cell, "grid": g.inflation_grid, "all": g.inflation_all},
        "region": None
        if g.region is None
        else {
            "product_at_most": g.region.limit,
            "cells": g.region.cells,
            "mean": g.region.mean,
            "sd": g.region.sd,
            "chance_one": g.region.chance_one,
            "chance_all": g.region.chance_all,
        },
        "fit": None if g.fit is None else {"r_squared": g.fit.r_squared, "peak": g.fit.peak},
    }
