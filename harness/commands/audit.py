"""``harness audit``: check a results folder, and say what could not be checked."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.commands.output import emit, write

if TYPE_CHECKING:
    from harness.audit.whole import Audit
    from harness.claims.status import ClaimStatus

TITLES = {"fault": "FAULTS", "note": "Worth knowing", "unchecked": "Not checked"}


def main(arguments: argparse.Namespace) -> int:
    from harness.audit.whole import audit

    done = audit(
        arguments.results,
        arguments.subject,
        share=arguments.regrade,
        seed=arguments.seed,
        sandbox=arguments.sandbox,
        anchor=arguments.anchor,
    )
    claim = _claim(arguments)
    if arguments.json:
        emit(document(done, claim))
    else:
        write(render(done, claim))
    return 1 if done.failed else 0


def document(done: Audit, claim: ClaimStatus | None) -> dict[str, Any]:
    """The audit as plain JSON types."""
    from harness.claims.table import as_json

    return {
        "failed": done.failed,
        "records": list(done.records),
        "log_head": done.head,
        "claim": None if claim is None else as_json(claim),
        "regraded": None if done.regraded is None else asdict(done.regraded),
        **{level: [asdict(f) for f in done.of(level)] for level in ("fault", "note", "unchecked", "holds")},
    }


def render(done: Audit, claim: ClaimStatus | None) -> str:
    """The audit for a person: what was checked in one line a check, then faults, notes and what was not checked."""
    lines = _claim_lines(claim) if claim else []
    lines.append(f"{len(done.records)} record(s); log head {done.head}")
    for check in dict.fromkeys(f.check for f in done.of("holds")):
        mine = [f for f in done.of("holds") if f.check == check]
        lines.append(f"  holds  {check}: {mine[0].text if len(mine) == 1 else f'{len(mine)} checked'}")
    for level, title in TITLES.items():
        mine = done.of(level)
        if mine:
            lines += ["", f"{title}:"]
            lines += [f"  {f.check}: {f.where + ': ' if f.where else ''}{f.text}" for f in mine]
    if done.regraded is not None:
        r = done.regraded
        again = f"--regrade with --seed {r.seed}"
        lines += ["", f"{r.samples} samples executed again in {r.executor}, {r.differences} differences ({again})"]
    lines += ["", f"{len(done.of('fault'))} fault(s)" if done.failed else "No fault found."]
    return "\n".join(lines)


def _claim(arguments: argparse.Namespace) -> ClaimStatus | None:
    from harness.claims import statuses
    from harness.errors import BadInput

    try:
        return next((s for s in statuses(arguments.results) if s.claim.id == arguments.subject), None)
    except BadInput:
        return None  # the audit has named the fault already


def _claim_lines(status: ClaimStatus) -> list[str]:
    claim = status.claim
    quote = f" ({claim.quote})" if claim.quote else ""
    lines = [f"{claim.id}: {status.status}", f"  {claim.statement}{quote}", f"  source: {claim.source}"]
    lines += [f"  {r.run[:12]} {r.model} {r.task}: {r.text} → {r.status}" for r in status.results]
    if not status.results:
        lines.append("  no committed record tests it" + (f"; {claim.needs}" if claim.needs else ""))
    return [*lines, ""]
