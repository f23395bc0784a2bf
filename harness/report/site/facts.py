"""Provenance of a whole record in words: its facts, the commands that check it, its cells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.ledger.record import Record
from harness.report.models import origin
from harness.report.numbers import UNDEFINED
from harness.report.site.provenance import SHORT, results_option, run_command


def facts(head: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The record's facts as (term, text): code, machine, libraries, models, tasks, sandbox, digests."""
    code, environment, overlap = head["code"], head["environment"], head["contamination"]
    clean = {True: "with uncommitted changes", False: "clean", None: "unknown state"}[code["dirty"]]
    facts = [
        ("Run id", head["run_id"]),
        ("Code", f"commit {code['commit'] or 'unknown (outside git)'}, {clean}"),
        (
            "Machine",
            f"{environment['cpu']}, {environment['cpus']} CPUs, {environment['system']}, "
            f"Python {environment['python']}",
        ),
    ]
    if environment.get("gpu"):
        facts.append(("GPU", f"{environment['gpu']}, driver {environment.get('driver') or 'not recorded'}"))
    facts.append(("Libraries", ", ".join(f"{k} {v}" for k, v in environment["libraries"].items())))
    facts.append(("Lock file", environment["lock"] or "not recorded"))
    facts.append(
        (
            "Took",
            f"{(head['finished'] - head['started']) / 60:.0f} minutes, some of it perhaps from earlier runs’ steps",
        )
    )
    for i, model in enumerate(head["models"]):
        facts.append((f"Model {i}", f"{model['kind']}: {origin(model)}; weights {model['weights']}"))
    for task in head["tasks"]:
        facts.append(
            (f"Task {task['name']}", f"version {task['version']}, ids {task['id_list']}, tests {task['tests']}")
        )
    executor = head["cells"][0]["executor"]
    facts.append(("Sandbox", ", ".join(f"{k}: {v}" for k, v in executor.items())))
    facts.append(
        (
            "Contamination",
            f"{overlap['overlapping']} of {overlap['checked']} training prompts share a 13-gram with an evaluation "
            "problem",
        )
    )
    facts += [(f"File {name}", digest) for name, digest in head["files"].items()]
    return facts


def commands(record: Record, results: Path) -> list[tuple[str, str]]:
    """What can be done with the record, as (purpose, command)."""
    where = results_option(results)
    return [
        ("derive every table again and compare", f"harness tables --check{where}"),
        ("grade every sample again", f"harness audit {record.run_id[:SHORT]} --regrade 1{where}"),
        ("run it all again", run_command(record.head)),
    ]


def cells(head: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row a cell: arm, task, seed, and the digests of its weights, samples and verdicts."""
    rows: list[tuple[str, ...]] = []
    for c in head["cells"]:
        model = c.get("model")
        weights = UNDEFINED if model is None else head["models"][model]["weights"][:SHORT]
        digests = (c["samples"]["digest"][:SHORT], c["verdicts"]["digest"][:SHORT])
        rows.append((c["arm"], c["task"], str(c["seed"]), weights, *digests))
    return rows
