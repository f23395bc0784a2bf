"""Records: what a finished run leaves, enough to derive every table again and to grade every sample again.

A record is a folder::

    record.json         design, configuration, inputs with digests, environment, digests of the files below
    counts.parquet      one row a (arm, seed, task, problem)
    verdicts.parquet    one row a sample
    samples.jsonl.zst   the samples themselves
    corpora.jsonl.zst   what the distilled models were trained on
    measures.parquet    for ablations that measure: sums over groups of positions, counts over samples
                        (:mod:`harness.measure`)

Counts follow from verdicts; they are kept because tables need nothing more.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.canonical import file_digest
from harness.errors import BadInput
from harness.ledger.migrate import SCHEMA_VERSION, migrate
from harness.ledger.store import dump_lines, load_lines, write_atomic

if TYPE_CHECKING:
    import pyarrow

COUNT_COLUMNS = ("arm", "seed", "task", "problem", "stratum", "n", "passed", "no_code", "truncated", "infra", "tokens")

FORMAT_FAILURES = ("no_code", "no_answer")
"""Outcomes of answers without the form asked for. The column ``no_code`` counts both."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A finished run, read from its folder. ``head`` is ``record.json``."""

    path: Path
    head: dict[str, Any]

    @property
    def run_id(self) -> str:
        return str(self.head["run_id"])

    @property
    def ablation(self) -> str:
        return str(self.head["ablation"])

    def counts(self) -> list[Row]:
        return _read_table(self.path / "counts.parquet")

    def verdicts(self) -> list[Row]:
        return _read_table(self.path / "verdicts.parquet")

    def measures(self) -> list[Row]:
        """Rows of teacher-forced and text-level measures; none where the ablation measures nothing."""
        path = self.path / "measures.parquet"
        return _read_table(path) if "measures.parquet" in self.head["files"] else []

    def samples(self) -> list[Row]:
        import zstandard

        packed = (self.path / "samples.jsonl.zst").read_bytes()
        return load_lines(zstandard.ZstdDecompressor().decompress(packed, max_output_size=2**31))


def write_record(
    folder: Path,
    head: Mapping[str, Any],
    verdicts: list[Row],
    samples: list[Row],
    corpora: list[Row],
    measures: bytes = b"",
) -> Record:
    """Write a record; ``record.json`` comes last, so that a folder with one is whole.

    ``measures`` is the file of measured distributions, empty for ablations that measure nothing.
    """
    files = {
        "counts.parquet": _table_bytes(count(verdicts)),
        "verdicts.parquet": _table_bytes(verdicts),
        "samples.jsonl.zst": _packed(samples),
        "corpora.jsonl.zst": _packed(corpora),
    }
    if measures:
        files["measures.parquet"] = measures
    for name, data in files.items():
        write_atomic(folder / name, data)
    whole = {"schema": SCHEMA_VERSION, **head, "files": {name: file_digest(folder / name) for name in files}}
    write_atomic(folder / "record.json", (json.dumps(whole, sort_keys=True, indent=1) + "\n").encode())
    return Record(folder, json.loads(json.dumps(whole)))


def load_record(folder: Path) -> Record:
    """Read a record.

    Raises:
        BadInput: if the folder holds none, or one of a schema this version does not know.
    """
    target = folder / "record.json"
    if not target.exists():
        raise BadInput(f"{folder}: no record.json in it, so not a finished run")
    try:
        head = json.loads(target.read_text())
    except ValueError as error:
        raise BadInput(f"{target}: not JSON ({error})") from error
    if not isinstance(head, dict):
        raise BadInput(f"{target}: a JSON object is wanted, not {type(head).__name__}")
    return Record(folder, migrate(head, str(target)))


def load_records(folder: Path) -> list[Record]:
    """Every record below a folder, by run id."""
    heads = sorted(folder.glob("*/record.json"))
    return sorted((load_record(h.parent) for h in heads), key=lambda r: r.run_id)


def count(verdicts: Iterable[Row]) -> list[Row]:
    """Counts a problem. ``n`` leaves out samples we failed to grade (``infra``); they are never scored."""
    cells: dict[tuple[Any, ...], Row] = {}
    for v in verdicts:
        key = (v["arm"], v["seed"], v["task"], v["problem"])
        names = dict(zip(("arm", "seed", "task", "problem"), key, strict=True))
        cell = cells.setdefault(key, {**names, "stratum": v["stratum"], **dict.fromkeys(COUNT_COLUMNS[5:], 0)})
        infra = v["outcome"] == "infra_error"
        cell["infra"] += infra
        cell["n"] += not infra
        cell["passed"] += bool(v["passed"]) and not infra
        cell["no_code"] += v["outcome"] in FORMAT_FAILURES
        cell["truncated"] += v["finish"] == "length"
        cell["tokens"] += v["tokens"]
    return list(cells.values())


def _table_bytes(rows: list[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table: pyarrow.Table = pa.Table.from_pylist(rows)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", compression_level=19)
    return sink.getvalue()


def _read_table(path: Path) -> list[Row]:
    import pyarrow.parquet as pq

    rows: list[Row] = pq.read_table(path).to_pylist()
    return rows


def _packed(rows: list[Row]) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=19).compress(dump_lines(rows))
