"""Groups of positions, and sums over them: what a record keeps of teacher-forced passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.measure.branching import role
from harness.measure.classes import ROLES
from harness.measure.metrics import SUMMED, TEXT_GROUP, TEXTUAL

EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Borders, in nats, of the ten bins of the reference's entropy. The bins are for figures; they are no labels, since
positions chosen for a high value of what is compared fall back by themselves."""

KEY = ("arm", "seed", "task", "problem", "context", "group")
"""Columns that name a row of ``measures.parquet``."""

Mask = NDArray[np.bool_]


def groups(
    classes: Sequence[str],
    visits: Sequence[int],
    branches: Sequence[int],
    reference_entropy: Sequence[float],
    thresholds: Sequence[int],
) -> dict[str, Mask]:
    """The groups of a sequence's positions, each a mask; empty ones are left out.

    ``all``; ``lock`` and ``fork`` by token class; ``lock:bN`` and ``fork:bN`` by branch counting with threshold N;
    ``class:NAME``; ``bin:0`` to ``bin:9`` of the reference's entropy.
    """
    kinds = np.array(classes, dtype=object)
    roles = np.array([ROLES[k] for k in classes], dtype=object)
    found: dict[str, Mask] = {"all": np.ones(len(classes), dtype=np.bool_)}
    found |= {r: roles == r for r in ("lock", "fork")}
    for threshold in thresholds:
        counted = np.array([role(v, b, threshold) for v, b in zip(visits, branches, strict=True)], dtype=object)
        found |= {f"{r}:b{threshold}": counted == r for r in ("lock", "fork")}
    found |= {f"class:{k}": kinds == k for k in ROLES}
    bins = np.digitize(np.array(reference_entropy, dtype=np.float64), EDGES)
    found |= {f"bin:{i}": bins == i for i in range(len(EDGES) + 1)}
    return {name: mask for name, mask in found.items() if mask.any()}


def summed(
    sequences: Iterable[Mapping[str, Any]], which: int, where: Mapping[str, Any], thresholds: Sequence[int]
) -> list[dict[str, Any]]:
    """Rows of a record for one arm: the sums of each quantity over each group, a problem and context.

    Args:
        sequences: rows of a measuring step (:func:`harness.pipeline.measure.measure_step`).
        which: index of the arm's policy among those the step measured.
        where: the arm, seed and task of the rows.
        thresholds: of branch counting.
    """
    totals: dict[tuple[str, str, str], tuple[int, NDArray[np.float64]]] = {}
    for s in sequences:
        values = np.array([s["values"][which][q] for q in SUMMED], dtype=np.float64)
        for name, mask in groups(s["classes"], s["visits"], s["branches"], s["reference_entropy"], thresholds).items():
            key = (s["problem"], s["context"], name)
            count, total = totals.get(key, (0, np.zeros(len(SUMMED))))
            totals[key] = (count + int(mask.sum()), total + values[:, mask].sum(axis=1))
    rows = []
    for (problem, context, group), (count, total) in totals.items():
        sums = dict(zip(SUMMED, total.tolist(), strict=True))
        rows.append({**where, "problem": problem, "context": context, "group": group, "positions": count, **sums})
    return rows


def text_row(
    where: Mapping[str, Any], problem: str, samples: int, values: Mapping[str, float | None]
) -> dict[str, Any]:
    """A text-level row; ``positions`` is the number of samples."""
    return {**where, "problem": problem, "context": "", "group": TEXT_GROUP, "positions": samples, **values}


def to_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as Parquet. Sums are stored as float32, ample for tables and half the size."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    names = pa.dictionary(pa.int32(), pa.string())
    columns = [(k, pa.int64() if k == "seed" else names) for k in KEY]
    columns += [("positions", pa.int64()), *((q, pa.float32()) for q in (*SUMMED, *TEXTUAL))]
    schema = pa.schema(columns)
    table = pa.Table.from_pylist([{name: r.get(name) for name, _ in columns} for r in rows], schema=schema)
    sink = io.BytesIO()
    floats = [*SUMMED, *TEXTUAL]
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=19,
        use_dictionary=list(KEY),
        use_byte_stream_split=floats,
    )
    return sink.getvalue()
