"""Experiments whose truth is known: simulated answers go through the very code that tables are made by.

A problem's solve rate under an arm is the base's rate moved by that arm's effect on the logit scale, so that an effect
of d means d on average over problems. Only counts are drawn; derived arms, cross-fitting, contrasts and rules are the
program's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

import ablations
from harness.ablation import Context, ContrastView, Decoding, Findings
from harness.canonical import to_plain
from harness.report.analysis import ContrastResult
from harness.report.values import Values, contrasts_of, derived_of
from harness.spec import BaseModel, Contrast, CorpusRecipe, TrainRecipe

Floats = NDArray[np.float64]

PROBLEMS, SAMPLES, RUNS = 500, 8, 400
FLIPS = 1_000
RATES = expit(norm.ppf((np.arange(PROBLEMS) + 0.5) / PROBLEMS, loc=-0.3, scale=1.2))
"""The base's solve rates: fixed, so that the truth is one number and only sampling varies."""

DECODING = Decoding(t_base=0.7, t_train=1.6, t_eval=0.9, top_k=20, top_p=0.8, base_top_k=20, base_top_p=0.8)
CONTEXT = Context(
    BaseModel("m"), DECODING, CorpusRecipe("p", "0", 16, DECODING.train, 64), TrainRecipe(), BaseModel("b"), DECODING
)

Effect = float | Callable[[Floats], Floats]
"""A mean shift of pass@1, or a function from the base's rates to the arm's."""


@dataclass(frozen=True)
class Truth:
    """Effects by arm; arms not named solve what the base does. ``metrics`` are shifts of other metrics, by arm."""

    effects: Mapping[str, Effect]
    metrics: Mapping[tuple[str, str], float] | None = None


@lru_cache
def shifted(effect: float) -> Floats:
    """Rates whose mean is ``effect`` above the base's."""
    if effect == 0:
        return RATES
    by = brentq(lambda s: float(np.mean(expit(logit(RATES) + s)) - RATES.mean()) - effect, -20, 20)
    return np.asarray(expit(logit(RATES) + by))


def detectable(name: str, *pairs: tuple[str, str], share: int = 1, strata: str = "") -> float:
    """The smallest effect that these contrasts of an ablation, as tables print it, detect together.

    The mean of what 20 experiments without effects print (80 % power each); for several contrasts that must all hold,
    or for one that is adjusted over ``share``, scaled to the power 1 − 0.2/count and the level 5 %/share (Bonferroni,
    which allows for any dependence).
    """
    settings = ablations.load(name).settings()
    runs = [findings(name, Truth({}), seed, settings) for seed in range(10_000, 10_020)]
    printed = max(np.mean([f.view(*p, strata=strata).minimum_detectable_effect for f in runs]) for p in pairs)
    z = norm.ppf(1 - 0.025 / share) + norm.ppf(1 - 0.2 / len(pairs))
    return ceil(1000 * printed * z / (norm.ppf(0.975) + norm.ppf(0.8))) / 1000


class Planted(Values):
    """Values of one simulated task."""

    def __init__(self, name: str, truth: Truth, settings: Any, rng: np.random.Generator) -> None:
        ablation = ablations.load(name)
        head = {
            "contrasts": [c.row() for c in ablation.contrasts(settings)],
            "derived": [to_plain(d) for d in ablation.derived(settings)],
            "tasks": [{"name": "task"}],
        }
        self.record = SimpleNamespace(head=head)  # type: ignore[assignment]
        self.task = "task"
        self.problems = [f"p{i}" for i in range(PROBLEMS)]
        self.rows = []
        self.derived = {d.name: d for d in derived_of(self.record)}
        self.truth = truth
        self.rng = rng
        self._passed: dict[str, Floats] = {}
        self._others: dict[tuple[str, str], Floats] = {}

    def rate(self, arm: str) -> Floats:
        effect = self.truth.effects.get(arm, 0.0)
        return np.asarray(effect(RATES)) if callable(effect) else shifted(effect)

    def passed(self, arm: str) -> Floats:
        """Whether each sample passes, ``[samples, problems]``."""
        if arm not in self._passed:
            self._passed[arm] = (self.rng.random((SAMPLES, PROBLEMS)) < self.rate(arm)).astype(float)
        return self._passed[arm]

    def sampled(self, arm: str, metric: str) -> Floats:
        if metric == "pass@1":
            return np.asarray(self.passed(arm).mean(axis=0, keepdims=True))
        if metric == "pass@5":
            return np.asarray(1 - (1 - self.rate(arm)[None, :]) ** 5)
        shift = (self.truth.metrics or {}).get((arm, metric), 0.0)
        if (arm, metric) not in self._others:
            self._others[arm, metric] = 0.5 + shift + 0.1 * self.rng.standard_normal((1, PROBLEMS))
        return self._others[arm, metric]

    def halves(self, contrast: Contrast, parity: int) -> tuple[Floats, Floats]:
        pair = [
            self.passed(arm)[parity::2].mean(axis=0, keepdims=True) for arm in (contrast.treatment, contrast.control)
        ]
        return pair[0], pair[1]

    def on(self, task: str) -> Values:
        """The held-out task: other problems of the same kind, the same truth."""
        other = Planted.__new__(Planted)
        other.__dict__.update(self.__dict__)
        other.task, other._passed, other._others = task, self.__dict__.setdefault("_elsewhere", {}), {}
        return other


class Lazy:
    """A contrast's view, worked out when a rule asks for one of its numbers: rules read few of them."""

    def __init__(self, values: Planted, contrast: Contrast) -> None:
        self.values, self.contrast = values, contrast

    @cached_property
    def view(self) -> ContrastView:
        result = self.values.contrast(self.contrast, resamples=0, flips=FLIPS)
        return ContrastResult(self.contrast, result, result.supported).view()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.view, name)


def findings(name: str, truth: Truth, seed: int, settings: Any) -> Findings:
    """One experiment's findings."""
    values = Planted(name, truth, settings, np.random.default_rng([seed, 20260401]))
    views: Any = {c.name: Lazy(values, c) for c in contrasts_of(values.record)}
    return Findings(views, {})


def statuses(name: str, story: str, truth: Truth) -> Counter[str]:
    """How often each status is reached over experiments that are independent of those of other stories."""
    ablation = ablations.load(name)
    settings = ablation.settings()
    first = crc32(f"{name} {story}".encode())
    return Counter(ablation.decide(findings(name, truth, first + i, settings)).status for i in range(RUNS))
