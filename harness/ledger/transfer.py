"""``harness push`` and ``harness fetch``: which files of a run go to an address and come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.canonical import file_digest
from harness.errors import BadInput, CheckFailed, HarnessError
from harness.ledger.identity import run_id
from harness.ledger.record import Record, load_record
from harness.ledger.remote import Remote, get_folder, put_folder
from harness.ledger.standing import find_record
from harness.ledger.statement import STATEMENTS

STEP_OF_KIND = {"distilled": "train", "interpolated": "interpolate", "scaled": "scale"}
"""The step whose output a made model's weights are, by the model's kind in a record."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transfer did: files moved, files that were there already, and the steps it covered."""

    run: str
    folder: str
    files: int
    present: int
    steps: tuple[str, ...]


def push(record: Record, store: Path, address: str, steps: bool = False, weights: bool = False) -> Moved:
    """Copy a record's files, and on request its steps of the store, to an address.

    Raises:
        CheckFailed: if a file here no longer has the digest its record names.
        BadInput: if a step or trained weights that were asked for are not in the store.
    """
    remote = Remote.open(address)
    previous = remote.listing(f"runs/{record.run_id}.json") or {"files": {}, "steps": {}}
    files = dict(previous["files"])
    for name, wanted in {**record.head["files"], "record.json": None, STATEMENTS: None}.items():
        path = record.path / name
        if not path.exists():
            continue
        if wanted is not None and file_digest(path) != wanted:
            raise CheckFailed(f"{path}: its bytes are not those the record names; not pushed")
        files[name] = remote.put(path)
    done = dict(previous["steps"])
    for name, what in _wanted_steps(record, store, steps, weights):
        remote.put_listing(f"steps/{name}.json", {"files": put_folder(remote, store / name)})
        done[name] = what
    listing = {"folder": record.path.name, "files": files, "steps": done}
    remote.put_listing(f"runs/{record.run_id}.json", listing)
    return Moved(record.run_id, record.path.name, remote.moved, remote.present, tuple(sorted(done)))


def fetch(run: str, results: Path, runs: Path, address: str, steps: bool = False, weights: bool = False) -> Moved:
    """Bring a record's missing files back, into the folder where the record is, or below ``runs`` if it is nowhere.

    A record that is here decides which digests are right. One that is not is accepted if its run id follows from its
    contents.

    Raises:
        BadInput: if the address does not have the run, or not what was asked for.
        CheckFailed: if something came back that is not what the record names.
    """
    remote = Remote.open(address)
    record = _here(run, results, runs)
    found = [record.run_id] if record else remote.run_ids(run)
    if len(found) != 1:
        raise BadInput(f"{run}: {'several runs begin so' if found else 'no such run here or'} at {address}")
    listing = remote.listing(f"runs/{found[0]}.json")
    if listing is None:
        raise BadInput(f"{run}: run {found[0][:12]} is not at {address}")
    if record is None:
        folder = runs / Path(str(listing["folder"])).name
        remote.get(listing["files"]["record.json"], folder / "record.json")
        record = load_record(folder)
        if run_id(record.head) != found[0]:
            raise CheckFailed(f"{folder}: what came back is not run {found[0][:12]}")
    for name, digest in record.head["files"].items():
        if Path(name).name != name:
            raise CheckFailed(f"{record.path}: its record names the file {name!r}, outside its folder")
        if name in listing["files"] or (record.path / name).exists():
            remote.get({"sha256": digest}, record.path / name)
    brought = []
    for name, what in sorted(listing["steps"].items()):
        if weights if what in STEP_OF_KIND.values() else steps:
            _fetch_step(remote, record, runs / "store" / name, name)
            brought.append(name)
    if (steps or weights) and not brought:
        raise BadInput(f"{run}: no such step was pushed to {address}")
    return Moved(record.run_id, record.path.name, remote.moved, remote.present, tuple(brought))


def _here(run: str, results: Path, runs: Path) -> Record | None:
    try:
        return find_record(run, results, runs)
    except BadInput:
        return None


def _wanted_steps(record: Record, store: Path, steps: bool, weights: bool) -> Iterator[tuple[str, str]]:
    """``NAME/KEY`` of the steps that a push takes along, with the step's name."""
    if steps:
        for what in ("samples", "verdicts"):
            for key in dict.fromkeys(c[what]["key"] for c in record.head["cells"]):
                if not (store / what / key / "done.json").exists():
                    raise BadInput(f"{store / what / key}: not in the store")
                yield f"{what}/{key}", what
        for name in _by_output(store, "corpus", "corpus.jsonl", {m.get("corpus") for m in record.head["models"]}):
            yield name, "corpus"
    if weights:
        for kind, step in STEP_OF_KIND.items():
            made = {m["weights"] for m in record.head["models"] if m["kind"] == kind and not _left_alone(m)}
            names = _by_output(store, step, "weights", made)
            if len(names) < len(made):
                raise BadInput(f"{store / step}: {len(made) - len(names)} of {len(made)} {kind} models are not there")
            for name in names:
                yield name, step


def _left_alone(model: dict[str, Any]) -> bool:
    """Whether there was nothing to make it from: its weights are then those of the model it started from."""
    return (model.get("train") or model.get("fit") or {}).get("examples") == 0


def _by_output(store: Path, step: str, output: str, digests: set[str | None]) -> list[str]:
    """Steps whose output has one of these digests; the record names outputs, not keys."""
    out: dict[str, str] = {}
    for done in sorted((store / step).glob("*/done.json")):
        digest = json.loads(done.read_text())["outputs"].get(output)
        if digest in digests and digest not in out:
            out[digest] = f"{step}/{done.parent.name}"
    return list(out.values())


def _fetch_step(remote: Remote, record: Record, folder: Path, name: str) -> None:
    listing = remote.listing(f"steps/{name}.json")
    if listing is None:
        raise BadInput(f"{remote.root}: step {name} is not there")
    get_folder(remote, listing["files"], folder, last="done.json")
    try:
        _check_step(record, folder, name)
    except HarnessError:
        (folder / "done.json").unlink(missing_ok=True)
        raise


def _check_step(record: Record, folder: Path, name: str) -> None:
    """What a step's outputs hash to must be what the record says came out."""
    what = name.split("/")[0]
    head = record.head
    if what in STEP_OF_KIND.values():
        from harness.models.digests import weight_digest

        got, known = weight_digest(folder / "weights"), {m["weights"] for m in head["models"]}
    elif what == "corpus":
        got, known = file_digest(folder / "corpus.jsonl"), {m.get("corpus") for m in head["models"]}
    else:
        got, known = file_digest(folder / f"{what}.jsonl"), {c[what]["digest"] for c in head["cells"]}
    if got not in known:
        raise CheckFailed(f"{folder}: what came back is not what run {record.run_id[:12]} used")
