"""Claims for the front page, tested ones first, with what :func:`harness.claims.statuses` computes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.site.provenance import SHORT

if TYPE_CHECKING:
    from harness.claims.status import ClaimStatus
    from harness.report.analysis import Analyse

SIDES = {
    "paper": ("Claims of the paper", "the paper"),
    "critic": ("Counter-claims and open questions", "critics"),
    "ours": ("Our own claims", "us"),
}
ORDER = ("supported", "equivalent", "inconclusive", "refuted", "untested")


@dataclass(frozen=True, slots=True)
class Ground:
    """What one record says about a claim on one task. ``run`` is the short id that anchors on the ablation's page."""

    status: str
    where: str
    text: str
    run: str


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One claim. ``pages`` are the ablations that test it; ``needs`` says what would, where nothing does."""

    id: str
    by: str
    statement: str
    quote: str
    source: str
    status: str
    needs: str
    pages: tuple[str, ...]
    grounds: tuple[Ground, ...]


@dataclass(frozen=True, slots=True)
class Claims:
    """Every claim: those that some record tests, and the rest as (side, ((group, claims), …))."""

    tally: tuple[tuple[str, int], ...]
    tested: tuple[ClaimRow, ...]
    untested: tuple[tuple[str, tuple[tuple[str, tuple[ClaimRow, ...]], ...]], ...]


def claims(results: Path, analysed: Analyse) -> Claims | None:
    """Claims with their computed statuses, or ``None`` where a results folder keeps none."""
    from harness.claims import statuses

    found = statuses(results, analysed)
    if not found:
        return None
    counts: Counter[str] = Counter(s.status for s in found)
    tested = [_row(s) for s in found if s.status != "untested"]
    sides = []
    for side, (title, _) in SIDES.items():
        groups: dict[str, list[ClaimRow]] = {}
        for s in found:
            if s.claim.side == side and s.status == "untested":
                groups.setdefault(s.claim.group, []).append(_row(s))
        if groups:
            sides.append((title, tuple((name, tuple(rows)) for name, rows in groups.items())))
    return Claims(tuple((s, counts[s]) for s in ORDER if counts[s]), tuple(tested), tuple(sides))


def _row(s: ClaimStatus) -> ClaimRow:
    return ClaimRow(
        id=s.claim.id,
        by=SIDES[s.claim.side][1],
        statement=s.claim.statement,
        quote=s.claim.quote,
        source=s.claim.source,
        status=s.status,
        needs=s.claim.needs,
        pages=tuple(dict.fromkeys(t.ablation for t in s.claim.tests)),
        grounds=tuple(Ground(r.status, f"{r.model}, {r.task}", r.text, r.run[:SHORT]) for r in s.results),
    )
