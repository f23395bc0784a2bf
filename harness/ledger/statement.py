"""Provenance of a record in the form other tools read: one in-toto Statement (v1) for each file of the record.

The predicate is SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance): what was built, from which parameters,
from which resolved inputs, by what. The statements are not signed and so prove nothing by themselves; their digests,
and theirs in the log, tie them to the record. They follow from the record alone, byte for byte.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from harness.canonical import file_digest
from harness.ledger.record import Record

STATEMENTS = "provenance.intoto.jsonl"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:harness-referee:run:v1"


def statements(record: Record) -> list[dict[str, Any]]:
    """One Statement a file, ``record.json`` first. Subjects are named by digest, so the files need not be there."""
    digests = {"record.json": file_digest(record.path / "record.json"), **record.head["files"]}
    predicate = _predicate(record.head)
    return [
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": digest}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }
        for name, digest in sorted(digests.items(), key=lambda item: (item[0] != "record.json", item[0]))
    ]


def statement_lines(record: Record) -> bytes:
    """The statements as they are kept beside a published record: JSON lines."""
    return b"".join(json.dumps(s, sort_keys=True, ensure_ascii=True).encode() + b"\n" for s in statements(record))


def _predicate(head: Mapping[str, Any]) -> dict[str, Any]:
    environment = head["environment"]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": head["config"],
            "internalParameters": {"evidence": head["evidence"], "rule": head["rule"], "dirty": head["code"]["dirty"]},
            "resolvedDependencies": _dependencies(head),
        },
        "runDetails": {
            "builder": {"id": BUILD_TYPE, "version": dict(sorted(environment["libraries"].items()))},
            "metadata": {
                "invocationId": head["run_id"],
                "startedOn": _stamp(head["started"]),
                "finishedOn": _stamp(head["finished"]),
            },
        },
    }


def _dependencies(head: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Code, lock file, model files, tasks, corpora and sandbox images, each with a digest where one is known."""
    out: list[dict[str, Any]] = []
    if head["code"]["commit"]:
        out.append({"name": "code", "digest": {"gitCommit": head["code"]["commit"]}})
    if head["environment"]["lock"]:
        out.append({"name": "requirements.lock", "digest": {"sha256": head["environment"]["lock"]}})
    for number, model in enumerate(head["models"]):
        for part in ("weights", "tokenizer", "chat_template", "corpus"):
            if model.get(part):
                out.append({"name": f"model {number} {part}", "digest": _digest(model[part])})
    for task in head["tasks"]:
        out.append({"name": f"task {task['name']} {task['version']} ids", "digest": _digest(task["id_list"])})
        out.append({"name": f"task {task['name']} {task['version']} tests", "digest": _digest(task["tests"])})
    images = {str(c["executor"]["image"]) for c in head["cells"] if c["executor"].get("image")}
    out += [{"name": "sandbox image", "uri": image} for image in sorted(images)]
    return out


def _digest(value: str) -> dict[str, str]:
    """SHA-256 where the digest is whole; the project's 128-bit keys under a name of their own."""
    return {"sha256": value} if len(value) == 64 else {"sha256_128": value}


def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
