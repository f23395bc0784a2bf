"""Every kind of tampering that we could think of, each found and named.

The forger of the later tests is thorough: they recompute every digest in the record, rewrite the log and regenerate
the tables. What still gives them away is git's history of the log, the samples' digests, or execution.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making_records import DESIGN, commit_all, git, make_record

from harness.audit.finding import Finding
from harness.audit.whole import audit
from harness.canonical import file_digest
from harness.ledger import log, prereg
from harness.ledger.publish import publish
from harness.ledger.record import Record, count, load_record, write_record
from harness.ledger.statement import STATEMENTS
from harness.report import rebuild


def faults(lab: Path, **options: Any) -> list[Finding]:
    return audit(lab / "results", **options).of("fault")


def folder(lab: Path) -> Path:
    return next((lab / "results" / "records").iterdir())


def named(found: list[Finding], check: str, *words: str) -> Finding:
    """The fault of a check whose place and text hold all these words."""
    for f in found:
        if f.check == check and all(w in f"{f.where} {f.text}" for w in words):
            return f
    raise AssertionError(f"no fault of {check} with {words} in {found}")


def flip(path: Path, at: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    position = len(data) // 2 if at is None else at
    data[position] ^= 0x01
    path.write_bytes(bytes(data))


def forge(lab: Path, change: Callable[[Record, list[dict[str, Any]], list[dict[str, Any]]], None]) -> Path:
    """Change verdicts and samples, then make every digest, the log and the tables agree with the lie."""
    old = load_record(folder(lab))
    verdicts, samples = old.verdicts(), old.samples()
    change(old, verdicts, samples)
    head = {k: v for k, v in old.head.items() if k not in ("files", "schema")}
    target = lab / "forged" / old.path.name
    forged = write_record(target, head, verdicts, samples, [])
    shutil.rmtree(old.path)
    results = lab / "results"
    entries = [e for e in log.read(results) if e.kind != "publish"]
    (results / log.LOG).write_bytes(b"".join(e.line + b"\n" for e in entries))
    publish(forged, results)
    rebuild.write(results)
    return results / "records" / old.path.name


def test_the_untouched_repository_has_no_fault(lab):
    done = audit(lab / "results", share=0.1, seed=1)
    assert done.of("fault") == []
    assert done.regraded is not None
    assert (done.regraded.samples, done.regraded.differences) == (60, 0)
    assert {"log", "log history", "file", "run id", "counts", "samples", "pre-registration", "tables", "regrade"} <= {
        f.check for f in done.of("holds")
    }
    assert {"generation", "selection", "times", "anchor"} <= {f.check for f in done.of("unchecked")}


@pytest.mark.parametrize("name", ["record.json", "counts.parquet", "verdicts.parquet", "samples.jsonl.zst"])
def test_one_flipped_byte(lab, name):
    path = folder(lab) / name
    flip(path)
    found = faults(lab)
    check = "published" if name == "record.json" else "file"
    named(found, check, name)


def test_a_byte_flipped_anywhere_in_record_json(lab):
    path = folder(lab) / "record.json"
    honest = path.read_bytes()
    for quarter in range(4):
        flip(path, at=len(honest) * quarter // 4)
        named(faults(lab), "published", "record.json")
        path.write_bytes(honest)
    assert faults(lab) == []


def test_a_missing_file(lab):
    (folder(lab) / "samples.jsonl.zst").unlink()
    named(faults(lab), "file", "samples.jsonl.zst", "missing")


def test_a_file_that_belongs_to_no_record(lab):
    (folder(lab) / "notes.txt").write_text("trust me")
    named(faults(lab), "file", "notes.txt")


def test_a_deleted_verdict(lab):
    forge(lab, lambda record, verdicts, samples: verdicts.pop(7))
    found = faults(lab)
    named(found, "verdicts", "has not samples 0 to 4 once each")
    named(found, "samples", "a sample without a verdict")


def test_a_deleted_verdict_with_its_sample(lab):
    def change(record, verdicts, samples):
        verdicts.pop(7)
        samples.pop(7)

    forge(lab, change)
    named(faults(lab), "verdicts", "has not samples 0 to 4 once each")


def test_a_changed_verdict_is_found_by_executing_again(lab):
    def change(record, verdicts, samples):
        lost = next(v for v in verdicts if v["arm"] == "ssd@eval" and v["outcome"] == "wrong_answer")
        lost.update(outcome="passed", passed=True)

    forge(lab, change)
    quiet = faults(lab)
    assert {f.check for f in quiet} == {"log history"}
    found = faults(lab, share=1.0)
    named(found, "regrade", "ssd@eval", "recorded passed, executed again wrong_answer")


def test_a_verdict_that_contradicts_itself(lab):
    def change(record, verdicts, samples):
        next(v for v in verdicts if not v["passed"])["passed"] = True

    forge(lab, change)
    named(faults(lab), "verdicts", "but passed True")


def test_swapped_samples(lab):
    def change(record, verdicts, samples):
        right = next(s for s in samples if "canonical" not in s["text"] and s["arm"] == "base")
        other = next(s for s in samples if s["arm"] == "ssd@eval" and s["text"] != right["text"])
        right["text"], other["text"] = other["text"], right["text"]

    forge(lab, change)
    named(faults(lab), "samples", "not the sample that was graded")


def test_changed_counts(lab):
    path = folder(lab)
    record = load_record(path)
    rows = count(record.verdicts())
    rows[0]["passed"] += 1

    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path / "counts.parquet")
    head = json.loads((path / "record.json").read_text())
    head["files"]["counts.parquet"] = file_digest(path / "counts.parquet")
    (path / "record.json").write_text(json.dumps(head))
    found = faults(lab)
    named(found, "counts", "do not follow from the verdicts")
    named(found, "published", "record.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head["config"].update(seed=head["config"]["seed"] + 1),
        lambda head: head["code"].update(commit="0" * 40),
        lambda head: head["models"][0].update(weights="0" * 64),
        lambda head: head["cells"][0]["samples"].update(digest="0" * 64),
    ],
    ids=["configuration", "commit", "weights", "samples"],
)
def test_a_changed_identity(lab, change):
    path = folder(lab) / "record.json"
    head = json.loads(path.read_text())
    change(head)
    path.write_text(json.dumps(head))
    named(faults(lab), "run id", "not the digest of its configuration")


def test_a_rule_bent_afterwards(lab):
    path = folder(lab) / "record.json"
    head = json.loads(path.read_text())
    head["rule"] = "whatever came out"
    path.write_text(json.dumps(head))
    named(faults(lab), "rule", "another rule than the run was made under")


def test_edited_provenance(lab):
    path = folder(lab) / STATEMENTS
    path.write_text(path.read_text().replace("gitCommit", "gitComit"))
    named(faults(lab), "provenance", STATEMENTS)


def test_a_reordered_log(lab):
    path = lab / "results" / log.LOG
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(second + first)
    named(faults(lab), "log", "entry 0 does not carry the hash of the entry before it")


def test_an_edited_log_entry(lab):
    path = lab / "results" / log.LOG
    path.write_text(path.read_text().replace("finished run", "finest run"))
    named(faults(lab), "log history", "changed or lacks entries that are committed")


def test_an_edited_entry_inside_the_chain(lab):
    path = lab / "results" / log.LOG
    path.write_text(path.read_text().replace("registered before any run", "registered before every run"))
    named(faults(lab), "log", "entry 1 does not carry the hash")


def test_a_shortened_log(lab):
    path = lab / "results" / log.LOG
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    found = faults(lab)
    named(found, "log history", "lacks entries that are committed")
    named(found, "published", "no entry of the log published it")


def test_a_rewritten_log_that_is_committed(lab):
    path = lab / "results" / log.LOG
    entries = log.read(lab / "results")
    path.unlink()
    for e in entries:
        log.append(lab / "results", e.kind, e.subject, e.reason + " indeed")
    commit_all(lab, "tidy up")
    named(faults(lab), "log history", "changed or removed earlier entries")


def test_a_rewritten_history_does_not_hold_the_anchor(lab):
    anchor = audit(lab / "results").head
    assert faults(lab, anchor=anchor) == []
    entries = log.read(lab / "results")
    shutil.rmtree(lab / ".git")
    (lab / "results" / log.LOG).unlink()
    for e in entries:
        log.append(lab / "results", e.kind, e.subject, e.reason + " indeed")
    named(faults(lab, anchor=anchor), "anchor", anchor)


@pytest.mark.parametrize("name", ["matched_decoding.md", "matched_decoding.arms.csv", "matched_decoding.tex"])
def test_an_edited_table_cell(lab, name):
    path = lab / "results" / "tables" / name
    text = path.read_text()
    digit = next(c for c in "98765432" if f".{c}" in text)
    path.write_text(text.replace(f".{digit}", ".1", 1))
    fault = named(faults(lab), "tables", name)
    assert "the records give" in fault.text


def test_an_edited_number_in_readme(lab):
    path = lab / "README.md"
    text = path.read_text()
    assert "ssd@eval" in text
    path.write_text(text.replace("ssd@eval", "SSD@eval", 1))
    named(faults(lab), "tables", "README.md")


def test_a_table_that_follows_from_no_record(lab):
    (lab / "results" / "tables" / "triumph.md").write_text("100 %\n")
    named(faults(lab), "tables", "triumph.md", "follows from no record")


def test_a_changed_claim_status(lab):
    path = lab / "results" / "tables" / "claims.md"
    text = path.read_text()
    assert "| refuted" in text
    path.write_text(text.replace("| refuted", "| supported", 1))
    named(faults(lab), "tables", "claims.md")


def test_a_status_typed_by_hand(lab):
    path = lab / "results" / "claims.yaml"
    path.write_text(path.read_text().replace("  side: critic", "  side: critic\n  status: supported"))
    named(faults(lab), "claims", "typed by hand")


def test_a_removed_record(lab):
    shutil.rmtree(folder(lab))
    named(faults(lab), "published", "it is gone")


def test_what_is_no_record_among_the_records(lab):
    (lab / "results" / "records" / "notes").mkdir()
    named(faults(lab), "published", "notes", "does not belong")


def test_an_unpublished_record(lab):
    head = git(lab, "rev-parse", "HEAD")
    extra = make_record(lab / "runs", head, seed=1)
    shutil.copytree(extra.path, lab / "results" / "records" / extra.path.name)
    named(faults(lab), "published", extra.path.name, "no entry of the log published it")


def test_an_edited_registration(lab):
    path = lab / "results" / "prereg" / "matched_decoding.yaml"
    path.write_text(path.read_text().replace("margin: 0.05", "margin: 0.5"))
    commit_all(lab, "fix a typo")
    found = faults(lab)
    named(found, "pre-registration", "it was edited")
    named(found, "pre-registration", "edited in commit")


def test_a_removed_registration(lab):
    (lab / "results" / "prereg" / "matched_decoding.yaml").unlink()
    named(faults(lab), "pre-registration", "it is gone")


def backdated(lab: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A second run, registered only after it was made, with every clock turned back."""
    from harness.commands.preregister import registration

    results = lab / "results"
    design = (*DESIGN, "seed=7")
    record = make_record(lab / "runs", git(lab, "rev-parse", "HEAD"), overrides=design)
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
    path = prereg.write(results, "again", registration(list(design)))
    os.utime(path, (1_577_836_800, 1_577_836_800))
    commit_all(lab, "register")
    publish(record, results)
    rebuild.write(results)
    commit_all(lab, "publish")
    return record.path


def test_a_backdated_registration(lab, monkeypatch):
    record = backdated(lab, monkeypatch)
    assert "2020-01-01" in git(lab, "log", "-1", "--format=%cI")
    found = faults(lab)
    named(found, "pre-registration", record.name, "no ancestor of the run's")
    assert len(found) == 1


def test_a_design_changed_after_registration_needs_a_deviation(lab):
    results = lab / "results"
    record = make_record(lab / "runs", git(lab, "rev-parse", "HEAD"), overrides=(*DESIGN, "ablation.margin=0.1"))
    publish(record, results)
    rebuild.write(results)
    named(faults(lab), "pre-registration", record.path.name, "no entry of the log says how or why")
    log.append(results, "deviation", {"prereg": "matched_decoding"}, "the margin was doubled, because …")
    done = audit(results)
    assert done.of("fault") == []
    assert any("the margin was doubled" in f.text for f in done.of("note"))


def test_a_withdrawn_record_stays_and_no_longer_counts(lab):
    from harness.ledger.publish import withdraw

    results = lab / "results"
    withdraw(load_record(folder(lab)), results, "the tests had a defect")
    named(faults(lab), "tables", "matched_decoding.md")
    rebuild.write(results)
    for stale in (results / "tables").glob("matched_decoding*"):
        stale.unlink()
    done = audit(results)
    assert done.of("fault") == []
    assert any("the tests had a defect" in f.text for f in done.of("note"))
    assert "4 untested" in (results / "tables" / "claims.md").read_text()
