"""The log: is the chain whole, is it the one git has seen grow, does every record have its entry?"""

from __future__ import annotations

from pathlib import Path

from harness.audit.finding import Findings
from harness.audit.git import Git
from harness.canonical import file_digest
from harness.ledger import log


def check_chain(results: Path, git: Git | None, anchor: str | None, found: Findings) -> list[log.Event]:
    """Check the log and return its entries."""
    path = results / log.LOG
    if not path.exists():
        if list((results / "records").glob("*/record.json")):
            found.add("fault", "log", path, "there are records but no log")
        else:
            found.add("note", "log", path, "nothing is published yet")
        return []
    events, faults = log.parse(path.read_bytes())
    for fault in faults:
        found.add("fault", "log", path, fault)
    if not faults:
        found.add("holds", "log", path, f"a chain of {len(events)} entries; head {log.head_hash(events)}")
    if anchor is not None:
        hashes = {e.hash for e in events}
        found.verify(anchor in hashes, "anchor", path, "the anchor is in the chain", f"no entry has the hash {anchor}")
    _against_git(path, git, found)
    return events


def _against_git(path: Path, git: Git | None, found: Findings) -> None:
    """Every committed version of the log must be the beginning of the next, and the last of the file here."""
    if git is None:
        found.add("unchecked", "log history", path, "not in a git checkout, so not whether the log only ever grew")
        return
    commits = git.commits(path)
    if not commits:
        found.add("unchecked", "log history", path, "not committed yet, so not whether the log only ever grew")
        return
    before = b""
    for commit in commits:
        now = git.blob(commit, path) or b""
        if not now.startswith(before):
            found.add("fault", "log history", path, f"commit {commit[:12]} changed or removed earlier entries")
        before = now
    here = path.read_bytes()
    if not here.startswith(before):
        found.add("fault", "log history", path, "the file here changed or lacks entries that are committed")
    elif git.shallow:
        found.add("unchecked", "log history", path, "the clone is shallow; `git fetch --unshallow` brings the rest")
    else:
        found.add("holds", "log history", path, f"only ever grew, over {len(commits)} commit(s)")


def check_published(results: Path, events: list[log.Event], found: Findings) -> None:
    """Records and publish entries must match one to one, and every record must have the digest its entry fixes."""
    by_folder = {str(e.subject["folder"]): e for e in log.published(events).values()}
    folders = {p.parent.name for p in (results / "records").glob("*/record.json")}
    records = results / "records"
    for path in sorted(records.iterdir()) if records.is_dir() else []:
        if path.name not in folders and path.name != ".gitkeep" and path.name not in by_folder:
            found.add("fault", "published", path, "no record, so it does not belong here")
    for name in sorted(set(by_folder) - folders):
        found.add("fault", "published", results / "records" / name, "the log says it was published, but it is gone")
    for name in sorted(folders):
        path = results / "records" / name / "record.json"
        event = by_folder.get(name)
        if event is None:
            found.add("fault", "published", path, "no entry of the log published it")
            continue
        same = file_digest(path) == event.subject["record"]
        text = f"has the digest that entry {event.index} fixed"
        found.verify(same, "published", path, text, f"not the bytes that entry {event.index} of the log published")
    for run, reason in log.corrected(events).items():
        found.add("note", "correction", run[:12], f"withdrawn: {reason}")
