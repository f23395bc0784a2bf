"""What a plan counts: shared corpora and shared samples once, a fitted factor as a forward pass."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.config import resolve
from harness.pipeline.cost import TRAIN_OVERHEAD_TOKENS, estimate
from harness.pipeline.plan import Cell, Plan, make_plan
from harness.spec import Policy, ScaledModel


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(resolve(["ablation=matched_decoding", "scale=smoke"]))


def with_models(plan: Plan, *models) -> SimpleNamespace:
    """The plan's tasks, with one cell for each model."""
    cells = [Cell(str(i), 0, plan.tasks[0].ref.name, m, Policy.single(1.0)) for i, m in enumerate(models)]
    return SimpleNamespace(
        config=plan.config, tasks=plan.tasks, cells=tuple(cells), models=tuple(dict.fromkeys(c.model for c in cells))
    )


def test_models_that_share_a_corpus_pay_for_it_once(plan):
    ssd = plan.cells[-1].model
    damaged = replace(ssd, corpus=replace(ssd.corpus, filters=("coded",), transforms=("shuffle_tokens",)))
    one, two = estimate(with_models(plan, ssd)), estimate(with_models(plan, ssd, damaged))
    assert two.corpus_tokens == one.corpus_tokens == 16 * 64
    assert two.training_tokens == 2 * one.training_tokens > 0
    assert two.samples == 2 * one.samples
    other_seed = estimate(with_models(plan, ssd, replace(ssd, seed=1)))
    assert other_seed.corpus_tokens == 2 * one.corpus_tokens


def test_arms_with_one_model_and_one_policy_share_their_samples(plan):
    ssd = plan.cells[-1].model
    assert estimate(with_models(plan, ssd, ssd)).generated_tokens == estimate(with_models(plan, ssd)).generated_tokens


def test_parents_that_no_arm_evaluates_are_counted(plan):
    ssd = plan.cells[-1].model
    second = replace(ssd, parent=ssd, round=2)
    alone, both = estimate(with_models(plan, second)), estimate(with_models(plan, ssd, second))
    assert alone.corpus_tokens == both.corpus_tokens == 2 * 16 * 64


def test_a_fitted_factor_costs_a_forward_pass_and_no_corpus_of_its_own(plan):
    ssd = plan.cells[-1].model
    scaled = ScaledModel(ssd.parent, ssd.corpus, ssd.seed, ssd.round)
    one, two = estimate(with_models(plan, ssd)), estimate(with_models(plan, ssd, scaled))
    assert two.corpus_tokens == one.corpus_tokens
    assert two.training_tokens - one.training_tokens == 16 * (64 + TRAIN_OVERHEAD_TOKENS) // 3
