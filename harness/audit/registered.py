"""Was it decided before the data were seen? Git ancestry answers; dates are not asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.audit.finding import Findings
from harness.audit.git import Git
from harness.canonical import file_digest
from harness.errors import HarnessError
from harness.ledger import log
from harness.ledger.prereg import Registration, registration_of, registrations
from harness.ledger.record import Record

CHECK = "pre-registration"


def check_registrations(
    results: Path, records: Sequence[Record], events: Sequence[log.Event], git: Git | None, found: Findings
) -> None:
    """Every registration by itself, then every record against the registration that it belongs to."""
    try:
        known = registrations(results)
    except HarnessError as error:
        found.add("fault", CHECK, results / "prereg", str(error))
        return
    fixed = {str(e.subject["prereg"]): e for e in reversed(events) if e.kind == "prereg"}
    for name in sorted(set(fixed) - {r.name for r in known}):
        found.add("fault", CHECK, results / "prereg" / f"{name}.yaml", "the log says it was registered, but it is gone")
    for registration in known:
        _check_unchanged(registration, fixed.get(registration.name), git, found)
    for event in events:
        if event.kind == "deviation":
            found.add("note", "deviation", str(event.subject["prereg"]), event.reason)
    deviated = {str(e.subject["prereg"]) for e in events if e.kind == "deviation"}
    for record in records:
        if record.head["evidence"]:
            _check_order(record, known, deviated, git, found)


def _check_unchanged(registration: Registration, event: log.Event | None, git: Git | None, found: Findings) -> None:
    path = registration.path
    if event is None:
        found.add("fault", CHECK, path, "no entry of the log registered it")
    elif file_digest(path) != event.subject["sha256"]:
        found.add("fault", CHECK, path, f"not the bytes that entry {event.index} of the log registered: it was edited")
    elif registration.design != event.subject["design"]:
        found.add("fault", CHECK, path, f"not the design that entry {event.index} of the log registered")
    else:
        found.add("holds", CHECK, path, f"as entry {event.index} of the log registered it")
    commits = git.commits(path) if git else []
    for commit in commits[1:]:
        found.add("fault", CHECK, path, f"edited in commit {commit[:12]} after it was registered")


def _check_order(
    record: Record, known: Sequence[Registration], deviated: set[str], git: Git | None, found: Findings
) -> None:
    where = record.path.name
    registration = registration_of(record, list(known))
    if registration is None:
        _explain_missing(record, known, deviated, found)
        return
    name, commit = registration.name, record.head["code"]["commit"]
    if git is None or commit is None:
        found.add("unchecked", CHECK, where, f"registered as {name}; whether before the run: no git history here")
        return
    added = git.commits(registration.path, added_only=True)
    if not added:
        found.add("fault", CHECK, registration.path, f"never committed, so not shown to precede {where}")
    elif not git.has(commit):
        text = f"registered as {name}; whether before the run: its commit {commit[:12]} is not in this clone"
        found.add("unchecked", CHECK, where, text)
    else:
        good = git.is_ancestor(added[0], commit)
        holds = f"registered as {name} in commit {added[0][:12]}, an ancestor of the run's {commit[:12]}"
        fault = f"registered as {name} in commit {added[0][:12]}, which is no ancestor of the run's {commit[:12]}: "
        found.verify(good, CHECK, where, holds, fault + "not shown to come before the data")


def _explain_missing(record: Record, known: Sequence[Registration], deviated: set[str], found: Findings) -> None:
    """A run of a registered model and scale with another design needs a deviation; any other is unregistered."""
    config = record.head["config"]
    for r in known:
        its = r.document["config"]
        same = (r.document["ablation"], its["model"]["name"], its["scale"]["name"])
        if same == (record.ablation, config["model"]["name"], config["scale"]["name"]):
            if r.name in deviated:
                text = f"departs from the registration {r.name}; the log says how (see deviations)"
                found.add("note", CHECK, record.path.name, text)
            else:
                text = f"departs from the registration {r.name}; no entry of the log says how or why"
                found.add("fault", CHECK, record.path.name, text)
            return
    found.add("note", CHECK, record.path.name, "no registration has this design: exploratory, whatever its scale")
