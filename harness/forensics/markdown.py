"""The report as Markdown: the same bytes for the same file, readable without the program."""

from __future__ import annotations

from collections.abc import Callable

from harness.forensics import sections_checks as checks
from harness.forensics import sections_noise as noise
from harness.forensics._md import join, plural, table
from harness.forensics.finding import ASSUMPTIONS, CERTAINTIES
from harness.forensics.report import CHECKS, Report

SECTIONS: tuple[tuple[str, Callable[[Report], str]], ...] = (
    ("Stratum sizes", checks.sizes),
    ("Totals against strata", checks.totals),
    ("Granularity", checks.granularity),
    ("Lines as a whole", checks.joint),
    ("pass@j and pass@k", checks.pairs),
    ("Gains and deltas", checks.gains),
    ("Sweeps", noise.sweeps),
    ("What the design could detect", noise.design),
    ("Selection", noise.selection),
    ("Settings", noise.settings),
    ("Statements", noise.statements),
    ("Recorded, not checked", noise.recorded),
)

_TERMS = (
    "*Unconditional* findings follow from the printed digits and their rounding. *Conditional* ones need a stated or "
    "recovered fact to hold as well. *Marginal* ones miss by at most a tenth of the last printed digit, or by one "
    "success: the slightest liberty in rounding removes them. *Reading* findings set a sentence or caption, as it was "
    "read, against numbers."
)


def to_markdown(report: Report) -> str:
    """Render ``report``; ends with one newline."""
    t = report.table
    parts = [
        f"# Arithmetic of printed numbers: {t.title}",
        f"Subject: {t.source}. Input: `{t.name}`, SHA-256 `{t.digest[:16]}…`. "
        "Made by `harness forensics`; do not edit by hand.",
        "Each finding is arithmetic about printed numbers: under the facts it names, they cannot all be right "
        "together, or a sentence does not match them. It does not say which number is off, or why: a misprint, another "
        "number of samples, another set of problems, a slip in copying and an unusual rounding all look alike from "
        "here. What is not listed was found consistent or could not be tested.",
        _caveats(report),
        "## Findings",
        _summary(report),
        *_findings(report),
    ]
    for number, (title, render) in enumerate(SECTIONS, 1):
        parts += [f"## {number} {title}", render(report)]
    return "\n\n".join(p for p in parts if p) + "\n"


def _heading(check: str) -> str:
    return check if "@" in check else check.capitalize()


def _caveats(report: Report) -> str:
    if not report.table.caveats:
        return ""
    return "About the input:\n\n" + "\n".join(f"- {c}" for c in report.table.caveats)


def _summary(report: Report) -> str:
    rows = []
    for check, meaning in CHECKS.items():
        mine = [f for f in report.findings if f.check == check]
        looked = report.checked.looked.get(check, 0)
        kinds = [sum(f.certainty == c for f in mine) for c in CERTAINTIES]
        rows.append([check, meaning, f"{looked:,}", *[str(k) if k else "–" for k in kinds]])
    headers = ["Check", "What should hold", "Looked at", *[c.capitalize() for c in CERTAINTIES]]
    return table(headers, rows, 2) + "\n\n" + _TERMS


def _findings(report: Report) -> list[str]:
    if not report.findings:
        return ["**No finding.** Every check passed, or had nothing to test."]
    used = [a for a in ASSUMPTIONS if any(a in f.assumes for f in report.findings)]
    letter = {a: chr(ord("a") + i) for i, a in enumerate(used)}
    parts, number = [], 0
    for check in CHECKS:
        mine = [f for f in report.findings if f.check == check]
        if not mine:
            continue
        lines = []
        for f in mine:
            number += 1
            needs = f" [{', '.join(letter[a] for a in f.assumes)}]" if f.assumes else ""
            lines.append(f"- **F{number}** {f.certainty}{needs}. *{f.where}.* {f.statement}")
        parts.append(f"**{_heading(check)}** ({plural(len(mine), 'finding')}): {CHECKS[check]}.")
        parts.append("\n".join(lines))
    if letter:
        key = join([f"({x}) {ASSUMPTIONS[a]}" for a, x in letter.items()])
        parts.append(f"Facts taken for granted, by letter: {key}.")
    return parts
