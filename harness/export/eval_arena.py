"""The five-field JSON Lines of eval-arena (Wang, arXiv:2512.21326): one line a model and problem."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.export.cells import cells
from harness.ledger.record import Record
from harness.ledger.store import write_atomic


def eval_arena(record: Record, out: Path, arms: Sequence[str], tasks: Sequence[str]) -> list[Path]:
    """One file: ``benchmark_id``, ``model`` (arm, and seed where there are several), ``example_id``, ``pass1``, ``N``.

    Seeds stay apart, because two trainings are two models. Problems whose every sample was an infrastructure error have
    no ``pass1`` and no line.
    """
    wanted = {(c.cell["task"], c.cell["arm"], c.cell["seed"]) for c in cells(record, arms, tasks, texts=False)}
    several = len(record.head["seeds"]) > 1
    lines = []
    for row in record.counts():
        if (row["task"], row["arm"], row["seed"]) not in wanted or not row["n"]:
            continue
        model = f"{row['arm']} seed {row['seed']}" if several else row["arm"]
        fields = {"benchmark_id": row["task"], "model": model, "example_id": row["problem"]}
        lines.append({**fields, "pass1": row["passed"] / row["n"], "N": row["n"]})
    path = out / f"{record.path.name}.eval-arena.jsonl"
    write_atomic(path, "".join(json.dumps(r, ensure_ascii=True) + "\n" for r in lines).encode())
    return [path]
