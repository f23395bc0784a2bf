"""One record: its files, its identity, and whether counts, verdicts and samples say the same thing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from harness.audit.finding import Findings
from harness.audit.measures import check_measures
from harness.canonical import file_digest, text_digest
from harness.ledger import log
from harness.ledger.identity import run_id
from harness.ledger.record import Record, Row, count
from harness.ledger.standing import why_exploratory
from harness.ledger.statement import STATEMENTS, statement_lines

KEY = ("task", "arm", "seed", "problem", "index")


def check_record(record: Record, event: log.Event | None, found: Findings) -> None:
    """Everything that can be checked without executing anything."""
    path = record.path / "record.json"
    _check_schema(record, found)
    left_out = dict(event.subject["left_out"]) if event else {}
    present = _check_files(record, left_out, found)
    good = run_id(record.head) == record.run_id
    text = "the run id is not the digest of its configuration, code and inputs"
    found.verify(good, "run id", path, f"run id {record.run_id[:12]} follows from its inputs", text)
    _check_provenance(record, event, found)
    why = why_exploratory(record)
    if why:
        found.add("note", "standing", record.path.name, f"exploratory: {why}")
    if "verdicts.parquet" in present:
        _check_tables(record, present, found)
    check_measures(record, present, found)


def _check_schema(record: Record, found: Findings) -> None:
    """Against the shipped JSON Schema, where the validator is installed."""
    from harness.ledger.schema import available, faults

    path = record.path / "record.json"
    if not available():
        found.add("unchecked", "schema", path, "`pip install jsonschema` brings the validator")
        return
    wrong = faults("record", record.head)
    for text in wrong:
        found.add("fault", "schema", path, text)
    if not wrong:
        found.add("holds", "schema", path, "as the JSON Schema of version 2 asks")


def _check_files(record: Record, left_out: Mapping[str, str], found: Findings) -> set[str]:
    """Digest of every file; returns those that are there and right."""
    present = set()
    for name, wanted in sorted(record.head["files"].items()):
        path = record.path / name
        if not path.exists():
            if left_out.get(name) == wanted:
                text = f"kept outside git; `harness fetch {record.run_id[:12]} ADDRESS` brings sha256 {wanted[:16]}…"
                found.add("unchecked", "file", path, text)
            else:
                found.add("fault", "file", path, "missing")
            continue
        good = file_digest(path) == wanted
        if found.verify(good, "file", path, "has its digest", "its bytes are not those the record names"):
            present.add(name)
    known = {*record.head["files"], "record.json", STATEMENTS}
    for extra in sorted(p for p in record.path.iterdir() if p.name not in known):
        found.add("fault", "file", extra, "belongs to no record")
    return present


def _check_provenance(record: Record, event: log.Event | None, found: Findings) -> None:
    path = record.path / STATEMENTS
    if event is None:
        return
    if not path.exists():
        found.add("fault", "provenance", path, "missing")
        return
    good = path.read_bytes() == statement_lines(record) and file_digest(path) == event.subject["provenance"]
    found.verify(good, "provenance", path, "follows from the record", "does not follow from the record")


def _check_tables(record: Record, present: set[str], found: Findings) -> None:
    where = record.path.name
    verdicts = record.verdicts()
    _check_shape(record, verdicts, found)
    if "counts.parquet" in present:
        same = _bag(count(verdicts)) == _bag(record.counts())
        counts = record.path / "counts.parquet"
        found.verify(same, "counts", counts, "follow from the verdicts", "do not follow from the verdicts")
    if "samples.jsonl.zst" in present:
        _check_samples(record, verdicts, found)
    tally = Counter(v["outcome"] for v in verdicts)
    cut = sum(v["finish"] == "length" for v in verdicts)
    text = f"{len(verdicts)} samples: {tally['infra_error']} excluded as infrastructure errors, "
    found.add("note", "exclusions", where, f"{text}{tally['no_code']} without code, {cut} cut at the token limit")
    for row in [v for v in verdicts if v["outcome"] == "infra_error"][:20]:
        found.add("note", "exclusions", where, f"excluded: {_name(row)} ({row['detail']})")


def _check_shape(record: Record, verdicts: list[Row], found: Findings) -> None:
    """Every cell must have every problem with every index, once; a verdict's fields must not contradict each other."""
    path = record.path / "verdicts.parquet"
    seen: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for v in verdicts:
        seen[v["task"], v["arm"], v["seed"], v["problem"]].append(v["index"])
        if bool(v["passed"]) != (v["outcome"] == "passed"):
            found.add("fault", "verdicts", path, f"{_name(v)}: outcome {v['outcome']} but passed {v['passed']}")
    wrong = 0
    for task in record.head["tasks"]:
        wanted = list(range(task["samples_per_problem"]))
        for cell in (c for c in record.head["cells"] if c["task"] == task["name"]):
            where = f"{task['name']} / {cell['arm']} / seed {cell['seed']}"
            mine = {k: i for k, i in seen.items() if k[:3] == (task["name"], cell["arm"], cell["seed"])}
            bad = [k[3] for k, indices in mine.items() if sorted(indices) != wanted]
            if bad or len(mine) != task["problems"]:
                wrong += 1
                text = f"{where}: {len(mine)} of {task['problems']} problems"
                text += f"; {bad[0]} has not samples 0 to {len(wanted) - 1} once each" if bad else ""
                found.add("fault", "verdicts", path, text)
            for k in mine:
                del seen[k]
    for key in list(seen)[:3]:
        wrong += 1
        found.add("fault", "verdicts", path, f"{' / '.join(map(str, key))}: belongs to no cell of the run")
    if not wrong:
        found.add("holds", "verdicts", path, f"{len(verdicts)} verdicts, each cell complete")


def _check_samples(record: Record, verdicts: list[Row], found: Findings) -> None:
    """Each verdict must be about the sample that is archived, and each sample must have its verdict."""
    path = record.path / "samples.jsonl.zst"
    samples = {tuple(s[k] for k in KEY): s for s in record.samples()}
    wrong = []
    for v in verdicts:
        sample = samples.pop(tuple(v[k] for k in KEY), None)
        if sample is None:
            wrong.append(f"{_name(v)}: its sample is missing")
        elif text_digest(sample["text"]) != v["sample_digest"]:
            wrong.append(f"{_name(v)}: not the sample that was graded")
        elif (sample["tokens"], sample["finish"]) != (v["tokens"], v["finish"]):
            wrong.append(f"{_name(v)}: tokens or finish differ from the verdict's")
    wrong += [f"{' / '.join(map(str, key))}: a sample without a verdict" for key in samples]
    for text in wrong[:20]:
        found.add("fault", "samples", path, text)
    if len(wrong) > 20:
        found.add("fault", "samples", path, f"and {len(wrong) - 20} more")
    if not wrong:
        found.add("holds", "samples", path, f"{len(verdicts)} samples have the digests their verdicts name")


def _name(row: Row) -> str:
    return f"{row['task']} / {row['arm']} / seed {row['seed']} / {row['problem']} / sample {row['index']}"


def _bag(rows: list[Row]) -> Counter[tuple[tuple[str, Any], ...]]:
    return Counter(tuple(sorted(r.items())) for r in rows)
