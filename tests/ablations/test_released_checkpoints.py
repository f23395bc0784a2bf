"""released_checkpoints: whose weights are compared, and its rule on simulated experiments of known truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ablations
from ablations.released_checkpoints import ABLATION, CONTROLS, Settings
from harness.errors import BadInput
from harness.models.catalogue import published
from harness.pipeline.plan import sampled
from harness.spec import BaseModel
from tests.ablations.planting import CONTEXT, RUNS, Truth, detectable, statuses

WRONG = 0.05 * RUNS
RIGHT = 0.80 * RUNS - 2 * (0.8 * 0.2 * RUNS) ** 0.5
PAIRS = tuple(("released@eval", control) for control in CONTROLS)


def context(name: str):
    return replace(CONTEXT, base=published(name), treatment=None, treatment_decoding=None)


@pytest.mark.parametrize("named", ["qwen3_4b_thinking", "simplesd_4b_thinking"])
def test_either_model_of_the_pair_may_be_named_and_nothing_is_trained(named):
    arms = ABLATION.arms(Settings(), context(named))
    models = {a.name: a.model for a in arms}
    assert not sampled(models.values())
    assert {models[c] for c in CONTROLS} == {published("qwen3_4b_thinking")}
    assert {models["released@eval"], models["released@base"]} == {published("simplesd_4b_thinking")}
    policies = {a.name: a.policy for a in arms}
    assert policies["released@eval"] == policies["base@eval"] == CONTEXT.decoding.eval
    assert policies["released@base"] == policies["base"]


def test_a_treatment_is_taken_for_the_released_weights():
    other = BaseModel("someone/retrained")
    arms = ABLATION.arms(Settings(), replace(CONTEXT, treatment=other))
    assert {a.model for a in arms if a.name.startswith("released")} == {other}


def test_a_model_without_released_weights_is_refused_by_name():
    with pytest.raises(BadInput, match="no SSD weights were released"):
        ABLATION.arms(Settings(), context("llama31_8b_instruct"))


def test_nothing_of_it_is_in_no_difference():
    found = statuses("released_checkpoints", "nothing", Truth({}))
    assert found["supported"] <= WRONG
    assert found["refuted"] <= WRONG


@pytest.mark.parametrize(("status", "sign"), [("supported", 1), ("refuted", -1)])
def test_a_gain_and_a_loss_are_found_at_their_smallest_detectable_effect(status, sign):
    pairs = PAIRS if sign > 0 else PAIRS[:1]
    effect = sign * detectable("released_checkpoints", *pairs)
    found = statuses("released_checkpoints", status, Truth({"released@eval": effect}))
    assert found[status] >= RIGHT
    assert found["refuted" if status == "supported" else "supported"] <= WRONG


def test_a_gain_of_decoding_alone_is_called_equivalent():
    effect = detectable("released_checkpoints", ("released@eval", "base"))
    arms = ("released@eval", "base@eval", "base@train", "base@product", "base@two_stage")
    found = statuses("released_checkpoints", "decoding", Truth(dict.fromkeys(arms, effect)))
    assert found["equivalent"] >= RIGHT
    assert found["supported"] <= WRONG


def test_the_registry_has_it():
    assert ablations.load("released_checkpoints") is ABLATION
