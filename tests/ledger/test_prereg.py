"""Pre-registration: the whole design, never edited, tied to what is run later by the design's digest."""

from __future__ import annotations

import json

import pytest
import yaml
from making_records import DESIGN, make_record

from harness.cli import main
from harness.ledger import log, prereg
from harness.ledger.schema import faults


@pytest.fixture
def registered(tmp_path):
    results = tmp_path / "results"
    assert main(["preregister", *DESIGN, f"--results={results}", "--json"]) == 0
    return results


def test_it_holds_the_whole_design(registered, capsys):
    document = yaml.safe_load((registered / "prereg" / "matched_decoding.yaml").read_text())
    assert faults("prereg", document) == []
    assert document["arms"][0]["name"] == "base"
    assert {c["margin"] for c in document["contrasts"]} == {0.0, 0.05}
    assert document["tasks"][0]["problems"] == 12
    assert document["tasks"][0]["samples_per_problem"] == 5
    assert "intersection" in document["rule"]
    assert set(document["hypotheses"]) == {"supported", "equivalent", "inconclusive"}
    assert "infra_error" in document["exclusions"][0]
    (event,) = log.read(registered)
    assert event.kind == "prereg"
    assert event.subject["design"] == document["design"]


def test_a_run_of_that_design_finds_its_registration(registered, tmp_path):
    record = make_record(tmp_path / "runs", "a" * 40)
    found = prereg.registration_of(record, prereg.registrations(registered))
    assert found is not None
    assert found.name == "matched_decoding"


@pytest.mark.parametrize(
    "change",
    ["ablation.margin=0.06", "task.starter.samples=6", "task.starter.limit=11", "seed=1", "scale.train_steps=25"],
)
def test_a_run_of_another_design_does_not(registered, tmp_path, change):
    record = make_record(tmp_path / "runs", "a" * 40, overrides=(*DESIGN, change))
    assert prereg.registration_of(record, prereg.registrations(registered)) is None


@pytest.mark.parametrize("change", ["engine.threads=1", "sandbox.workers=1"])
def test_what_decides_no_number_is_left_open(registered, tmp_path, change):
    record = make_record(tmp_path / "runs", "a" * 40, overrides=(*DESIGN, change))
    assert prereg.registration_of(record, prereg.registrations(registered)) is not None


def test_it_is_never_edited(registered, capsys):
    before = (registered / "prereg" / "matched_decoding.yaml").read_bytes()
    assert main(["preregister", *DESIGN, "ablation.margin=0.2", f"--results={registered}"]) == 2
    assert "never edited" in capsys.readouterr().err
    assert (registered / "prereg" / "matched_decoding.yaml").read_bytes() == before
    assert main(["preregister", *DESIGN, "ablation.margin=0.2", "--as", "wide", f"--results={registered}"]) == 0
    assert (registered / "prereg" / "wide.yaml").exists()


def test_deviations_are_appended_to_the_log(registered, capsys):
    capsys.readouterr()
    arguments = ["preregister", "ablation=matched_decoding", f"--results={registered}", "--deviation"]
    assert main([*arguments, "one problem was dropped: its tests are wrong", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entry"] == 1
    assert log.read(registered)[-1].reason == "one problem was dropped: its tests are wrong"
    assert main(["preregister", "ablation=other", f"--results={registered}", "--deviation", "x"]) == 2
    assert "no registration called 'other'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["a: [", "just words", "ablation: x"])
def test_a_file_that_is_no_registration_is_named(tmp_path, text):
    (tmp_path / "prereg").mkdir()
    (tmp_path / "prereg" / "bad.yaml").write_text(text)
    from harness.errors import BadInput

    with pytest.raises(BadInput, match=r"bad\.yaml"):
        prereg.registrations(tmp_path)
