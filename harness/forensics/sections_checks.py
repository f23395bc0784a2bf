"""Sections of the Markdown report that lay out what the checks looked at: sizes, totals, granularity, pairs, gains."""

from __future__ import annotations

import math
from itertools import groupby

from harness.forensics._md import join, plural, spans, table
from harness.forensics.cells import CellResult, feasible_samples
from harness.forensics.gains import implied_gain
from harness.forensics.granularity import MAX_SAMPLES, attainable_share
from harness.forensics.model import Benchmark
from harness.forensics.printed import samples_drawn, signed
from harness.forensics.report import Report
from harness.forensics.totals import TotalRow


def sizes(r: Report) -> str:
    """Stated or recovered stratum sizes, how unique they are, and what independent rows say about them."""
    rows, notes = [], []
    for name, known in r.checked.sizes.items():
        bench = r.table.benchmark(name)
        shown = [" / ".join(map(str, s)) for s in known.splits[:3].tolist()]
        found = shown[0] if known.unique else f"{len(known.splits):,} splits, e.g. {'; '.join(shown)}"
        if known.search is None:
            rows.append([bench.title, str(bench.problems), found, "stated", "–", "–"])
            continue
        s = known.search
        rival = "–"
        if s.next_best:
            more = f" (and {s.next_best_count - 1} more)" if s.next_best_count > 1 else ""
            rival = f"{' / '.join(map(str, s.next_best[0]))} with {s.next_best[1]}{more}"
        rows.append(
            [
                bench.title,
                str(bench.problems),
                f"**{found}**" if known.usable else f"{found} (not used: explains too few lines)",
                f"{s.explained} of {s.lines}",
                rival,
                f"{s.splits:,}",
            ]
        )
        if known.search is not None and not known.unique:
            notes.append(f"{bench.title}: several splits fit equally well; a check objects only where all of them do.")
    if not rows:
        return "No benchmark in this file has strata with totals to weigh against them."
    names = {b.name: b for b in r.table.benchmarks}
    order = [f"{names[n].title}: {' / '.join(names[n].strata)}" for n in r.checked.sizes]
    text = [
        f"Sizes are in the order {'; '.join(order)}. A split explains a line if some values that print as the strata "
        "average, with those sizes, to some value that prints as the total. Where sizes are not stated, every split of "
        "the problems into non-empty strata was tried on every line that prints a total and all strata. The sizes then "
        "come from the table they are used on; what speaks for them is that a few free sizes explain many lines, and "
        "how far the next best split falls behind.",
        table(["Benchmark", "Problems", "Sizes", "Lines explained", "Next best", "Splits tried"], rows),
        *notes,
    ]
    if confirmations := _confirmations(r):
        text.append(
            "Rows of gains whose arms' strata are not printed took no part in the search, so they test its result:"
        )
        text.append("\n".join(f"- {c}" for c in confirmations))
    return "\n\n".join(text)


def _confirmations(r: Report) -> list[str]:
    complete = {(x.table, x.row, x.metric) for x in r.table.lines if x.complete}
    found = []
    for gain in (g for t in r.table.tables for g in t.gains):
        known = r.checked.sizes.get(gain.benchmark)
        if known is None or known.search is None or not known.usable or gain.total is None:
            continue
        if (gain.table, gain.row, gain.metric) in complete:
            continue
        implied = implied_gain(gain, known)
        if implied is None:
            continue
        strata = ", ".join(s.signed for s in gain.strata if s is not None)
        found.append(f"{gain.where}: {strata} imply {signed(implied, 2)}; printed {gain.total.signed}.")
    return found


def totals(r: Report) -> str:
    """Printed against implied totals, one table a benchmark."""
    text = [
        "Implied totals use the sizes of section 1. The gap is printed − implied; bold gaps are beyond what rounding "
        "of all printed numbers can explain."
    ]
    for bench in r.table.benchmarks:
        rows = [row for row in r.checked.totals if row.line.benchmark == bench.name]
        if not rows:
            continue
        metrics = list(dict.fromkeys(row.line.metric for row in rows))
        headers = ["Row", "Arm", *[f"{m} {x}" for m in metrics for x in ("printed", "implied", "gap")]]
        body = []
        for (name, arm), group in groupby(rows, key=lambda row: (row.line.row, row.line.arm)):
            by = {row.line.metric: row for row in group}
            body.append([name, arm, *[x for m in metrics for x in (_total_cells(by[m]) if m in by else ["–"] * 3)]])
        bad = sum(row.miss > 0 for row in rows)
        text.append(f"**{bench.title}**: {plural(len(rows), 'total')}, {bad or 'none'} beyond rounding.")
        text.append(table(headers, body, 2))
    return "\n\n".join(text) if len(text) > 1 else "No line prints a total and all its strata with known sizes."


def _total_cells(row: TotalRow) -> list[str]:
    decimals = row.line.total.rounding.decimals if row.line.total else 1
    gap = signed(row.gap, decimals + 2)
    printed = row.line.total.text if row.line.total else "–"
    return [printed, f"{row.implied:.{decimals + 1}f}", f"**{gap}**" if row.miss else gap]


def granularity(r: Report) -> str:
    """How sharp the test is, how each arm fares, and what fits where n is not stated."""
    text = [
        "With N problems and n samples each, pass@1 is a whole number over N·n. The share is how many of all values "
        "with these decimals could occur: at 100 % the test cannot object to anything. Counts are cells that could "
        "occur out of cells printed (pass@1)."
    ]
    cells = [c for c in r.checked.cells if samples_drawn(c.line.metric) == 1 and c.line.arm != "sweep"]
    rows = []
    arms = list(dict.fromkeys(c.line.arm for c in cells))
    for bench in r.table.benchmarks:
        here = [c for c in cells if c.line.benchmark == bench.name]
        for samples in dict.fromkeys(c.samples for c in here):
            for part in ("all", *bench.strata):
                group = [c for c in here if c.samples == samples and c.part == part]
                if group:
                    rows.append(_share_row(bench, samples, part, group, arms))
    if rows:
        text.append(table(["Benchmark", "n", "Part", "N", "Share attainable", *arms], rows, 4))
        text += _luck(r, cells, arms)
    text += _others(r)
    if r.unstated:
        text.append(
            f"Where the number of samples is not stated, every n from 1 to {MAX_SAMPLES} was tried; listed are those "
            "that can produce all cells of the column. Problem counts are the file's, and a failure at n = 1 may as "
            "well mean another problem count."
        )
        body = []
        for u in r.unstated:
            problems = r.table.benchmark(u.benchmark).problems
            blind = attainable_share(r.table.rounding, problems or 1, 1)
            body.append(
                [
                    r.table.benchmark(u.benchmark).title,
                    str(problems),
                    str(u.cells),
                    spans(u.fits) or "none",
                    f"{100 * blind:.0f} %",
                    ", ".join(u.single) or "–",
                ]
            )
        headers = ["Benchmark", "N", "Cells", "n that fit all", "Share attainable at n = 1", "Not possible at n = 1"]
        text.append(table(headers, body))
    return "\n\n".join(text)


def _share_row(bench: Benchmark, samples: int, part: str, group: list[CellResult], arms: list[str]) -> list[str]:
    share = group[0].share
    counts = []
    for arm in arms:
        mine = [c for c in group if c.line.arm == arm]
        good = sum(c.possible for c in mine)
        text = f"{good} of {len(mine)}" if mine else "–"
        counts.append(f"**{text}**" if good < len(mine) else text)
    stated = "" if group[0].stated else " (asked about)"
    problems = " or ".join(map(str, group[0].problems)) if len(group[0].problems) <= 3 else "several"
    return [
        bench.title,
        f"{samples}{stated}",
        part,
        problems,
        "–" if share is None else f"{100 * share:.0f} %",
        *counts,
    ]


def _luck(r: Report, cells: list[CellResult], arms: list[str]) -> list[str]:
    """What passing is worth: the chance of it had the last digits been arbitrary."""
    said = []
    for bench in r.table.benchmarks:
        for arm in arms:
            mine = [
                c
                for c in cells
                if c.line.benchmark == bench.name and c.line.arm == arm and c.stated and c.share and c.share < 0.95
            ]
            if len(mine) > 2 and all(c.possible for c in mine):
                chance = math.prod(c.share or 1.0 for c in mine)
                if chance > 0.05:
                    continue
                said.append(
                    f"All {len(mine)} testable cells of {arm} on {bench.title} could occur at n = {mine[0].samples}; "
                    f"with arbitrary last digits the chance of that would be {chance:.1g}. This speaks for that n"
                    + (" and for the recovered sizes." if bench.strata and not bench.sizes else ".")
                )
    return said


def _others(r: Report) -> list[str]:
    """One sentence on cells of pass@k with k above 1, one on sweeps."""
    stated = [c for c in r.checked.cells if c.stated]
    groups = {
        "pass@k cells with k above 1 in tables": [
            c for c in stated if samples_drawn(c.line.metric) != 1 and c.line.arm != "sweep"
        ],
        "sweep cells": [c for c in stated if c.line.arm == "sweep"],
    }
    return [
        f"Of {len(group):,} {name}, {sum(c.possible for c in group):,} could occur at the stated n."
        for name, group in groups.items()
        if group
    ]


def joint(r: Report) -> str:
    """Rows as a whole: do the strata's whole successes add up to the total's?"""
    lines = {id(j.line): j.line for j in r.checked.joint}
    if not lines:
        return "No pass@1 line with known sizes and a stated number of samples."
    asked = list(dict.fromkeys(j.samples for j in r.checked.joint))
    body = []
    for key, line in lines.items():
        by = {j.samples: j for j in r.checked.joint if id(j.line) == key}
        if not any(j.miss for j in by.values()):
            continue
        fits = feasible_samples(line, r.checked.sizes[line.benchmark])
        body.append(
            [
                f"{line.row} · {line.arm} · {r.table.benchmark(line.benchmark).title}",
                *[_miss(by[n].miss) if n in by else "–" for n in asked],
                spans(fits) or "none",
            ]
        )
    count = len(lines) - len(body)
    stated = sum(j.miss == 0 for j in r.checked.joint if j.stated)
    text = (
        f"Strata and total of one pass@1 line come from the same successes. Of {plural(len(lines), 'line')}, "
        f"{stated} can occur as a whole at the stated n, and {count} at every n asked about."
    )
    if not body:
        return text
    headers = ["Line", *[f"n = {n}" for n in asked], f"All n up to {MAX_SAMPLES} that work"]
    return f"{text} The rest, with the number of successes by which strata and total stay apart:\n\n" + table(
        headers, body
    )


def _miss(miss: int) -> str:
    return "possible" if miss == 0 else f"off by {miss}"


def pairs(r: Report) -> str:
    """What was compared; objections are findings."""
    found = sum(f.check == "pass@k pair" for f in r.findings)
    return (
        f"{plural(r.checked.looked['pass@k pair'], 'pair')} of pass@j and pass@k of the same cell were compared, "
        f"sweeps included: {plural(found, 'finding')}. For every n, pass@j ≤ pass@k ≤ (k/j)·pass@j. At a "
        "stated n the number of successes bounds pass@k from both sides (spread evenly over problems, or piled on as "
        "few as possible)."
    )


def gains(r: Report) -> str:
    """Deltas and weightings in one paragraph."""
    d = r.checked.deltas
    beyond = d.printed - d.exact - d.near
    text = (
        f"{plural(d.printed, 'printed delta')}: {d.exact} equal the difference of the printed values, {d.near} "
        f"differ by no more than rounding allows (a delta may have been taken before it), {beyond} by more. "
        f"{plural(r.checked.looked['gain weighting'], 'row')} of gains were tested against the range of their strata's "
        "gains"
    )
    found = [f for f in r.findings if f.check == "gain weighting"]
    never = [f.where.split(" · ")[1] for f in found if f.certainty == "unconditional"]
    text += f"; no weighting gives the overall gain of {join(never)}." if never else "; all lie inside."
    others = [f.where.split(" · ")[1] for f in found if f.certainty != "unconditional"]
    return text + (f" The sizes of section 1 do not give that of {join(others)}." if others else "")
