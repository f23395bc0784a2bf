"""The rule of matched_decoding, case by case, and its arms against the paper's identities."""

from __future__ import annotations

import numpy as np
import pytest

import ablations
from ablations.matched_decoding import ABLATION, ALTERNATIVES, DECODED, Settings
from harness.ablation import Context, ContrastView, Decoding, Findings
from harness.errors import BadInput
from harness.spec import BaseModel, CorpusRecipe, DistilledModel, ScaledModel, TrainRecipe

PAPER_30B = Decoding(t_base=0.7, t_train=1.6, t_eval=0.9, top_k=20, top_p=0.8, base_top_k=20, base_top_p=0.8)


@pytest.fixture
def context():
    corpus = CorpusRecipe("starter_pool", "0", 16, PAPER_30B.train, 64)
    return Context(BaseModel("m"), PAPER_30B, corpus, TrainRecipe(), BaseModel("after"), PAPER_30B)


def findings(beaten, equivalent):
    views = {}
    for c in ABLATION.contrasts(Settings()):
        holds = equivalent if c.test == "equivalence" else c.control in beaten
        views[c.name] = ContrastView(c, 0.0, -0.1, 0.1, 0.5, 0.08, holds)
    return Findings(views, {})


ALL = {"base", *DECODED, *ALTERNATIVES}


@pytest.mark.parametrize(
    ("beaten", "equivalent", "status"),
    [
        (ALL, False, "supported"),
        (ALL - {"base@two_stage"}, True, "equivalent"),
        ({"base"}, True, "equivalent"),
        (set(), True, "inconclusive"),  # equal to two-stage, but no gain to explain
        (ALL, True, "supported"),  # a difference that is shown goes before equality within a margin
        (ALL - {"base@product"}, False, "inconclusive"),
        (ALL - {"base@min_p"}, False, "inconclusive"),
        (ALL - {"base"}, False, "inconclusive"),
        (set(), False, "inconclusive"),
    ],
)
def test_the_rule(beaten, equivalent, status):
    assert ABLATION.decide(findings(beaten, equivalent)).status == status


def test_an_inconclusive_verdict_says_how_far_the_design_could_see():
    assert "8.0 points" in ABLATION.decide(findings(set(), False)).sentence


def test_arms_are_those_of_the_question(context):
    arms = {a.name: a for a in ABLATION.arms(Settings(), context)}
    assert set(arms) == ALL | {"ssd@eval", "ssd@base"}
    assert arms["base@train"].policy.stages[0].temperature == 1.6
    assert arms["base@product"].policy.stages[0].temperature == pytest.approx(1.44)
    assert [s.temperature for s in arms["base@two_stage"].policy.stages] == [1.6, 0.9]
    assert arms["base@min_p"].policy.stages[0].min_p == 0.1
    assert arms["base@entropy"].policy.stages[0].entropy_theta == 0.5
    assert isinstance(arms["base@scaled"].model, ScaledModel)
    assert arms["ssd@eval"].policy == arms["base@eval"].policy
    model = arms["ssd@eval"].model
    assert isinstance(model, DistilledModel)
    assert model.corpus.policy == arms["base@train"].policy
    assert arms["ssd@base"].model == model


def test_an_override_reaches_decoding_and_training_corpus_alike(context):
    arms = {a.name: a for a in ABLATION.arms(Settings(t_train=1.1), context)}
    assert arms["base@train"].policy.stages[0].temperature == 1.1
    assert arms["ssd@eval"].model.corpus.policy.stages[0].temperature == 1.1


@pytest.mark.parametrize("change", [{"t_train": -1.0}, {"top_p": 1.5}, {"top_p": 0.0}, {"t_eval": float("nan")}])
def test_impossible_decoding_is_refused(context, change):
    with pytest.raises(BadInput):
        ABLATION.arms(Settings(**change), context)


def test_tempering_twice_is_tempering_once_without_truncation():
    """Lemma B.1 of the paper: why base@product is an arm."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(50))
    once = p ** (1 / (1.6 * 0.9))
    twice = (p ** (1 / 1.6) / (p ** (1 / 1.6)).sum()) ** (1 / 0.9)
    np.testing.assert_allclose(twice / twice.sum(), once / once.sum(), rtol=1e-12)


@pytest.mark.parametrize("name", ablations.names())
def test_every_ablation_says_what_it_asks_before_any_run(name, context):
    ablation = ablations.load(name)
    assert ablation.question.endswith("?")
    assert ablation.asked_by
    assert ablation.rule
    assert ablation.outcomes
    arms = ablation.arms(ablation.settings(), context)
    assert len({a.name for a in arms}) == len(arms)
    made = ablation.derived(ablation.settings())
    measured = ablation.measurement(ablation.settings(), context)
    matched = {name for name, _ in measured.matched} if measured else set()
    known = {a.name for a in arms} | {d.name for d in made} | matched
    assert all({c.treatment, c.control} <= known for c in ablation.contrasts(ablation.settings()))
