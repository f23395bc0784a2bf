"""Every number that is printed must follow from records: tables, README's blocks and the status of each claim."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ablations
from harness.audit.finding import Findings
from harness.errors import HarnessError
from harness.ledger.record import Record


def check_tables(results: Path, found: Findings) -> None:
    """Rebuild every derived file in memory and compare bytes."""
    from harness.report import rebuild

    try:
        files = rebuild.derived(results)
        wrong = rebuild.differences(results, files)
    except (HarnessError, ArithmeticError, LookupError, TypeError, ValueError, OSError) as error:
        found.add("fault", "tables", results / "tables", f"cannot be derived: {' '.join(str(error).split())[:300]}")
        return
    for name in wrong:
        path = Path(name)
        detail = _first_difference(path, files[path]) if path in files else "follows from no record"
        found.add("fault", "tables", path.as_posix() if path in files else name, detail)
    if not wrong:
        found.add("holds", "tables", results / "tables", f"{len(files)} files follow from the records, byte for byte")


def check_claims_file(results: Path, found: Findings) -> None:
    """The claims file must be readable and must not carry a status of its own."""
    from harness.claims.catalogue import load

    path = results / "claims.yaml"
    if not path.exists():
        found.add("note", "claims", path, "there is none")
        return
    try:
        claims = load(path)
    except HarnessError as error:
        found.add("fault", "claims", path, str(error))
        return
    found.add("holds", "claims", path, f"{len(claims)} claims, none with a status typed by hand")


def check_rules(records: Sequence[Record], found: Findings) -> None:
    """The rule a record was made under must still be the one that decides its tables."""
    for record in records:
        try:
            today = ablations.load(record.ablation).rule
        except HarnessError as error:
            found.add("fault", "rule", record.path.name, str(error))
            continue
        same = today == record.head["rule"]
        fault = f"ablations/{record.ablation}.py has another rule than the run was made under"
        found.verify(same, "rule", record.path.name, "decided by the rule it was made under", fault)


def _first_difference(path: Path, wanted: str) -> str:
    """Where a derived file departs from what records say, both lines shown."""
    if not path.exists():
        return "missing"
    here = path.read_text(errors="replace").split("\n")
    want = wanted.split("\n")
    for number, (a, b) in enumerate(zip(here, want, strict=False), 1):
        if a != b:
            return f"line {number} says {a.strip()[:160]!r}; the records give {b.strip()[:160]!r}"
    return f"{len(here)} lines; the records give {len(want)}"
