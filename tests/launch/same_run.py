"""When two records are of one run: the same bytes wherever bytes can be the same.

Left out are what a run measures anew (CPU seconds, times of day, machines) and the commit, which a developer may change
while tests run.
"""

from __future__ import annotations

from typing import Any

from harness.ledger.identity import run_id
from harness.ledger.record import Record

MEASURED = ("cpu_seconds",)


def same_run(a: Record, b: Record) -> None:
    assert [c["samples"] for c in a.head["cells"]] == [c["samples"] for c in b.head["cells"]]
    assert a.head["models"] == b.head["models"]
    assert _identity(a) == _identity(b)
    for name in ("counts.parquet", "samples.jsonl.zst", "corpora.jsonl.zst"):
        assert (a.path / name).read_bytes() == (b.path / name).read_bytes(), name
    assert _unmeasured(a.verdicts()) == _unmeasured(b.verdicts())
    assert {c["engine"]["threads"] for r in (a, b) for c in r.head["cells"]} == {"1"}


def _identity(record: Record) -> str:
    return run_id({**record.head, "code": {"commit": None, "dirty": None}})


def _unmeasured(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in MEASURED} for row in rows]
