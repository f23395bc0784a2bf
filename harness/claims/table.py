"""The claims with their computed statuses as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.claims.catalogue import STATUSES
from harness.claims.status import ClaimStatus

SIDES = {
    "paper": "Claims of the paper",
    "critic": "Counter-claims and open questions",
    "ours": "Our own claims",
}


def render(statuses: Sequence[ClaimStatus]) -> str:
    """One table a group, statuses first counted, then shown, then what each decided or inconclusive one rests on."""
    lines = ["# Claims", "", _tally(statuses), ""]
    lines += [
        "A status is computed from committed records of an evidence scale, made from a clean commit; the rule is in "
        "`harness/claims/status.py`. Most published claims are about models that no committed record ran; those stay "
        "untested, whatever happens on other models.",
        "",
    ]
    for side, title in SIDES.items():
        mine = [s for s in statuses if s.claim.side == side]
        if mine:
            lines += [f"## {title}", "", *_groups(mine)]
    lines += _grounds([s for s in statuses if s.results])
    return "\n".join(lines).rstrip("\n") + "\n"


def summary(statuses: Sequence[ClaimStatus]) -> str:
    """For README: how many claims stand how, and each that records say something about."""
    from harness.report.tables import markdown_table

    lines = [_tally(statuses), ""]
    found = [s for s in statuses if s.results]
    if found:
        header = ["claim", "statement", "as published", "status"]
        rows = [[f"`{s.claim.id}`", *map(_cell, (s.claim.statement, s.claim.quote, s.status))] for s in found]
        lines += markdown_table(header, rows)
    return "\n".join(lines).rstrip("\n") + "\n"


def as_json(s: ClaimStatus) -> dict[str, object]:
    """A claim and its status as plain JSON types."""
    return {
        "claim": s.claim.id,
        "side": s.claim.side,
        "statement": s.claim.statement,
        "quote": s.claim.quote,
        "source": s.claim.source,
        "status": s.status,
        "needs": s.claim.needs,
        "results": [
            {"run": r.run, "model": r.model, "task": r.task, "status": r.status, "text": r.text, "planned": r.planned}
            for r in s.results
        ],
    }


def _tally(statuses: Sequence[ClaimStatus]) -> str:
    tally: Counter[str] = Counter(s.status for s in statuses)
    return f"{len(statuses)} claims: " + ", ".join(f"{tally[s]} {s}" for s in STATUSES if tally[s]) + "."


def _groups(statuses: Sequence[ClaimStatus]) -> list[str]:
    from harness.report.tables import markdown_table

    lines = []
    for group in dict.fromkeys(s.claim.group for s in statuses):
        mine = [s for s in statuses if s.claim.group == group]
        header = ["claim", "statement", "as published", "status"]
        rows = [[f"`{s.claim.id}`", *map(_cell, (s.claim.statement, s.claim.quote, s.status))] for s in mine]
        sources = "; ".join(dict.fromkeys(s.claim.source for s in mine))
        lines += [f"### {group}", "", *markdown_table(header, rows), "", f"Source: {sources}.", ""]
    return lines


def _grounds(statuses: Sequence[ClaimStatus]) -> list[str]:
    from harness.report.tables import markdown_table

    if not statuses:
        return []
    header = ["claim", "run", "model", "task", "reads", "result", "in the run's design"]
    rows = []
    for s in statuses:
        for r in s.results:
            cells = (r.model, r.task, r.status, r.text, "yes" if r.planned else "no")
            rows.append([f"`{s.claim.id}`", r.run[:12], *map(_cell, cells)])
    text = "Differences and 95 % intervals are in points (tokens in tokens)."
    return ["## What the statuses rest on", "", text, "", *markdown_table(header, rows), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
