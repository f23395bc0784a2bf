"""Publishing: what is refused, what is marked, what stays outside git."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from making_records import DESIGN, make_record

from harness.cli import main
from harness.errors import BadInput, CheckFailed
from harness.ledger import log
from harness.ledger.publish import MAX_SAMPLES_BYTES, publish, withdraw
from harness.ledger.record import load_record
from harness.ledger.schema import faults
from harness.ledger.standing import confirmatory, find_record, standing_records
from harness.ledger.statement import STATEMENTS

SMOKE = tuple("scale=smoke" if o.startswith("scale=") else o for o in DESIGN)


def only(runs):
    (head,) = runs.glob("*/record.json")
    return load_record(head.parent)


def test_a_published_run_has_its_files_provenance_and_entry(run_folder, tmp_path):
    done = publish(only(run_folder), tmp_path)
    names = {p.name for p in done.record.path.iterdir()}
    assert names == {*done.record.head["files"], "record.json", STATEMENTS}
    for line in (done.record.path / STATEMENTS).read_text().splitlines():
        assert faults("statement", json.loads(line)) == []
    (event,) = log.read(tmp_path)
    assert event.kind == "publish"
    assert event.subject["run"] == done.record.run_id
    assert event.subject["exploratory"] is False
    assert faults("event", json.loads(event.line)) == []
    assert [confirmatory(r) for r in standing_records(tmp_path)] == [True]
    with pytest.raises(BadInput, match="published already"):
        publish(only(run_folder), tmp_path)


@pytest.mark.parametrize(
    ("commit", "dirty", "why"), [("b" * 40, True, "uncommitted changes"), (None, None, "outside git")]
)
def test_evidence_from_unknown_code_is_refused_or_marked(tmp_path, commit, dirty, why):
    record = make_record(tmp_path / "runs", commit, dirty)
    with pytest.raises(BadInput, match=why):
        publish(record, tmp_path / "results")
    assert not (tmp_path / "results").exists()
    done = publish(record, tmp_path / "results", allow_dirty=True)
    assert done.event.subject["exploratory"] is True
    assert not confirmatory(done.record)

    from harness.report.tables import render_markdown

    assert "**Exploratory**" in render_markdown(done.record)


def test_a_smoke_run_is_never_evidence(tmp_path):
    done = publish(make_record(tmp_path / "runs", "c" * 40, True, overrides=SMOKE), tmp_path / "results")
    assert done.event.subject["exploratory"] is True
    assert "too small" in done.notes[0]


def test_a_run_that_changed_since_is_not_published(run_folder, tmp_path):
    folder = tmp_path / "runs" / only(run_folder).path.name
    shutil.copytree(only(run_folder).path, folder)
    with (folder / "counts.parquet").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(CheckFailed, match=r"counts\.parquet"):
        publish(load_record(folder), tmp_path / "results")


def test_samples_too_large_for_git_stay_outside_by_digest(run_folder, tmp_path):
    folder = tmp_path / "runs" / only(run_folder).path.name
    shutil.copytree(only(run_folder).path, folder)
    head = json.loads((folder / "record.json").read_text())
    (folder / "samples.jsonl.zst").write_bytes(os.urandom(MAX_SAMPLES_BYTES + 1))
    from harness.canonical import file_digest

    head["files"]["samples.jsonl.zst"] = file_digest(folder / "samples.jsonl.zst")
    (folder / "record.json").write_text(json.dumps(head))
    done = publish(load_record(folder), tmp_path / "results")
    assert done.left_out == ("samples.jsonl.zst",)
    assert not (done.record.path / "samples.jsonl.zst").exists()
    assert done.event.subject["left_out"] == {"samples.jsonl.zst": head["files"]["samples.jsonl.zst"]}
    assert (done.record.path / "corpora.jsonl.zst").exists()


def test_a_correction_needs_a_reason_and_a_published_run(run_folder, tmp_path, capsys):
    record = only(run_folder)
    with pytest.raises(BadInput, match="not published"):
        withdraw(record, tmp_path, "why not")
    publish(record, tmp_path)
    assert main(["publish", record.run_id[:8], "--withdraw", f"--results={tmp_path}"]) == 2
    assert "--reason" in capsys.readouterr().err
    arguments = ["publish", record.run_id[:8], "--withdraw", "--reason", "a defect", f"--results={tmp_path}", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["withdrawn"] == record.run_id
    assert standing_records(tmp_path) == []
    with pytest.raises(BadInput, match="withdrawn already: a defect"):
        withdraw(record, tmp_path, "again")


def test_the_command_says_what_it_refuses_in_one_line(tmp_path, capsys):
    record = make_record(tmp_path / "runs", "b" * 40, True)
    assert main(["publish", str(record.path), f"--results={tmp_path / 'results'}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--allow-dirty" in error


def test_a_run_is_found_by_the_start_of_its_id(run_folder, tmp_path):
    record = only(run_folder)
    assert find_record(record.run_id[:6], tmp_path, run_folder).run_id == record.run_id
    assert find_record(record.path.name, tmp_path, run_folder).run_id == record.run_id
    with pytest.raises(BadInput, match="no such run"):
        find_record("0000000", tmp_path, run_folder)
    with pytest.raises(BadInput, match="no such run"):
        find_record(record.run_id[:3], tmp_path, run_folder)
