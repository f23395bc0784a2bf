"""The nouns of the project as frozen values.

Nothing here computes results. A noun describes *what* is wanted, completely enough that its canonical JSON
(:mod:`harness.canonical`) is the key under which the result is stored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from harness.canonical import LATER
from harness.errors import BadInput


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass of temperature → min-p → top-k → top-p over next-token logits (vLLM's order), renormalised.

    ``temperature`` 0 is greedy. ``top_k`` 0 and ``top_p`` 1 and ``min_p`` 0 switch a filter off. ``entropy_theta`` θ
    above 0 makes the temperature adapt to each token: ``temperature`` · 0.8^(θ/H), H the entropy in nats of the
    distribution that enters the stage (Zhang et al. 2024, arXiv:2403.14541); 0 leaves it fixed.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    entropy_theta: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise BadInput(f"temperature={self.temperature}: must be 0 (greedy) or above")
        if not 0 < self.top_p <= 1:
            raise BadInput(f"top_p={self.top_p}: must be above 0 and at most 1")
        if self.top_k < 0:
            raise BadInput(f"top_k={self.top_k}: must be 0 (off) or above")
        if not 0 <= self.min_p < 1:
            raise BadInput(f"min_p={self.min_p}: must be from 0 (off) to below 1")
        if not 0 <= self.entropy_theta < math.inf:
            raise BadInput(f"entropy_theta={self.entropy_theta}: must be 0 (fixed temperature) or above")
        if self.entropy_theta and not self.temperature:
            raise BadInput(f"entropy_theta={self.entropy_theta}: nothing adapts at temperature=0 (greedy)")


@dataclass(frozen=True, slots=True)
class Policy:
    """A decoding policy: stages applied in order, each renormalising what the one before kept.

    One stage is ordinary decoding. Two stages, (T_train, ρ_train) then (T_eval, ρ_eval), are what the SSD paper's
    ideal-fit assumption says the trained student does when it is decoded (arXiv:2604.01193, Prop. B.2).
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not self.stages:
            raise BadInput("a decoding policy needs at least one stage")

    @classmethod
    def single(
        cls,
        temperature: float,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        entropy_theta: float = 0.0,
    ) -> Policy:
        """The ordinary one-stage policy."""
        return cls((Stage(temperature, top_k, top_p, min_p, entropy_theta),))


@dataclass(frozen=True, slots=True)
class BaseModel:
    """Weights as published: a catalogue name's source, a local path or a Hub id, at a revision.

    ``template`` are variables set at the head of the chat template (for gpt-oss: how much to reason).
    """

    source: str
    revision: str = ""
    template: tuple[tuple[str, str], ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True, slots=True)
class CorpusRecipe:
    """What is sampled from the frozen parent, from which prompts, and what of it is kept.

    ``filters`` are names from :mod:`harness.train.corpus`; the paper drops only ``empty`` and ``stub`` (single-line)
    responses. ``transforms`` name deliberate damage for control arms (none for SSD). Where nothing is kept, the model
    made from it is the one it would have started from, and records say so.
    """

    pool: str
    pool_digest: str
    n_prompts: int
    policy: Policy
    max_new_tokens: int
    samples_per_prompt: int = 1
    prompt_format: Literal["chat", "raw"] = "chat"
    filters: tuple[str, ...] = ("empty", "stub")
    transforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainRecipe:
    """Supervised fine-tuning on response tokens only.

    ``objective`` is what is minimised, as a mean over response positions: ``cross_entropy`` with the response's own
    tokens (Eq. 2 of the paper), or ``entropy``, the Shannon entropy of the model's next-token distribution, which looks
    at no token (Grandvalet & Bengio 2004; Agarwal et al. 2025, arXiv:2505.15134): sharpening and nothing else.

    Defaults follow the paper's C.1 where it states a value (AdamW betas, weight decay, cosine to ``min_lr_ratio``).
    ``steps`` are optimiser steps over batches of ``batch_size`` sequences.

    ``processes`` above 1 train in as many processes of one machine, holding whole copies (``ddp``) or shards (``fsdp``)
    of the model; ``batch_size`` is the batch of all of them together. Checkpoints are written every ``save_steps`` (0:
    eight a run). Which one becomes the model is fixed here, before training: the ``last``, or the one with the lowest
    loss on ``heldout`` examples of the corpus that are kept out of training.
    """

    method: Literal["lora", "full"] = "lora"
    steps: int = 64
    batch_size: int = 8
    micro_batch_size: int = 4
    learning_rate: float = 2e-4
    min_lr_ratio: float = 0.2
    warmup_ratio: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    max_length: int = 1024
    lora_rank: int = 32
    lora_alpha: int = 64
    lora_dropout: float = 0.0
    dtype: Literal["float32", "bfloat16"] = "float32"
    objective: Literal["cross_entropy", "entropy"] = field(default="cross_entropy", metadata=LATER)
    processes: int = field(default=1, metadata=LATER)
    sharding: Literal["none", "ddp", "fsdp"] = field(default="none", metadata=LATER)
    save_steps: int = field(default=0, metadata=LATER)
    checkpoint: Literal["last", "heldout"] = field(default="last", metadata=LATER)
    heldout: int = field(default=0, metadata=LATER)


@dataclass(frozen=True, slots=True)
class DistilledModel:
    """A model made from a parent by sampling a corpus and fine-tuning on it: a recipe, resolved to weights later.

    ``parent`` is sampled from. Training begins from ``start`` where it is given (repeated rounds on fresh weights),
    otherwise from the parent. ``accumulate`` trains on the corpora of the parent's own rounds too, oldest first.
    """

    parent: Model
    corpus: CorpusRecipe
    training: TrainRecipe
    seed: int
    round: int = 1
    start: Model | None = field(default=None, metadata=LATER)
    accumulate: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True, slots=True)
class InterpolatedModel:
    """``(1 − weight) · first + weight · second``, tensor by tensor: a control that needs no sampling of its own."""

    first: Model
    second: Model
    weight: float

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise BadInput(f"weight={self.weight}: must be from 0 (the first model) to 1 (the second)")


@dataclass(frozen=True, slots=True)
class ScaledModel:
    """The parent with every logit multiplied by one positive number, fitted to what is kept of a corpus.

    The number minimises the corpus's mean token-level cross-entropy, the loss of SSD itself, so this is the best that a
    single temperature baked into the weights can do by SSD's own measure. ``corpus``, ``seed`` and ``round`` are those
    of the distilled model it is compared with, whose samples it then shares.
    """

    parent: Model
    corpus: CorpusRecipe
    seed: int
    round: int = 1


Model: TypeAlias = BaseModel | DistilledModel | InterpolatedModel | ScaledModel


@dataclass(frozen=True, slots=True)
class Arm:
    """One column of an experiment: which model, decoded how. The task and sample count come from the scale."""

    name: str
    model: Model
    policy: Policy
    note: str = ""


@dataclass(frozen=True, slots=True)
class Contrast:
    """``treatment − control`` on one metric of the same problems.

    ``test`` is ``superiority`` (H0: difference ≤ 0), ``equivalence`` (TOST within ± ``margin``) or ``noninferiority``
    (H0: difference ≤ −``margin``). ``margin`` is in the metric's own unit (0.05 is five points of pass@1).
    """

    treatment: str
    control: str
    metric: str = "pass@1"
    test: Literal["superiority", "equivalence", "noninferiority"] = "superiority"
    margin: float = 0.0
    family: Literal["confirmatory", "exploratory"] = "confirmatory"
    strata: Literal["", "rate", "label", "date"] = field(default="", metadata=LATER)

    @property
    def name(self) -> str:
        sign = {"superiority": ">", "equivalence": "≈", "noninferiority": "≥"}[self.test]
        within = f"; {STRATA[self.strata]}" if self.strata else ""
        return f"{self.treatment} {sign} {self.control} [{self.metric}{within}]"

    def row(self) -> dict[str, str | float]:
        """Its fields as a record holds them: one that came later is left out while it has its default."""
        every = {f.name: (getattr(self, f.name), f) for f in fields(self)}
        return {k: v for k, (v, f) in every.items() if not (f.metadata.get("later") and v == f.default)}


STRATA = {"rate": "hard − easy", "label": "hardest − easiest label", "date": "later − earlier"}
"""What a contrast between strata subtracts, by :attr:`Contrast.strata`."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A derived arm: the weighted sum of other arms' per-problem values. Needs no samples of its own.

    The linear trend over rounds 0…R is the contrast of two of them (:func:`trend`).
    """

    name: str
    weights: tuple[tuple[str, float], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """A derived arm: the best of several settings, chosen by mean pass@1.

    ``by`` says on which problems it is chosen: ``test`` on those it is then scored on (the paper's way; optimistic),
    ``crossfit`` on the folds it is not scored on, ``heldout`` on the task named ``heldout``, which it is not scored on.
    Ties go to the first candidate.
    """

    name: str
    candidates: tuple[str, ...]
    by: Literal["test", "crossfit", "heldout"]
    heldout: str = ""
    note: str = ""


Derived: TypeAlias = Mixture | Selection


def trend(name: str, arms: tuple[str, ...]) -> tuple[Mixture, Mixture]:
    """Two derived arms, ``NAME, late`` and ``NAME, early``, whose difference is the least-squares trend over ``arms``.

    The difference is the slope times the span a straight line would need to have the same contrast: with weights
    w_i = i − mean(i), it is Σ w_i·y_i / Σ max(w_i, 0). For two or three arms that is last minus first.

    Raises:
        BadInput: for fewer than two arms.
    """
    if len(arms) < 2:
        raise BadInput(f"{name}: a trend needs at least two arms")
    middle = (len(arms) - 1) / 2
    offsets = [i - middle for i in range(len(arms))]
    half = sum(w for w in offsets if w > 0)
    late = tuple((arm, w / half) for arm, w in zip(arms, offsets, strict=True) if w > 0)
    early = tuple((arm, -w / half) for arm, w in zip(arms, offsets, strict=True) if w < 0)
    note = "linear trend weights"
    return Mixture(f"{name}, late", late, note), Mixture(f"{name}, early", early, note)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Teacher-forced passes over the same token sequences, and counts over samples' texts, for each arm named.

    Args:
        arms: whose next-token distributions are measured, each at the temperature of its policy's last stage and
            without truncation (so that a tempered base is a rival to be told apart from a trained student).
        contexts: where the sequences come from: names of arms (their samples) or ``reference`` (reference solutions).
        reference: the arm whose distribution defines the kept set and from which KL is taken.
        kept: the stage that defines the kept set S, applied to the reference model: SSD's training-time truncation.
        predicted: a policy of the reference arm's model whose per-token distribution is what the theory predicts of a
            student (compared by total variation); none by default.
        branch_thresholds: how many distinct next tokens at a shared prefix make a position a fork, swept.
        matched: pairs (name, arm): under that name, the reference arm's model at the one temperature at which its mean
            entropy over all positions is the arm's. Contrasts may name it on teacher-forced metrics; it has no samples.
    """

    arms: tuple[str, ...]
    contexts: tuple[str, ...]
    reference: str
    kept: Stage
    predicted: Policy | None = None
    branch_thresholds: tuple[int, ...] = (2, 3, 4)
    matched: tuple[tuple[str, str], ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True, slots=True)
class TaskRef:
    """A task with the options that change its problems or verdicts, and how much of it a scale takes.

    ``limit`` 0 takes every problem; otherwise the first ``limit`` in the order of a hash of the problem ids, so that a
    subset does not depend on file order.
    """

    name: str
    samples_per_problem: int
    max_new_tokens: int
    limit: int = 0
    path: str = ""
    profile: str = "strict"
    options: tuple[tuple[str, str], ...] = field(default=())
