"""Pre-registration: the whole design of an ablation, written down and committed before the data exist.

What this does not promise: that nobody ran anything in secret first. What can be checked is ancestry: the commit that
added ``results/prereg/NAME.yaml`` must be an ancestor of the commit a run was made from. Times can be forged; ancestry
cannot be without rewriting every later commit.

A registration is never edited. What turns out otherwise is appended to the log as a deviation, with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.canonical import digest, file_digest
from harness.errors import BadInput
from harness.ledger import log
from harness.ledger.record import Record

SCHEMA_VERSION = 1

EXCLUSIONS = (
    "samples that could not be graded because of a fault of the grader (infra_error) after its retries: counted, shown",
)
"""The only samples that are ever left out of an analysis."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration file, read."""

    path: Path
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def design(self) -> str:
        return str(self.document["design"])


def design_digest(ablation: str, rule: str, config: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    """Digest of everything a registration fixes: settings, arms, contrasts, rule, problems, sample sizes and seeds.

    Left open: which sandbox grades, which device generates, and the launcher. ``head`` gives ``arms``, ``contrasts``,
    ``tasks`` and ``seeds`` as a record does.
    """
    fixed = {k: config[k] for k in ("settings", "model", "tasks", "train", "scale", "seed")}
    fixed |= {"treatment": config["treatment"]} if config.get("treatment") else {}
    return digest(
        {
            "ablation": ablation,
            "rule": rule,
            "config": fixed,
            "arms": [{k: a[k] for k in ("name", "policy")} for a in head["arms"]],
            "contrasts": head["contrasts"],
            **({"derived": head["derived"]} if head.get("derived") else {}),
            "tasks": [{k: t[k] for k in ("name", "version", "problems", "id_list")} for t in head["tasks"]],
            "seeds": head["seeds"],
        }
    )


def record_design(record: Record) -> str:
    """:func:`design_digest` of what was run."""
    head = record.head
    return design_digest(record.ablation, head["rule"], head["config"], head)


def write(results: Path, name: str, document: Mapping[str, Any]) -> Path:
    """Write a registration and its log entry.

    Raises:
        BadInput: if there is one of that name already.
    """
    import yaml

    from harness.ledger.store import write_atomic

    target = results / "prereg" / f"{name}.yaml"
    if target.exists():
        raise BadInput(
            f"{target}: registered already, and a registration is never edited; use --deviation or --as NAME"
        )
    text = "# Written by `harness preregister`. Never edited: deviations are appended to results/log.jsonl.\n"
    text += yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=110)
    write_atomic(target, text.encode())
    subject = {"prereg": name, "sha256": file_digest(target), "design": document["design"]}
    log.append(results, "prereg", subject, f"registered before any run: {document['question']}")
    return target


def registrations(results: Path) -> list[Registration]:
    """Every registration below ``results``, by name.

    Raises:
        BadInput: for a file that is no registration.
    """
    import yaml

    out = []
    for path in sorted((results / "prereg").glob("*.yaml")):
        try:
            document = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise BadInput(f"{path}: not YAML ({' '.join(str(error).split())})") from error
        if not isinstance(document, dict) or "design" not in document or "ablation" not in document:
            raise BadInput(f"{path}: not a registration (no 'ablation' and 'design' in it)")
        out.append(Registration(path, document))
    return out


def registration_of(record: Record, found: list[Registration]) -> Registration | None:
    """The registration whose design is the record's, if there is one."""
    design = record_design(record)
    return next((r for r in found if r.document["ablation"] == record.ablation and r.design == design), None)
