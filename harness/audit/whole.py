"""The audit itself: which checks, on what, in which order."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.audit.chain import check_chain, check_published
from harness.audit.derived import check_claims_file, check_rules, check_tables
from harness.audit.finding import Finding, Findings
from harness.audit.git import Git
from harness.audit.records import check_record
from harness.audit.registered import check_registrations
from harness.audit.regrade import Regraded, regrade
from harness.canonical import file_digest
from harness.errors import BadInput, HarnessError
from harness.ledger import log
from harness.ledger.record import Record, load_record

NEVER = (
    ("generation", "that the named model wrote these samples: sampling again is not promised to give the same bytes"),
    ("selection", "that nothing else was run and left unpublished; registrations narrow this, they do not exclude it"),
    ("times", "any date: order comes from the chain and from git ancestry"),
)
"""What no audit of files can show, said every time."""


@dataclass(frozen=True, slots=True)
class Audit:
    """A finished audit. It failed if there is a fault."""

    findings: tuple[Finding, ...]
    records: tuple[str, ...]
    head: str
    regraded: Regraded | None

    @property
    def failed(self) -> bool:
        return any(f.level == "fault" for f in self.findings)

    def of(self, level: str) -> list[Finding]:
        return [f for f in self.findings if f.level == level]


def audit(
    results: Path,
    subject: str | None = None,
    *,
    share: float = 0.0,
    seed: int | None = None,
    sandbox: str = "auto",
    anchor: str | None = None,
) -> Audit:
    """Check a results folder, or what one claim or run rests on.

    Raises:
        BadInput: if there is no such folder, claim or run, or the share is not from 0 to 1.
    """
    if not results.is_dir():
        raise BadInput(f"--results {results}: no such folder")
    if not 0 <= share <= 1:
        raise BadInput(f"--regrade {share}: must be a share from 0 to 1")
    found = Findings()
    git = Git.around(results)
    events = check_chain(results, git, anchor, found)
    check_published(results, events, found)
    records = _records(results, found)
    chosen = _chosen(results, subject, records)
    entries = log.published(events)
    for record in chosen:
        try:
            check_record(record, entries.get(record.run_id), found)
        except (ArithmeticError, LookupError, TypeError, ValueError, OSError) as error:
            found.add("fault", "record", record.path, f"cannot be read: {type(error).__name__}: {error}")
    check_registrations(results, chosen, events, git, found)
    check_rules(chosen, found)
    check_claims_file(results, found)
    check_tables(results, found)
    done = None
    if share > 0:
        picked = secrets.randbelow(2**31) if seed is None else seed
        done = regrade(chosen, share, picked, sandbox, found)
    else:
        found.add("unchecked", "regrade", "verdicts", "whether executing the samples again gives them: --regrade 0.05")
    if anchor is None and events:
        text = f"against whoever holds the whole folder and its git: note the head {log.head_hash(events)} elsewhere"
        found.add("unchecked", "anchor", results / log.LOG, text)
    for check, text in NEVER:
        found.add("unchecked", check, "", text)
    return Audit(tuple(found.entries), tuple(r.run_id for r in chosen), log.head_hash(events), done)


def _records(results: Path, found: Findings) -> list[Record]:
    """Every record that can be read; the others are faults."""
    out = []
    for head in sorted((results / "records").glob("*/record.json")):
        try:
            out.append(load_record(head.parent))
        except (HarnessError, LookupError, TypeError, AttributeError, UnicodeDecodeError) as error:
            found.add("fault", "record", head, f"cannot be read: {error} (sha256 {file_digest(head)[:16]}…)")
    return out


def _chosen(results: Path, subject: str | None, records: Sequence[Record]) -> list[Record]:
    """The records a subject names: all, one run, or those a claim rests on."""
    if subject is None:
        return list(records)
    mine = [r for r in records if subject in (r.path.name, str(r.path)) or r.run_id.startswith(subject)]
    if len(subject) >= 4 and mine:
        return mine
    from harness.claims.catalogue import load
    from harness.claims.status import status
    from harness.nearest import nearest

    path = results / "claims.yaml"
    claims = {c.id: c for c in load(path)} if path.exists() else {}
    if subject not in claims:
        known = [*claims, *(r.path.name for r in records)]
        near = nearest(subject, known) if len(known) < 12 or len(subject) > 3 else ""
        raise BadInput(f"{subject}: no such claim or run{near if near.startswith('; did') else ''}")
    used = {t.run for t in status(claims[subject], list(records)).results}
    return [r for r in records if r.run_id in used]
