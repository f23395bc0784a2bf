"""Which records of a results folder count, and for what."""

from __future__ import annotations

from pathlib import Path

from harness.errors import BadInput
from harness.ledger import log
from harness.ledger.record import Record, load_record, load_records


def standing_records(results: Path) -> list[Record]:
    """Every record below ``results`` that no correction withdrew, by run id."""
    withdrawn = log.corrected(log.read(results))
    return [r for r in load_records(results / "records") if r.run_id not in withdrawn]


def confirmatory(record: Record) -> bool:
    """Whether a claim may rest on the record: evidence by its scale, and made from a clean, known commit."""
    return bool(record.head["evidence"]) and record.head["code"]["dirty"] is False


def why_exploratory(record: Record) -> str:
    """The reason a record is no evidence, or an empty string."""
    head = record.head
    if not head["evidence"]:
        return f"{head['config']['scale']['name']} scale is too small to be evidence"
    if head["code"]["commit"] is None:
        return "made outside git, so from code that nobody can look up"
    return "made from a tree with uncommitted changes" if head["code"]["dirty"] is not False else ""


def find_record(name: str, results: Path, runs: Path | None = None, prefer_runs: bool = False) -> Record:
    """A record by folder, folder name or first characters of its run id, in ``results`` first, then in ``runs``.

    ``prefer_runs`` looks in ``runs`` first.

    Raises:
        BadInput: if there is none, or several.
    """
    path = Path(name)
    if (path / "record.json").exists():
        return load_record(path)
    folders = [results / "records", *([runs] if runs else [])]
    folders = folders[::-1] if prefer_runs else folders
    found: dict[str, Record] = {}
    for folder in folders:
        for head in sorted(folder.glob("*/record.json")) if folder.is_dir() else []:
            record = load_record(head.parent)
            if name == head.parent.name or (len(name) >= 4 and record.run_id.startswith(name)):
                found.setdefault(record.run_id, record)
    if len(found) != 1:
        there = ", ".join(sorted(found)) if found else " or ".join(map(str, folders))
        raise BadInput(f"{name}: {'several runs: ' if found else 'no such run in '}{there}")
    return next(iter(found.values()))
