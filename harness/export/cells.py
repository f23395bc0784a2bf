"""What exports share: the samples of a record, cell by cell, joined with their verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import BadInput
from harness.ledger.record import Record, Row
from harness.nearest import nearest

KEY = ("problem", "index")


@dataclass(frozen=True, slots=True)
class CellRows:
    """One arm on one task with one seed: its entry in ``record.json``, verdicts and texts, in the record's order."""

    cell: dict[str, Any]
    verdicts: tuple[Row, ...]
    texts: dict[tuple[str, int], str]

    @property
    def stem(self) -> str:
        """A file name: task, arm and seed, with anything unusual replaced."""
        arm = re.sub(r"[^A-Za-z0-9.@+-]+", "_", self.cell["arm"])
        return f"{self.cell['task']}.{arm}.seed{self.cell['seed']}"

    def text(self, verdict: Row) -> str:
        return self.texts[verdict["problem"], verdict["index"]]


def cells(
    record: Record, arms: Sequence[str] = (), tasks: Sequence[str] = (), texts: bool = True
) -> Iterator[CellRows]:
    """The cells of a record, all or those named.

    Raises:
        BadInput: for an arm or a task that the record does not have, or samples that are kept elsewhere.
    """
    for wanted, field in ((arms, "arm"), (tasks, "task")):
        known = sorted({c[field] for c in record.head["cells"]})
        for name in wanted:
            if name not in known:
                raise BadInput(f"--{field} {name}: the run has no such {field}{nearest(name, known)}")
    if texts and not (record.path / "samples.jsonl.zst").exists():
        raise BadInput(f"{record.path.name}: its samples are kept elsewhere; `harness fetch` brings them")
    verdicts = record.verdicts()
    samples = record.samples() if texts else []
    for cell in record.head["cells"]:
        if (arms and cell["arm"] not in arms) or (tasks and cell["task"] not in tasks):
            continue
        mine = tuple(v for v in verdicts if _in(v, cell))
        yield CellRows(cell, mine, {(s["problem"], s["index"]): s["text"] for s in samples if _in(s, cell)})


def _in(row: Row, cell: dict[str, Any]) -> bool:
    return bool((row["task"], row["arm"], row["seed"]) == (cell["task"], cell["arm"], cell["seed"]))
