"""The rule of locks_and_forks, by case and on students whose truth is known.

The students are made of explicit distributions: what is measured, how the rival's temperature is found and how the
rule reads it are the theory's arithmetic and the project's statistics, with no model in between.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from ablations.locks_and_forks import ABLATION, HEAD, TAIL, Settings
from harness import theory
from harness.ablation import ContrastView, Decision, Findings
from harness.measure.matching import GRID, matching_temperature
from harness.measure.metrics import is_measured
from harness.spec import Contrast
from harness.stats import paired_contrast

Floats = NDArray[np.float64]
NAMES = {c.name: c for c in ABLATION.contrasts(Settings())}
DROPS, GROWS = f"base@matched > ssd [{TAIL}]", f"ssd > base@matched [{TAIL}]"
OPENS, CLOSES = f"ssd > base@matched [{HEAD}]", f"base@matched > ssd [{HEAD}]"
SAME = {f"ssd ≈ base@matched [{m}]" for m in (TAIL, HEAD)}


def decided(holds: set[str], effect: float = 0.02) -> Decision:
    assert holds <= NAMES.keys()
    views = {n: ContrastView(c, 0.01, -0.1, 0.1, 0.5, effect, n in holds) for n, c in NAMES.items()}
    return ABLATION.decide(Findings(views, {}))


@pytest.mark.parametrize(
    ("holds", "status"),
    [
        ({DROPS, OPENS}, "supported"),
        ({DROPS}, "inconclusive"),
        ({OPENS}, "inconclusive"),
        (SAME, "equivalent"),
        (SAME | {DROPS, OPENS}, "equivalent"),  # real, and smaller than what was called negligible beforehand
        ({min(SAME)}, "inconclusive"),
        ({GROWS}, "refuted"),
        ({DROPS, CLOSES}, "refuted"),
        (set(), "inconclusive"),
    ],
)
def test_the_rule(holds: set[str], status: str) -> None:
    assert decided(holds).status == status


def test_an_inconclusive_verdict_says_how_far_it_could_see() -> None:
    assert "could have seen 2.00 points and 0.020 nats" in decided(set()).sentence
    assert "too few problems" in decided(set(), float("nan")).sentence


def test_every_metric_is_measured_and_no_sample_of_the_rival_is_needed() -> None:
    assert all(is_measured(c.metric) for c in NAMES.values())


# Students whose truth is known. A problem has locks (one token well above the rest) and forks (five above the rest).

PROBLEMS, LOCKS, FORKS, VOCABULARY, RUNS = 60, 6, 6, 24, 400
STAGE = (1.3, 10, 0.8)
ERROR, POWER = 0.05, 0.80
TEMPERATURES = tuple(t for t in GRID if 0.5 < t < 1.5)
LOCK = np.arange(LOCKS + FORKS) < LOCKS


def teacher(rng: np.random.Generator) -> Floats:
    """Log-probabilities of the base, ``[problems, positions, vocabulary]``."""
    scores = rng.normal(0, 1, (PROBLEMS, LOCKS + FORKS, VOCABULARY))
    scores[:, LOCK, 0] += rng.uniform(3, 8, (PROBLEMS, 1)) + rng.normal(0, 0.5, (PROBLEMS, LOCKS))
    scores[:, ~LOCK, :5] += rng.uniform(2, 4, (PROBLEMS, 1, 1)) + rng.normal(0, 0.3, (PROBLEMS, FORKS, 5))
    return theory.temper(scores, 1.0)


def student(rng: np.random.Generator, base: Floats, truth: str, size: float) -> Floats:
    """What training made of the base: ``size`` 0 is nothing. Every student is also a little off, at random."""
    off = base + rng.normal(0, 0.08, base.shape) + rng.normal(0, 0.02, (PROBLEMS, 1, 1)) * base
    if truth == "sharpened":
        return theory.temper(off, 1 - size)
    if truth == "as the theory says":
        target = np.exp(theory.truncate(off, *STAGE))
        return theory.temper(np.log((1 - size) * np.exp(theory.temper(off, 1.0)) + size * target), 1.0)
    assert truth == "forks collapse"
    made = theory.temper(off, 1.0)
    made[:, ~LOCK] = theory.temper(off[:, ~LOCK], 1 - size)
    return made


def simulate(rng: np.random.Generator, truth: str, size: float, contrasts: dict[str, Contrast] = NAMES) -> Findings:
    base = teacher(rng)
    arms = {"base": base, "ssd": student(rng, base, truth, size)}
    curve = [float(theory.entropy(base / t).mean()) for t in TEMPERATURES]
    wanted = float(theory.entropy(arms["ssd"]).mean())
    arms["base@matched"] = theory.temper(base, matching_temperature(curve, wanted, TEMPERATURES))
    support = theory.retained_set(base, *STAGE)
    values: dict[tuple[str, str], Floats] = {}
    for name, law in arms.items():
        tail = 1 - theory.kept_mass(law, support)
        values[name, TAIL] = tail[:, LOCK].mean(axis=1)
        values[name, HEAD] = theory.entropy(theory.restrict(law, support))[:, ~LOCK].mean(axis=1)
        values[name, "entropy"] = theory.entropy(law).mean(axis=1)
    views = {}
    for name, c in contrasts.items():
        if c.family == "confirmatory" or c.metric == "entropy":
            views[name] = view(c, values[c.treatment, c.metric], values[c.control, c.metric])
    return Findings(views, {})


def view(c: Contrast, a: Floats, b: Floats) -> ContrastView:
    r = paired_contrast(a, b, test=c.test, margin=c.margin, resamples=200, seed=0, bounded=None)
    return ContrastView(c, r.difference, *r.interval, r.p_value, r.minimum_detectable_effect, r.supported)


@functools.cache
def experiments(truth: str, size: float) -> tuple[Findings, ...]:
    rng = np.random.default_rng([20260401, len(truth), round(1000 * size)])
    return tuple(simulate(rng, truth, size) for _ in range(RUNS))


def share(found: Iterable[Findings], *statuses: str) -> float:
    verdicts = [ABLATION.decide(f).status for f in found]
    return sum(v in statuses for v in verdicts) / len(verdicts)


def seen(found: Iterable[Findings], name: str) -> tuple[float, float]:
    """Mean difference of a contrast, and what the design can detect."""
    views = [f.contrasts[name] for f in found]
    return float(np.mean([v.difference for v in views])), float(np.mean([v.minimum_detectable_effect for v in views]))


@pytest.mark.parametrize("size", [0.0, 0.3])
def test_a_change_of_temperature_is_called_one(size: float) -> None:
    found = experiments("sharpened", size)
    assert share(found, "equivalent") >= POWER
    assert share(found, "supported", "refuted") <= ERROR


def test_the_theorys_student_is_recognised() -> None:
    found = experiments("as the theory says", 0.3)
    effect, detectable = seen(found, DROPS)
    assert effect < 3 * detectable, "not so large that anything would see it"
    assert share(found, "supported") >= POWER
    assert share(found, "refuted", "equivalent") <= ERROR


def test_collapsing_forks_are_recognised() -> None:
    found = experiments("forks collapse", 0.08)
    effect, detectable = seen(found, CLOSES)
    assert effect < 5 * detectable
    assert share(found, "refuted") >= POWER
    assert share(found, "supported", "equivalent") <= ERROR


def test_the_smallest_detectable_effect_is_detected_where_the_margins_are_smaller() -> None:
    """With the default margins an effect of that size is negligible, which is another right answer."""
    strict = {c.name: c for c in ABLATION.contrasts(Settings(tail_margin=0.001, head_margin=0.002))}
    rng = np.random.default_rng(7)
    found = [simulate(rng, "as the theory says", 0.11, strict) for _ in range(RUNS // 2)]
    for name in (DROPS, OPENS):
        effect, detectable = seen(found, name)
        assert effect >= 0.9 * detectable
    assert seen(found, DROPS)[0] < 1.3 * seen(found, DROPS)[1]
    assert share(found, "supported") >= POWER
    assert share(found, "refuted", "equivalent") <= ERROR
