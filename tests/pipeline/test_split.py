"""One machine generates, another grades: two stores and an address between them."""

from __future__ import annotations

import json

import pytest

from harness.cli import main
from harness.config import resolve
from harness.errors import BadInput, CheckFailed
from harness.ledger.handover import fetch_handover, load_handover, push_handover
from harness.ledger.record import load_record
from harness.ledger.remote import Remote
from harness.pipeline.run import prepare, run

SMALL = (
    "ablation=difficulty",
    "scale=smoke",
    "scale.train_steps=2",
    "scale.train_prompts=6",
    "scale.train_max_new_tokens=16",
    "task.starter.max_new_tokens=16",
    "task.starter.limit=4",
    "task.starter.samples=5",
    "engine.max_batch_rows=20",
    "engine.threads=1",
    "engine.device=cpu",
)
GRADES = ("sandbox=bubblewrap", "sandbox.workers=1")


@pytest.fixture(scope="module")
def generated(tiny_model, tmp_path_factory):
    """A machine that cannot grade: it made everything up to the samples."""
    runs = tmp_path_factory.mktemp("gpu-node")
    settings = [*SMALL, f"model={tiny_model}", "until=generate", "sandbox=docker"]
    return runs, prepare(resolve(settings), runs), settings


@pytest.fixture(params=["folder", "memory"])
def address(request, tmp_path):
    return str(tmp_path / "away") if request.param == "folder" else f"memory://{tmp_path.name}"


@pytest.mark.slow
def test_samples_made_here_are_graded_there(generated, tiny_model, tmp_path, address):
    made_on, handover, _ = generated
    assert not any(name.startswith("verdicts/") for name in handover.steps)
    push_handover(handover, made_on / "store", address)
    there = tmp_path / "cpu-node"
    moved = fetch_handover(handover.id[:8], there, address)
    assert moved is not None
    assert set(moved.steps) == set(handover.steps)
    # The grading machine has neither the model nor the trained weights, and loads none.
    assert not list((there / "store").glob("train/*/weights"))
    moved_away = tiny_model.with_name("elsewhere")
    tiny_model.rename(moved_away)
    try:
        config = resolve([*SMALL, *GRADES, f"model={tiny_model}", "from=grade"])
        split = run(config, there)
    finally:
        moved_away.rename(tiny_model)
    whole = run(resolve([*SMALL, *GRADES, f"model={tiny_model}"]), made_on)
    assert [c["samples"] for c in split.head["cells"]] == [c["samples"] for c in whole.head["cells"]]
    assert split.head["models"] == whole.head["models"]
    assert split.head["config"] == whole.head["config"]
    for name in ("counts.parquet", "samples.jsonl.zst", "corpora.jsonl.zst"):
        assert (split.path / name).read_bytes() == (whole.path / name).read_bytes()


@pytest.mark.slow
def test_what_is_missing_is_named_and_not_made(generated, tiny_model, tmp_path):
    made_on, handover, _ = generated
    push_handover(handover, made_on / "store", str(tmp_path / "away"))
    there = tmp_path / "there"
    fetch_handover(handover.id, there, str(tmp_path / "away"))
    gone = next(n for n in handover.steps if n.startswith("samples/"))
    (there / "store" / gone / "done.json").unlink()
    config = resolve([*SMALL, *GRADES, f"model={tiny_model}", "from=grade"])
    with pytest.raises(BadInput, match=rf"from=grade: not in .*: samples for \S+ \(task starter, seed 0\): {gone}"):
        run(config, there)
    assert not (there / "store" / "verdicts").exists()
    assert not (there / "store" / gone / "done.json").exists()
    with pytest.raises(BadInput, match="from=generate: not in"):
        run(resolve([*SMALL, *GRADES, f"model={tiny_model}", "from=generate"]), tmp_path / "empty")


@pytest.mark.slow
def test_digests_of_weights_are_not_taken_for_weights(generated, tiny_model, tmp_path):
    """Fetched without weights, a run that must sample them says what to fetch; with them, it samples the same."""
    made_on, handover, settings = generated
    push_handover(handover, made_on / "store", str(tmp_path / "away"), weights=True)
    there = tmp_path / "there"
    fetch_handover(handover.id, there, str(tmp_path / "away"))
    last = [n for n in handover.steps if n.startswith("samples/")]
    for name in last:
        (there / "store" / name / "done.json").unlink()
        for part in (there / "store" / name).glob("*.jsonl"):
            part.unlink()
    again = resolve([*settings, "from=generate"])
    with pytest.raises(BadInput, match="fetch them with --weights"):
        prepare(again, there)
    fetch_handover(handover.id, there / "whole", str(tmp_path / "away"), weights=True)
    for name in last:
        (there / "whole" / "store" / name / "done.json").unlink()
    assert prepare(again, there / "whole").steps == handover.steps


@pytest.mark.slow
def test_the_commands(generated, tiny_model, tmp_path, capsys):
    made_on, handover, settings = generated
    assert main(["run", *settings, f"--runs={made_on}"]) == 0
    said = capsys.readouterr().out
    assert f"harness push {handover.path.name} ADDRESS" in said
    assert "from=grade" in said
    assert "until=" not in said.split("elsewhere:")[1]
    away, there = str(tmp_path / "away"), tmp_path / "there"
    assert main(["push", handover.path.name, away, f"--runs={made_on}", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["steps"]) == set(handover.steps)
    assert main(["fetch", handover.path.name, away, f"--runs={there}"]) == 0
    capsys.readouterr()
    assert main(["run", *SMALL, *GRADES, f"model={tiny_model}", "from=grade", f"--runs={there}", "--json"]) == 0
    record = load_record(next(there.glob("*/record.json")).parent)
    assert json.loads(capsys.readouterr().out)["run"] == record.run_id
    assert main(["fetch", "0123456789", away, f"--runs={there}", f"--results={tmp_path}"]) == 2


@pytest.mark.slow
def test_changed_samples_are_refused(generated, tmp_path):
    made_on, handover, _ = generated
    away = tmp_path / "away"
    push_handover(handover, made_on / "store", str(away))
    name = next(n for n in handover.steps if n.startswith("samples/"))
    # Whoever holds the address may change a step consistently, but not what the handover says of it.
    step = tmp_path / "step"
    step.mkdir()
    (step / "samples.jsonl").write_bytes(b'{"text": "better"}\n')
    remote = Remote.open(str(away))
    listing = remote.listing(f"steps/{name}.json")
    assert listing is not None
    listing["files"]["samples.jsonl"] = remote.put(step / "samples.jsonl")
    done = json.loads((made_on / "store" / name / "done.json").read_text())
    done["outputs"]["samples.jsonl"] = listing["files"]["samples.jsonl"]["sha256"]
    (step / "done.json").write_text(json.dumps(done))
    listing["files"]["done.json"] = remote.put(step / "done.json")
    remote.put_listing(f"steps/{name}.json", listing)
    with pytest.raises(CheckFailed, match="other outputs than the handover says"):
        fetch_handover(handover.id, tmp_path / "there", str(away))
    assert not (tmp_path / "there" / "store" / name / "done.json").exists()

    document = json.loads((handover.path / "handover.json").read_text())
    document["steps"][name] = done["outputs"]
    (tmp_path / "handover.json").write_text(json.dumps(document))
    with pytest.raises(CheckFailed, match="does not follow from its contents"):
        load_handover(tmp_path)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["until=generat"], r"until=generat: no such phase; did you mean 'generate'\?"),
        (["from=grde"], r"from=grde: no such phase; did you mean 'grade'\?"),
        (["from=grade", "until=train"], "from=grade until=train: train comes before grade"),
        (["untill=train"], r"untill: no such key; did you mean 'until'\?"),
    ],
)
def test_phases_are_checked(overrides, said):
    with pytest.raises(BadInput, match=said):
        resolve(["ablation=difficulty", *overrides])


def test_a_step_cannot_be_named_outside_the_store(tmp_path):
    from harness.ledger.handover import fetch_step

    remote = Remote.open(str(tmp_path / "away"))
    remote.put_listing("steps/../escaped.json", {"files": {}})
    with pytest.raises(CheckFailed, match="outside the store"):
        fetch_step(remote, tmp_path / "store", "../escaped", None, weights=False)
