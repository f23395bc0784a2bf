"""What an ablation is: a question with its arms, contrasts and decision rule, all fixed before any run.

The files in ``ablations/`` are values of :class:`Ablation` and nothing else: they hold no statistics, no storage and
no plotting, so that a reader learns the whole experiment from one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.canonical import LATER
from harness.spec import (
    Arm,
    BaseModel,
    Contrast,
    CorpusRecipe,
    Derived,
    DistilledModel,
    Measurement,
    Model,
    Policy,
    ScaledModel,
    TrainRecipe,
)

Status = Literal["supported", "refuted", "equivalent", "inconclusive", "untested"]


@dataclass(frozen=True, slots=True)
class Decoding:
    """A model's own decoding settings: what its makers recommend, and what SSD uses with it.

    ``train_top_k`` and ``train_top_p`` are for models whose corpus is truncated in another way than their evaluation.
    """

    t_base: float
    t_train: float
    t_eval: float
    top_k: int
    top_p: float
    base_top_k: int
    base_top_p: float
    train_top_k: int | None = field(default=None, metadata=LATER)
    train_top_p: float | None = field(default=None, metadata=LATER)

    @property
    def base(self) -> Policy:
        """The base model's recommended decoding."""
        return Policy.single(self.t_base, self.base_top_k, self.base_top_p)

    @property
    def train(self) -> Policy:
        """SSD's training-time sampling."""
        top_k = self.top_k if self.train_top_k is None else self.train_top_k
        top_p = self.top_p if self.train_top_p is None else self.train_top_p
        return Policy.single(self.t_train, top_k, top_p)

    @property
    def eval(self) -> Policy:
        """SSD's evaluation decoding."""
        return Policy.single(self.t_eval, self.top_k, self.top_p)

    @property
    def product(self) -> Policy:
        """One stage at T_train·T_eval: what composing the temperatures predicts (Lemma B.1)."""
        return Policy.single(self.t_train * self.t_eval, self.top_k, self.top_p)

    @property
    def two_stage(self) -> Policy:
        """Training-time sampling, renormalised, then evaluation decoding: the ideal student (Prop. B.2)."""
        return Policy(self.train.stages + self.eval.stages)


@dataclass(frozen=True, slots=True)
class Context:
    """What a run hands to an ablation: the base model, its decoding, and the recipes of SSD at the run's scale.

    ``treatment`` is the second checkpoint, with its own decoding, where a run names one (``treatment=MODEL``).
    """

    base: BaseModel
    decoding: Decoding
    corpus: CorpusRecipe
    training: TrainRecipe
    treatment: BaseModel | None = None
    treatment_decoding: Decoding | None = None

    def ssd(self, train_policy: Policy | None = None) -> DistilledModel:
        """The model SSD makes of the base. The seed is set for each replicate when the run is planned."""
        return self.distil(train_policy)

    def distil(
        self,
        policy: Policy | None = None,
        *,
        filters: tuple[str, ...] | None = None,
        transforms: tuple[str, ...] = (),
        objective: Literal["cross_entropy", "entropy"] = "cross_entropy",
        parent: Model | None = None,
        start: Model | None = None,
        accumulate: bool = False,
        steps: int | None = None,
    ) -> DistilledModel:
        """A model made like SSD's but for what is named; with nothing named, SSD's own.

        Args:
            policy: how the corpus is sampled; by default SSD's training-time sampling.
            filters: what is dropped of it (:data:`harness.train.corpus.FILTERS`); by default what the paper drops.
            transforms: what is done to the rest (:data:`harness.train.corpus.TRANSFORMS`).
            objective: what training minimises.
            parent: who is sampled from; by default the base. One that was distilled itself makes this the next round.
            start: whose weights training begins from; by default the parent's.
            accumulate: whether to train on the corpora of the parent's rounds too.
            steps: optimiser steps; by default the scale's.
        """
        source = parent or self.base
        training = replace(self.training, objective=objective, steps=steps or self.training.steps)
        corpus = replace(
            self.corpus,
            policy=policy or self.decoding.train,
            filters=self.corpus.filters if filters is None else filters,
            transforms=transforms,
        )
        round_ = source.round + 1 if isinstance(source, DistilledModel) else 1
        return DistilledModel(source, corpus, training, seed=0, round=round_, start=start, accumulate=accumulate)

    def scaled(self, policy: Policy | None = None, *, parent: Model | None = None) -> ScaledModel:
        """The parent (the base) with one factor on its logits, fitted to the corpus that :meth:`distil` would use."""
        made = self.distil(policy, parent=parent)
        return ScaledModel(made.parent, made.corpus, made.seed, made.round)


@dataclass(frozen=True, slots=True)
class ContrastView:
    """What a rule may ask of a finished contrast."""

    contrast: Contrast
    difference: float
    lower: float
    upper: float
    p_value: float
    minimum_detectable_effect: float
    holds: bool
    """Whether the contrast's own null hypothesis was rejected at its level."""
    declared: float = float("nan")
    """The p-value of the declared test, to be compared with 5 % and adjusted over several tests. ``p_value`` is the one
    that is printed: TOST's for equivalence, otherwise two-sided against no difference."""

    @property
    def opposed(self) -> bool:
        """Whether the opposite is shown instead: the control above the treatment, at one-sided 2.5 %."""
        return self.difference < 0 and self.p_value <= OPPOSED


OPPOSED = 0.05
"""Two-sided level of :attr:`ContrastView.opposed`; half of it lies on that side."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict of a rule on one task: a status and the sentence a reader gets."""

    status: Status
    sentence: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a rule decides from: contrasts by :attr:`harness.spec.Contrast.name`, and each arm's pass@1."""

    contrasts: Mapping[str, ContrastView]
    pass_at_1: Mapping[str, float]

    def view(
        self,
        treatment: str,
        control: str,
        test: Literal["superiority", "equivalence", "noninferiority"] = "superiority",
        metric: str = "pass@1",
        strata: str = "",
    ) -> ContrastView:
        """The one contrast with these arms, test, metric and strata.

        Raises:
            KeyError: if the design has none, or several.
        """
        wanted = (treatment, control, test, metric, strata)
        found = [
            v
            for v in self.contrasts.values()
            if (k := v.contrast) and (k.treatment, k.control, k.test, k.metric, k.strata) == wanted
        ]
        if len(found) != 1:
            raise KeyError(f"{len(found)} contrasts are {wanted}")
        return found[0]


def could_see(*views: ContrastView) -> str:
    """How far the least able of these contrasts could see, for the end of a sentence."""
    effects = [v.minimum_detectable_effect for v in views]
    if any(e != e for e in effects):
        return "the design has too few problems to tell"
    return f"the design could have seen {100 * max(effects):.1f} points"


def no_derived(settings: Any) -> tuple[Derived, ...]:
    """Most ablations have none."""
    return ()


def no_measurement(settings: Any, context: Context) -> Measurement | None:
    """Most ablations need none."""
    return None


Rule = Callable[[Findings], Decision]
OverallRule = Callable[[Mapping[str, Findings]], Decision]


@dataclass(frozen=True, slots=True)
class Ablation:
    """One question.

    ``settings`` is a frozen dataclass type with defaults; its fields are the keys of ``ablation.…`` overrides.
    ``arms`` and ``contrasts`` build the design from settings and context; ``decide`` maps findings to a decision.
    ``outcomes`` says, before any run, what each status would mean. ``overall``, for questions about several tasks,
    maps the findings of every task to one decision. ``derived`` names arms worked out from others' results, which
    contrasts may name like any arm; ``measurement`` asks for teacher-forced passes, whose metrics contrasts may name.
    ``tasks`` are those of a run that names none; empty leaves the program's default.
    """

    name: str
    question: str
    asked_by: str
    rule: str
    outcomes: Mapping[str, str]
    settings: type
    arms: Callable[[Any, Context], tuple[Arm, ...]]
    contrasts: Callable[[Any], tuple[Contrast, ...]]
    decide: Rule
    overall: OverallRule | None = None
    derived: Callable[[Any], tuple[Derived, ...]] = no_derived
    measurement: Callable[[Any, Context], Measurement | None] = no_measurement
    tasks: tuple[str, ...] = ()
