"""The command: what it prints, what it refuses, and how little it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.ledger.record import load_record


def folder(lab):
    return next((lab / "results" / "records").iterdir())


def test_json_is_one_document_with_the_three_lists(lab, capsys):
    assert main(["audit", f"--results={lab / 'results'}", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["failed"] is False
    assert document["fault"] == []
    assert {"generation", "regrade", "selection"} <= {f["check"] for f in document["unchecked"]}
    assert any("64 without code" in f["text"] or "without code" in f["text"] for f in document["note"])
    assert len(document["log_head"]) == 64


def test_a_fault_is_printed_and_sets_the_exit_code(lab, capsys):
    (folder(lab) / "samples.jsonl.zst").write_bytes(b"")
    assert main(["audit", f"--results={lab / 'results'}"]) == 1
    out = capsys.readouterr().out
    assert "FAULTS:" in out
    assert "samples.jsonl.zst" in out
    assert "1 fault(s)" in out


def test_one_run_and_one_claim(lab, capsys):
    results = f"--results={lab / 'results'}"
    run = load_record(folder(lab)).run_id
    assert main(["audit", run[:8], results, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == [run]
    assert main(["audit", "decoding-explains", results, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["claim"]["claim"] == "decoding-explains"
    assert document["records"] == [run]
    assert main(["audit", "elsewhere", results]) == 0
    assert "no committed record tests it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "no such claim or run"),
        (["gian"], "did you mean 'gain'"),
        (["--regrade", "1.5"], "--regrade 1.5: must be a share"),
        (["--results", "/nowhere/at/all"], "no such folder"),
    ],
)
def test_bad_input_is_one_line(lab, capsys, arguments, words):
    results = [] if "--results" in arguments else [f"--results={lab / 'results'}"]
    assert main(["audit", *arguments, *results]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_same_seed_draws_the_same_samples(lab):
    from harness.audit.regrade import choose

    record = load_record(folder(lab))

    def drawn(seed):
        return [v["sample_digest"] + str(v["index"]) for v, _ in choose(record, 0.1, seed)["starter"]]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert len(drawn(1)) == 60
    assert len(choose(record, 0.0001, 1)["starter"]) == 1


def test_samples_kept_outside_git_are_said_not_to_be_checked(lab, tmp_path, capsys, monkeypatch):
    from harness.ledger import publish as publishing
    from harness.report import rebuild

    monkeypatch.setattr(publishing, "MAX_SAMPLES_BYTES", 10)
    source = next((lab / "runs").glob("*/record.json")).parent
    results = tmp_path / "other"
    publishing.publish(load_record(source), results)
    rebuild.write(results)
    assert main(["audit", f"--results={results}", "--regrade", "0.1", "--json"]) == 0
    unchecked = json.loads(capsys.readouterr().out)["unchecked"]
    assert any("harness fetch" in f["text"] for f in unchecked if f["check"] == "file")
    assert any("fetch" in f["text"] for f in unchecked if f["check"] == "regrade")


def test_tables_audit_and_claims_need_nothing_heavy(lab):
    """With torch, transformers and the validators out of reach, on the same records."""
    blocked = ("torch", "transformers", "datasets", "trl", "peft", "jsonschema", "rocrate", "docker", "matplotlib")
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "from harness.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    for arguments in (["tables", "--check"], ["audit"], ["audit", "gain"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, f"--results={lab / 'results'}"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            timeout=300,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
