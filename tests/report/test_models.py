"""What the tables and the site say of a record's models."""

from __future__ import annotations

import pytest

from harness.report.models import arm_notes, left_alone, origin
from harness.report.tables import policy_text

BASE = {"kind": "base", "source": "m", "revision": "", "weights": "b" * 64}
MADE = {"seed": 3, "round": 2, "parent": "a" * 64, "weights": "c" * 64}
TRAINED = {"kind": "distilled", "train": {"examples": 9}, **MADE}
NOTHING = {"kind": "distilled", "train": {"examples": 0, "dropped": 9}, **MADE}
FIT = {"examples": 9, "scale": 1.25, "loss_before": 1.5, "loss_after": 1.25, "at_bound": False}
SCALED = {"kind": "scaled", "fit": FIT, **MADE}
MIXED = {"kind": "interpolated", "weight": 0.5, "first": "a" * 64, "second": "d" * 64, "weights": "c" * 64}


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (BASE, "m"),
        ({**BASE, "revision": "v2"}, "m v2"),
        (TRAINED, "made from aaaaaaaaaaaa, seed 3, round 2"),
        (NOTHING, "made from aaaaaaaaaaaa, seed 3, round 2, unchanged: no example to train on"),
        (SCALED, "made from aaaaaaaaaaaa, seed 3, round 2, every logit × 1.2500"),
        (MIXED, "50 % of the way from aaaaaaaaaaaa to dddddddddddd"),
    ],
)
def test_origin_of_every_kind_of_model(model, text):
    assert origin(model) == text


def test_only_a_made_model_without_examples_was_left_alone():
    assert [left_alone(m) for m in (BASE, TRAINED, NOTHING, SCALED, MIXED)] == [False, False, True, False, False]
    assert left_alone({**SCALED, "fit": {**FIT, "examples": 0}})


def head(models, cells):
    arms = [{"name": a} for a in dict.fromkeys(a for a, _, _ in cells)]
    rows = [{"arm": a, "seed": seed, "task": "t", "model": m} for a, seed, m in cells]
    return {"arms": arms, "models": models, "cells": rows}


def test_a_table_says_which_arms_had_no_examples_and_for_which_seeds():
    two = head([BASE, NOTHING, TRAINED], [("base", 0, 0), ("coded", 0, 1), ("coded", 1, 2), ("none", 0, 1)])
    assert arm_notes(two, "t") == [
        "`coded` (seed 0): no examples left to train on; it is the model it started from.",
        "`none`: no examples left to train on; it is the model it started from.",
    ]
    assert arm_notes(two, "other") == []
    assert arm_notes(head([BASE, TRAINED], [("base", 0, 0), ("ssd", 0, 1)]), "t") == []


def test_a_table_says_what_factor_was_fitted():
    (line,) = arm_notes(head([SCALED], [("scaled", 0, 0)]), "t")
    assert line == "`scaled`: every logit × 1.250; mean loss on the corpus 1.5000 before, 1.2500 nats after."
    edge = {**SCALED, "fit": {**FIT, "at_bound": True}}
    assert "falls beyond" in arm_notes(head([edge], [("scaled", 0, 0)]), "t")[0]


def test_records_of_before_cells_named_their_model_have_no_notes():
    old = head([NOTHING], [("ssd", 0, 0)])
    del old["cells"][0]["model"]
    assert arm_notes(old, "t") == []


def test_an_adaptive_temperature_is_part_of_a_policys_text():
    stage = {"temperature": 1, "top_k": 20, "top_p": 1, "min_p": 0}
    assert policy_text({"stages": [stage]}) == "T 1 k 20"
    assert policy_text({"stages": [{**stage, "entropy_theta": 0.5}]}) == "T 1 θ 0.5 k 20"
