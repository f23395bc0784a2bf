"""The rules of out_of_domain, by case and on simulated models whose true cost is known."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ablations.out_of_domain import ABLATION, Settings
from harness.ablation import ContrastView, Decision, Findings
from harness.spec import Contrast
from harness.stats import minimum_detectable_effect, paired_contrast

Floats = NDArray[np.float64]
NAMES = {c.name: c for c in ABLATION.contrasts(Settings())}
KEEPS = "ssd@eval ≥ base [pass@1]"
LOSES = "base > ssd@eval [pass@1]"
FORM = "ssd@eval > base [format_failure]"


def findings(holds: set[str], loss: float = 0.03, p: float = 0.5) -> Findings:
    assert holds <= NAMES.keys()

    def view(name: str, contrast: Contrast) -> ContrastView:
        difference = loss if contrast.treatment == "base" else -loss
        return ContrastView(contrast, difference, -0.1, 0.1, p, 0.08, name in holds)

    return Findings({name: view(name, c) for name, c in NAMES.items()}, {})


@pytest.mark.parametrize(
    ("holds", "status", "words"),
    [
        ({KEEPS}, "supported", "less than 5 points"),
        ({KEEPS, LOSES}, "supported", "although it loses something (3.0 points)"),
        ({LOSES}, "refuted", "loses 3.0 points"),
        ({LOSES, FORM}, "refuted", "not the form asked for"),
        (set(), "inconclusive", "could have seen 8.0 points"),
        ({FORM}, "inconclusive", "not the form asked for"),
    ],
)
def test_the_rule_for_one_task(holds: set[str], status: str, words: str) -> None:
    decision = ABLATION.decide(findings(holds))
    assert decision.status == status
    assert words in decision.sentence


def together(**tasks: Findings) -> Decision:
    assert ABLATION.overall is not None
    return ABLATION.overall(tasks)


def test_harmless_needs_every_task() -> None:
    assert together(a=findings({KEEPS}), b=findings({KEEPS})).status == "supported"
    found = together(a=findings({KEEPS}), b=findings(set()))
    assert found.status == "inconclusive"
    assert "on b" in found.sentence


def test_a_loss_must_stand_after_adjustment_over_the_tasks() -> None:
    calm = findings({KEEPS})
    lost = {"a": findings({LOSES}, p=0.03), "b": calm, "c": calm}
    assert together(a=lost["a"], b=calm).status == "inconclusive", "0.03 · 2 is above 5 %"
    assert together(a=findings({LOSES}, p=0.01), b=calm, c=calm).status == "refuted"
    assert "on a " in together(a=findings({LOSES}, p=0.01), b=calm, c=calm).sentence
    gain = findings(set(), loss=-0.2, p=0.0001)
    assert together(a=gain, b=calm).status == "inconclusive", "a significant gain is no loss"
    within = findings({KEEPS, LOSES}, p=0.0001)
    assert together(a=within, b=calm).status == "supported", "a loss within the margin is allowed"


# Models whose truth is known: each problem has a solve rate, of which SSD loses ``cost`` on average; a share of answers
# has not the form asked for, and can then not be right.

PROBLEMS, SAMPLES, RUNS = 400, 5, 400
BASE_FORM = 0.1
SPREAD = 0.1
ERROR, POWER = 0.05, 0.80


def detectable() -> float:
    """The smallest detectable effect of this design, from the variances of the simulation itself."""
    solve = 0.3 + 0.4 * np.linspace(0, 1, 1001)
    p = (1 - BASE_FORM) * solve
    within = 2 * float(np.mean(p * (1 - p))) / SAMPLES
    return minimum_detectable_effect(float(np.sqrt(within + (2 * SPREAD) ** 2 / 12)), PROBLEMS)


def answers(rng: np.random.Generator, solve: Floats, form: float) -> tuple[Floats, Floats]:
    """pass@1 and the share of format failures, a problem."""
    failed = rng.binomial(SAMPLES, form, PROBLEMS)
    return rng.binomial(SAMPLES - failed, np.clip(solve, 0, 1)) / SAMPLES, failed / SAMPLES


def simulate(rng: np.random.Generator, cost: float, form: float) -> Findings:
    """One experiment on one task."""
    solve = rng.uniform(0.3, 0.7, PROBLEMS)
    given = {"base": answers(rng, solve, BASE_FORM)}
    for arm in ("ssd@eval", "ssd@base"):
        given[arm] = answers(rng, solve - cost + rng.uniform(-SPREAD, SPREAD, PROBLEMS), form)
    views = {}
    for name, c in NAMES.items():
        if c.treatment == "ssd@base":
            continue
        a, b = (given[arm][c.metric == "format_failure"] for arm in (c.treatment, c.control))
        r = paired_contrast(a, b, test=c.test, margin=c.margin, resamples=400, seed=0)
        views[name] = ContrastView(c, r.difference, *r.interval, r.p_value, r.minimum_detectable_effect, r.supported)
    return Findings(views, {})


@pytest.fixture(scope="module")
def experiments() -> Callable[[float, float], list[Findings]]:
    @functools.cache
    def run(cost: float, form: float) -> list[Findings]:
        rng = np.random.default_rng([20260401, round(1000 * cost), round(1000 * form)])
        return [simulate(rng, cost, form) for _ in range(RUNS)]

    return run


def share(found: list[Findings], status: str) -> float:
    return sum(ABLATION.decide(f).status == status for f in found) / len(found)


def test_the_design_can_see_less_than_its_margin() -> None:
    assert detectable() < Settings().margin


def test_no_cost_is_called_harmless(experiments: Callable[[float, float], list[Findings]]) -> None:
    found = experiments(0.0, BASE_FORM)
    assert share(found, "refuted") <= ERROR
    assert share(found, "supported") >= POWER


def test_a_cost_of_the_margin_is_found_and_rarely_called_harmless(
    experiments: Callable[[float, float], list[Findings]],
) -> None:
    # The cost is of solving; a share of answers is lost to their form before that.
    found = experiments(Settings().margin / (1 - BASE_FORM), BASE_FORM)
    assert share(found, "supported") <= ERROR
    assert share(found, "refuted") >= POWER
    blamed = sum("form asked for" in ABLATION.decide(f).sentence for f in found) / len(found)
    assert blamed <= ERROR, "wrong answers are not blamed on their form"


def test_a_pure_loss_of_form_is_found_and_named(experiments: Callable[[float, float], list[Findings]]) -> None:
    # Half of the answers that lose their form would have been right.
    found = experiments(0.0, BASE_FORM + 2 * Settings().margin)
    named = [ABLATION.decide(f) for f in found]
    assert sum(d.status == "refuted" and "form asked for" in d.sentence for d in named) / len(named) >= POWER
    assert share(found, "supported") <= ERROR


def test_many_tasks_without_a_cost_are_rarely_called_costly(
    experiments: Callable[[float, float], list[Findings]],
) -> None:
    found = experiments(0.0, BASE_FORM)
    families = [found[i : i + 4] for i in range(0, RUNS, 4)]
    statuses = [together(**{f"task{i}": f for i, f in enumerate(family)}).status for family in families]
    assert statuses.count("refuted") / len(statuses) <= ERROR
