"""Two checkpoints in one run, each with its own way of marking an answer: grading and auditing follow the model."""

from __future__ import annotations

import shutil

import pytest

from harness.audit.regrade import answer_forms
from harness.config import resolve
from harness.errors import BadInput
from harness.ledger.schema import faults
from harness.pipeline.plan import answer_form, make_plan
from harness.pipeline.run import run

PAIR = ("ablation=before_after", "scale=smoke", "task=starter", "base=qwen3_4b_instruct", "treatment=qwen3_4b_thinking")


def forms(overrides: tuple[str, ...]) -> dict[str, str]:
    config = resolve(overrides)
    return {c.arm: answer_form(config, c.model) for c in make_plan(config, outline=True).cells}


def test_each_arm_is_read_as_its_checkpoint_writes():
    found = forms(PAIR)
    assert {"base", "base@treatment", "treatment", "treatment@base"} <= found.keys()
    assert all(form == ("thinking" if arm.startswith("treatment") else "plain") for arm, form in found.items())


def test_the_form_of_a_checkpoint_can_be_said():
    found = forms((*PAIR, "treatment.answer=harmony"))
    assert {form for arm, form in found.items() if arm.startswith("treatment")} == {"harmony"}
    assert {form for arm, form in found.items() if arm.startswith("base")} == {"plain"}


def test_a_trained_model_writes_as_the_one_it_was_made_from():
    config = resolve(["ablation=matched_decoding", "scale=smoke", "task=starter", "model=qwen3_4b_thinking"])
    assert {answer_form(config, c.model) for c in make_plan(config, outline=True).cells} == {"thinking"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("treatment.anser=plain", "did you mean 'treatment.answer'"),
        ("treatment.answer=loud", "treatment.answer"),
        ("treatment.decoding.t_base=warm", "treatment.decoding"),
    ],
)
def test_a_bad_setting_of_the_treatment_is_named(override, said):
    with pytest.raises(BadInput, match=said) as caught:
        resolve([*PAIR, override])
    assert "\n" not in str(caught.value)


def test_settings_of_a_treatment_want_a_treatment():
    with pytest.raises(BadInput, match="treatment=MODEL"):
        resolve([*PAIR[:-1], "treatment.answer=plain"])


@pytest.mark.slow
def test_an_audit_reads_each_arm_as_the_run_did(tiny_model, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    small = ("scale.limit={default: 1}", "scale.samples={default: 1}", "scale.max_new_tokens={default: 4}")
    models = (f"base={tiny_model}", f"treatment={other}", "treatment.answer=thinking")
    where = ("engine.threads=1", "engine.device=cpu", "sandbox=bubblewrap", "sandbox.workers=1")
    overrides = ["ablation=before_after", "scale=smoke", "task=starter", *models, *small, *where]
    record = run(resolve(overrides), tmp_path / "runs")
    assert answer_forms(record) == forms(tuple(overrides))
    assert set(answer_forms(record).values()) == {"plain", "thinking"}
    assert faults("record", record.head) == []
