"""A results folder as an RO-Crate 1.1 (Process Run Crate 0.5): what was made, by which command, from what.

Written on release. Needs the ``rocrate`` package.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

from harness.errors import BadInput, MissingCapability
from harness.ledger import log
from harness.ledger.record import Record
from harness.ledger.standing import standing_records

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"


def ro_crate(results: Path, out: Path) -> list[Path]:
    """Write the crate folder ``out`` with a copy of every file of the results.

    Raises:
        MissingCapability: without ``rocrate``.
        BadInput: where there is no record to release.
    """
    if importlib.util.find_spec("rocrate") is None:
        raise MissingCapability("--to ro-crate needs the rocrate package: `pip install rocrate`")
    records = standing_records(results)
    if not records:
        raise BadInput(f"{results}: no record to release")
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate()
    crate.name = "Records, tables and claims of a refereed run"
    crate.description = "; ".join(dict.fromkeys(str(r.head["question"]) for r in records))
    crate.datePublished = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(max(_finished(r) for r in records)))
    crate.root_dataset["conformsTo"] = crate.add(ContextEntity(crate, PROFILE, properties={"@type": "CreativeWork"}))
    crate.root_dataset["identifier"] = log.head_hash(log.read(results))
    tool = crate.add(
        ContextEntity(
            crate,
            "#harness",
            properties={"@type": "SoftwareApplication", "name": "harness", "version": _version(records)},
        )
    )
    files = {p: _add(crate, p, results) for p in sorted(results.rglob("*")) if p.is_file() and p.name != ".gitkeep"}
    actions = [_action(crate, ContextEntity, r, tool, files) for r in records]
    crate.root_dataset["mentions"] = actions
    crate.write(out)
    return [out / "ro-crate-metadata.json"]


def _add(crate: Any, path: Path, results: Path) -> Any:
    from harness.canonical import file_digest

    kinds = {".json": "application/json", ".md": "text/markdown", ".csv": "text/csv", ".yaml": "application/yaml"}
    properties = {
        "name": path.name,
        "encodingFormat": kinds.get(path.suffix, "application/octet-stream"),
        "contentSize": path.stat().st_size,
        "sha256": file_digest(path),
    }
    return crate.add_file(path, path.relative_to(results).as_posix(), properties=properties)


def _action(crate: Any, entity: Any, record: Record, tool: Any, files: dict[Path, Any]) -> Any:
    """The run as a schema.org CreateAction: instrument, inputs by digest, and the record's files as its result."""
    head = record.head
    inputs = []
    for number, model in enumerate(head["models"]):
        name = str(model.get("source") or f"{model['kind']} model {number}")
        properties = {"@type": "CreativeWork", "name": name, "sha256": model["weights"]}
        inputs.append(crate.add(entity(crate, f"#weights-{model['weights'][:16]}", properties=properties)))
    action = entity(
        crate,
        f"#run-{record.run_id}",
        properties={
            "@type": "CreateAction",
            "name": f"{record.ablation}, run {record.run_id[:12]}",
            "description": head["question"],
            "startTime": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(head["started"])),
            "endTime": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(_finished(record))),
        },
    )
    crate.add(action)
    action["instrument"] = tool
    action["object"] = inputs
    action["result"] = [e for p, e in files.items() if p.parent.name == record.path.name]
    return action


def _finished(record: Record) -> int:
    return int(record.head["finished"])


def _version(records: list[Record]) -> str:
    return ", ".join(sorted({str(r.head["code"]["commit"] or "unknown")[:12] for r in records}))
