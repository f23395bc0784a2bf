"""Two checkpoints in one run, each with its own way of marking an answer: grading and auditing follow the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.audit.regrade import answer_forms
from harness.config import resolve
from harness.errors import BadInput
from harness.ledger.record import Record
from harness.pipeline.plan import answer_form, make_plan

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


def _record(base: dict[str, Any], treatment: dict[str, Any] | None, models: list[dict[str, Any]]) -> Record:
    config = {"model": base, **({"treatment": treatment} if treatment else {})}
    cells = [{"arm": arm, "model": i} for i, arm in enumerate(("base", "treatment")[: len(models)])]
    return Record(Path("record"), {"config": config, "models": models, "cells": cells})


BASE = {"source": "a/one", "revision": ""}


@pytest.mark.parametrize(
    ("treatment", "model", "expected"),
    [
        (
            {"source": "a/two", "revision": "", "answer": "thinking"},
            {"source": "a/two", "revision": "f" * 40},
            "thinking",
        ),
        (
            {"source": "a/one", "revision": "e" * 40, "answer": "thinking"},
            {"source": "a/one", "revision": "e" * 40},
            "thinking",
        ),
        ({"source": "a/two", "revision": ""}, {"source": "a/two", "revision": ""}, "plain"),
        ({"source": "a/two", "revision": "", "answer": "thinking"}, {"kind": "distilled"}, "plain"),
        (None, {"source": "a/one", "revision": ""}, "plain"),
    ],
)
def test_an_audit_reads_each_arm_as_the_run_did(treatment, model, expected):
    found = answer_forms(_record(BASE, treatment, [BASE, model]))
    assert found == {"base": "plain", "treatment": expected}
