"""What a machine that makes models or samples hands to one that goes on: ``harness run … until=generate``.

A handover is a folder below ``runs`` with one file, ``handover.json``: the configuration, and every step that the run
has finished with the digests of its outputs. ``harness push`` sends those steps to an address, ``harness fetch`` brings
them into another store, and ``harness run … from=grade`` with the same settings finds them there.

The id follows from the contents, so a handover that came back changed is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.canonical import digest, file_digest
from harness.errors import BadInput, CheckFailed
from harness.ledger.remote import Remote, get_folder, put_folder
from harness.ledger.store import Store, write_atomic
from harness.ledger.transfer import Moved

FILE = "handover.json"

WEIGHTS = "weights"
"""The output of a step that is a folder of tensors. Grading needs only its digest, so it travels on request."""


@dataclass(frozen=True, slots=True)
class Handover:
    """A handover, read from its folder. ``steps`` has the outputs of each ``NAME/KEY`` with their digests."""

    path: Path
    document: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def steps(self) -> dict[str, dict[str, str]]:
        return dict(self.document["steps"])


def write_handover(ablation: str, config: Mapping[str, Any], runs: Path, store: Store) -> Handover:
    """Write down what was finished, in a folder named after the ablation and the handover's id."""
    steps = {name: dict(step.outputs()) for name, step in sorted(store.asked.items()) if step.done}
    document: dict[str, Any] = {"ablation": ablation, "config": config, "steps": steps}
    document["id"] = _id(document)
    folder = runs / f"{ablation}-{str(document['id'])[:12]}"
    write_atomic(folder / FILE, (json.dumps(document, sort_keys=True, indent=1) + "\n").encode())
    return Handover(folder, document)


def load_handover(folder: Path) -> Handover:
    """Read a handover.

    Raises:
        BadInput: if the folder has none.
        CheckFailed: if its id does not follow from its contents.
    """
    try:
        document = json.loads((folder / FILE).read_text())
        ok = document["id"] == _id(document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder}: no readable {FILE} in it ({error})") from error
    if not ok:
        raise CheckFailed(f"{folder / FILE}: its id does not follow from its contents")
    return Handover(folder, document)


def find_handover(name: str, runs: Path) -> Handover | None:
    """A handover by folder, folder name or first characters of its id; ``None`` where there is none.

    Raises:
        BadInput: if several begin so.
    """
    if (Path(name) / FILE).exists():
        return load_handover(Path(name))
    found = [load_handover(p.parent) for p in sorted(runs.glob(f"*/{FILE}"))]
    matching = [h for h in found if name == h.path.name or (len(name) >= 4 and h.id.startswith(name))]
    if len(matching) > 1:
        raise BadInput(f"{name}: several: {', '.join(h.path.name for h in matching)}")
    return matching[0] if matching else None


def push_handover(handover: Handover, store: Path, address: str, weights: bool = False) -> Moved:
    """Copy a handover's steps to an address; trained weights only on request, their digests always.

    Raises:
        CheckFailed: if an output here no longer has the digest it was finished with.
        BadInput: if a step is not in the store, or weights are asked for that are not here.
    """
    remote = Remote.open(address)
    for name, outputs in handover.steps.items():
        push_step(remote, store, name, outputs, weights)
    listing = {"folder": handover.path.name, "files": {FILE: remote.put(handover.path / FILE)}}
    remote.put_listing(f"handovers/{handover.id}.json", listing)
    return Moved(handover.id, handover.path.name, remote.moved, remote.present, tuple(handover.steps))


def fetch_handover(run: str, runs: Path, address: str, weights: bool = False) -> Moved | None:
    """Bring a handover and its steps into the store below ``runs``; ``None`` if the address has none of that name.

    Raises:
        BadInput: if several begin so, or a step is not at the address.
        CheckFailed: if something came back with other bytes than the handover says.
    """
    remote = Remote.open(address)
    found = remote.ids("handovers", run.rsplit("-", 1)[-1])
    if len(found) > 1:
        raise BadInput(f"{run}: several handovers begin so at {address}")
    if not found:
        return None
    listing = remote.listing(f"handovers/{found[0]}.json") or {}
    folder = runs / Path(str(listing["folder"])).name
    remote.get(listing["files"][FILE], folder / FILE)
    handover = load_handover(folder)
    if handover.id != found[0]:
        raise CheckFailed(f"{folder}: what came back is not {found[0][:12]}")
    for name, outputs in handover.steps.items():
        fetch_step(remote, runs / "store", name, outputs, weights)
    return Moved(handover.id, folder.name, remote.moved, remote.present, tuple(handover.steps))


def push_step(remote: Remote, store: Path, name: str, outputs: Mapping[str, str], weights: bool) -> None:
    """Copy one finished step, and list it at the address."""
    folder = store / name
    if not (folder / "done.json").exists():
        raise BadInput(f"{folder}: not in the store")
    for output, wanted in outputs.items():
        if output == WEIGHTS:
            if weights and not (folder / WEIGHTS).is_dir():
                raise BadInput(f"{folder / WEIGHTS}: these weights are not here")
        elif file_digest(folder / output) != wanted:
            raise CheckFailed(f"{folder / output}: its bytes changed since the step finished; not pushed")
    listed = remote.listing(f"steps/{name}.json") or {"files": {}}
    files = put_folder(remote, folder, leave_out=() if weights else (WEIGHTS,))
    remote.put_listing(f"steps/{name}.json", {"files": {**listed["files"], **files}})


def fetch_step(remote: Remote, store: Path, name: str, outputs: Mapping[str, str] | None, weights: bool) -> None:
    """Bring one step. ``outputs`` are the digests it must have; ``None`` takes those of its own ``done.json``."""
    listing = remote.listing(f"steps/{name}.json")
    if listing is None:
        raise BadInput(f"{remote.root}: step {name} is not there")
    _check_name(name)
    folder = store / name
    files = {n: e for n, e in listing["files"].items() if weights or not n.startswith(f"{WEIGHTS}/")}
    get_folder(remote, files, folder, last="done.json")
    try:
        _check(folder, outputs, weights)
    except CheckFailed:
        (folder / "done.json").unlink(missing_ok=True)
        raise


def _check(folder: Path, outputs: Mapping[str, str] | None, weights: bool) -> None:
    done = json.loads((folder / "done.json").read_text())["outputs"]
    if outputs is not None and done != outputs:
        raise CheckFailed(f"{folder}: finished with other outputs than the handover says")
    for output, wanted in done.items():
        if output != WEIGHTS:
            if not (folder / output).exists() or file_digest(folder / output) != wanted:
                raise CheckFailed(f"{folder / output}: came back with other bytes, or not at all")
        elif weights:
            from harness.models.digests import weight_digest

            if not (folder / WEIGHTS).is_dir() or weight_digest(folder / WEIGHTS) != wanted:
                raise CheckFailed(f"{folder / WEIGHTS}: came back with other tensors, or was pushed without --weights")


def _check_name(name: str) -> None:
    parts = name.split("/")
    if len(parts) != 2 or not all(p and p.strip(".") and "\\" not in p for p in parts):
        raise CheckFailed(f"a handover names the step {name!r}, outside the store")


def _id(document: Mapping[str, Any]) -> str:
    """Digest of what was made. Which machine grades, and which launcher went over it, is left open."""
    config = {k: v for k, v in document["config"].items() if k not in ("sandbox", "launcher")}
    return digest({"ablation": document["ablation"], "config": config, "steps": document["steps"]})
