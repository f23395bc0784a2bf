"""Copying a finished run into a results folder, and withdrawing one with a reason."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.canonical import file_digest
from harness.errors import BadInput, CheckFailed
from harness.ledger import log
from harness.ledger.record import Record, load_record
from harness.ledger.standing import why_exploratory
from harness.ledger.statement import STATEMENTS, statement_lines
from harness.ledger.store import write_atomic

MAX_SAMPLES_BYTES = 5 * 10**6
"""Samples and corpora of one run that may be committed; larger ones stay outside git, by digest."""

MAX_TABLES_BYTES = 2 * 10**6
"""What a quick run may weigh without its samples."""

TEXTS = ("samples.jsonl.zst", "corpora.jsonl.zst")


@dataclass(frozen=True, slots=True)
class Published:
    """What :func:`publish` did. ``left_out`` are files too large for git, to be pushed elsewhere."""

    record: Record
    event: log.Event
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def publish(source: Record, results: Path, allow_dirty: bool = False) -> Published:
    """Copy a record below ``results``, write its provenance and the log entry that fixes its digest.

    Raises:
        BadInput: for a run of an evidence scale made from a dirty tree or outside git, unless ``allow_dirty`` (which
            makes it exploratory: no claim rests on it); for a run that is published already.
        CheckFailed: if the run's files no longer have their digests.
    """
    head = source.head
    if head["evidence"] and head["code"]["dirty"] is not False and not allow_dirty:
        raise BadInput(
            f"{source.path.name}: {why_exploratory(source)}; commit and run again (finished steps are kept), or "
            "publish it as exploratory with --allow-dirty"
        )
    known = log.read(results)
    if source.run_id in log.published(known) and source.run_id not in log.corrected(known):
        raise BadInput(f"{source.path.name}: run {source.run_id[:12]} is published already")
    for name, digest in head["files"].items():
        if not (source.path / name).exists() or file_digest(source.path / name) != digest:
            raise CheckFailed(f"{source.path / name}: its bytes changed since the run finished")
    left_out = _too_large(source)
    target = results / "records" / source.path.name
    target.mkdir(parents=True, exist_ok=True)
    for name in ["record.json", *(n for n in head["files"] if n not in left_out)]:
        shutil.copyfile(source.path / name, target / name)
    copied = load_record(target)
    write_atomic(target / STATEMENTS, statement_lines(copied))
    why = why_exploratory(copied)
    subject = {
        "run": copied.run_id,
        "folder": target.name,
        "record": file_digest(target / "record.json"),
        "provenance": file_digest(target / STATEMENTS),
        "left_out": {n: head["files"][n] for n in left_out},
        "exploratory": bool(why),
    }
    event = log.append(results, "publish", subject, f"exploratory: {why}" if why else "finished run")
    return Published(copied, event, left_out, tuple(_notes(copied, why, left_out)))


def withdraw(record: Record, results: Path, reason: str) -> log.Event:
    """Append a correction: tables, claims and exports no longer count the record, which stays where it is.

    Raises:
        BadInput: if the record is not published, or withdrawn already.
    """
    events = log.read(results)
    if record.run_id not in log.published(events):
        raise BadInput(f"{record.path.name}: not published in {results}, so there is nothing to correct")
    if record.run_id in log.corrected(events):
        raise BadInput(f"{record.path.name}: withdrawn already: {log.corrected(events)[record.run_id]}")
    return log.append(results, "correction", {"run": record.run_id, "folder": record.path.name}, reason)


def _too_large(record: Record) -> tuple[str, ...]:
    """Samples, then corpora, as far as both fit the limit together."""
    total, out = 0, []
    for name in TEXTS:
        size = (record.path / name).stat().st_size
        if total + size > MAX_SAMPLES_BYTES:
            out.append(name)
        else:
            total += size
    return tuple(out)


def _notes(record: Record, why: str, left_out: tuple[str, ...]) -> list[str]:
    notes = [f"{why}; no claim rests on it, and its tables say so"] if why else []
    notes += [
        f"{n} is above {MAX_SAMPLES_BYTES / 1e6:g} MB with the rest and stays outside git; `harness push` stores it"
        for n in left_out
    ]
    weight = sum(f.stat().st_size for f in record.path.iterdir() if f.name not in TEXTS)
    if weight > MAX_TABLES_BYTES:
        notes.append(f"{weight / 1e6:.1f} MB without samples, above the {MAX_TABLES_BYTES / 1e6:g} MB meant for git")
    return notes
