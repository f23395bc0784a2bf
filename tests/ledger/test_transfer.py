"""Push and fetch: files at any address, accepted back only with the digests the record names."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.canonical import file_digest
from harness.cli import main
from harness.errors import BadInput, CheckFailed, MissingCapability
from harness.ledger.publish import publish
from harness.ledger.record import load_record
from harness.ledger.remote import Remote
from harness.ledger.transfer import fetch, push


@pytest.fixture
def runs(run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "runs")
    return tmp_path / "runs"


def only(runs):
    (head,) = runs.glob("*/record.json")
    return load_record(head.parent)


@pytest.fixture(params=["folder", "memory"])
def address(request, tmp_path):
    return str(tmp_path / "away") if request.param == "folder" else f"memory://{tmp_path.name}"


def test_samples_come_back_into_a_published_record(runs, tmp_path, address):
    record = only(runs)
    sent = push(record, runs / "store", address)
    assert sent.files == 5
    published = publish(record, tmp_path / "results").record
    (published.path / "samples.jsonl.zst").unlink()
    back = fetch(record.run_id[:8], tmp_path / "results", tmp_path / "elsewhere", address)
    assert (back.files, back.present) == (1, 3)
    assert published.samples() == record.samples()


def test_pushing_again_moves_nothing(runs, address):
    record = only(runs)
    push(record, runs / "store", address)
    again = push(record, runs / "store", address)
    assert (again.files, again.present) == (0, 5)


def test_a_run_that_is_nowhere_here_is_fetched_whole(runs, tmp_path, address):
    record = only(runs)
    push(record, runs / "store", address, steps=True)
    fetch(record.run_id[:8], tmp_path / "results", tmp_path / "new", address, steps=True)
    copy = load_record(tmp_path / "new" / record.path.name)
    assert copy.head == record.head
    for cell in record.head["cells"]:
        step = tmp_path / "new" / "store" / "samples" / cell["samples"]["key"]
        assert file_digest(step / "samples.jsonl") == cell["samples"]["digest"]
        assert (step / "done.json").exists()


def test_a_changed_blob_is_refused_and_nothing_written(runs, tmp_path):
    record = only(runs)
    push(record, runs / "store", str(tmp_path / "away"))
    digest = record.head["files"]["samples.jsonl.zst"]
    (tmp_path / "away" / "sha256" / digest[:2] / digest).write_bytes(b"other samples")
    (record.path / "samples.jsonl.zst").unlink()
    with pytest.raises(CheckFailed, match="other bytes"):
        fetch(record.run_id, tmp_path / "results", runs, str(tmp_path / "away"))
    assert not (record.path / "samples.jsonl.zst").exists()
    assert not list(record.path.glob(".fetch-*"))


def test_a_record_that_is_not_that_run_is_refused(runs, tmp_path):
    record = only(runs)
    push(record, runs / "store", str(tmp_path / "away"))
    listing = tmp_path / "away" / "runs" / f"{record.run_id}.json"
    changed = json.loads((record.path / "record.json").read_text())
    changed["config"]["seed"] = 9
    (record.path / "record.json").write_text(json.dumps(changed))
    document = json.loads(listing.read_text())
    document["files"]["record.json"] = Remote.open(str(tmp_path / "away")).put(record.path / "record.json")
    listing.write_text(json.dumps(document))
    with pytest.raises(CheckFailed, match="is not run"):
        fetch(record.run_id, tmp_path / "results", tmp_path / "new", str(tmp_path / "away"))


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/../../escaped", "..\\escaped"])
def test_a_listing_cannot_write_outside_its_folder(runs, tmp_path, name):
    record = only(runs)
    address = str(tmp_path / "away")
    push(record, runs / "store", address, steps=True)
    key = record.head["cells"][0]["samples"]["key"]
    listing = tmp_path / "away" / "steps" / "samples" / f"{key}.json"
    document = json.loads(listing.read_text())
    document["files"][name] = document["files"]["samples.jsonl"]
    listing.write_text(json.dumps(document))
    with pytest.raises(CheckFailed, match="outside its folder"):
        fetch(record.run_id, tmp_path / "results", tmp_path / "new", address, steps=True)
    assert not list(tmp_path.rglob("*escaped*"))


def test_a_step_with_other_samples_is_not_left_finished(runs, tmp_path):
    record = only(runs)
    address = str(tmp_path / "away")
    key = record.head["cells"][0]["samples"]["key"]
    (runs / "store" / "samples" / key / "samples.jsonl").write_text("{}\n")
    push(record, runs / "store", address, steps=True)
    with pytest.raises(CheckFailed, match="is not what run"):
        fetch(record.run_id, tmp_path / "results", tmp_path / "new", address, steps=True)
    assert not (tmp_path / "new" / "store" / "samples" / key / "done.json").exists()


def test_trained_weights_travel_and_are_checked_tensor_by_tensor(runs, tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    from harness.ledger.identity import run_id
    from harness.models.digests import weight_digest

    record = only(runs)
    head = json.loads((record.path / "record.json").read_text())
    made = {m["kind"]: m for m in head["models"] if m["kind"] != "base"}
    assert {"distilled", "scaled"} <= set(made)
    stored = {}
    for number, (kind, step_name) in enumerate((("distilled", "train"), ("scaled", "scale"))):
        step = runs / "store" / step_name / "k1"
        (step / "weights").mkdir(parents=True)
        save_file({"w": np.arange(12, dtype=np.float32) + number}, step / "weights" / "model.safetensors")
        stored[step_name] = made[kind]["weights"] = weight_digest(step / "weights")
        (step / "done.json").write_text(json.dumps({"outputs": {"weights": stored[step_name]}, "facts": {}}))
    # A model that had no example to be made from has the base's weights, and no step of its own to take along.
    nothing = {"kind": "distilled", "weights": head["models"][0]["weights"], "train": {"examples": 0}}
    head["models"].append({**nothing, "tokenizer": "t", "chat_template": "c"})
    head["run_id"] = run_id(head)
    (record.path / "record.json").write_text(json.dumps(head))
    record = load_record(record.path)
    address = str(tmp_path / "away")
    push(record, runs / "store", address, weights=True)
    fetch(record.run_id, tmp_path / "results", tmp_path / "new", address, weights=True)
    for step_name, digest in stored.items():
        assert weight_digest(tmp_path / "new" / "store" / step_name / "k1" / "weights") == digest


def test_what_is_not_there_is_said_in_one_line(runs, tmp_path, capsys):
    record = only(runs)
    with pytest.raises(BadInput, match="no such run"):
        fetch("0123456789", tmp_path / "results", tmp_path / "new", str(tmp_path / "away"))
    with pytest.raises(BadInput, match="is not at"):
        fetch(record.run_id, tmp_path / "results", runs, str(tmp_path / "away"))
    with pytest.raises(BadInput, match="distilled models are not there"):
        push(record, runs / "store", str(tmp_path / "away"), weights=True)
    with pytest.raises((BadInput, MissingCapability)):
        Remote.open("nonsense://x")


def test_the_commands(runs, tmp_path, capsys):
    record = only(runs)
    place = [f"--runs={runs}", f"--results={tmp_path / 'results'}", "--json"]
    assert main(["push", record.run_id[:8], str(tmp_path / "away"), *place]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 5
    (record.path / "corpora.jsonl.zst").unlink()
    assert main(["fetch", record.run_id[:8], str(tmp_path / "away"), *place]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 1
