"""What one model's next-token distribution looks like at a position, beside the reference model's.

Everything full-sized is done once, in float64: the identity of Equation 4 (arXiv:2604.01193) must hold to rounding, and
a tail mass of 1e-9 is a number. The kept set is small wherever it comes from top-k, so its terms are worked out on its
own columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from harness.errors import BadInput
from harness.generate.policy import is_greedy, log_probabilities
from harness.spec import Policy, Stage

if TYPE_CHECKING:
    from torch import Tensor

BEYOND_TOP_K = 64
"""Columns looked at beyond top-k, so that ties at its border are seen."""

TOLERANCE = 1e-6
"""How far the sum of Equation 4's terms may be from the cross-entropy, relative to 1 + cross-entropy (float64 gives
about 1e-13; float32 slips would give 1e-5)."""


@dataclass(frozen=True, slots=True)
class Values:
    """One row of numbers a position, float64 ``[rows]``; entropies, divergences and Equation 4 in nats.

    Attributes:
        entropy: of the arm's distribution p.
        head_entropy: of p within the kept set S: how open the alternatives are, whatever the tail.
        tail_mass: what p puts outside the kept set S.
        probability: of the realised token under p.
        rank: of the realised token, 1 for the most likely (equals count as one rank).
        kl: KL(reference ‖ p).
        reverse_kl: KL(p ‖ reference).
        tv_predicted: total variation between p and the predicted distribution; NaN where nothing is predicted.
        tv_decoded: the same for the arm's whole policy, truncation included, instead of p.
        cross_entropy: −Σ q·log p with q the reference model tempered and cut to S.
        support_compression: −log KeptMass.
        reshaping: (1 − T)·H_{1/T}(p | S).
        alignment: T·KL(q ‖ (p | S) tempered by T).
        constant: T·H(q).
    """

    entropy: Tensor
    head_entropy: Tensor
    tail_mass: Tensor
    probability: Tensor
    rank: Tensor
    kl: Tensor
    reverse_kl: Tensor
    tv_predicted: Tensor
    tv_decoded: Tensor
    cross_entropy: Tensor
    support_compression: Tensor
    reshaping: Tensor
    alignment: Tensor
    constant: Tensor

    def lists(self) -> dict[str, list[float]]:
        """Each quantity as a list of numbers with eight significant digits."""
        return {f.name: [float(f"{x:.8g}") for x in getattr(self, f.name).tolist()] for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Law:
    """A sparse distribution: ``ids`` ``[rows, m]`` and float64 log-probabilities, −∞ for tokens without any."""

    ids: Tensor
    log_p: Tensor


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """The reference model at some positions: ``log_p`` ``[rows, vocabulary]``, ``teacher`` is q on its kept set."""

    log_p: Tensor
    teacher: Law
    predicted: Law | None
    stage: Stage

    @property
    def entropy(self) -> Tensor:
        """Of the reference's distribution, ``[rows]``."""
        return _entropy(self.log_p)


def temperature_of(policy: Policy, arm: str = "arm") -> float:
    """The temperature an arm is measured at: that of its last stage.

    Raises:
        BadInput: for a greedy policy, whose distribution is a single token.
    """
    if is_greedy(policy):
        raise BadInput(f"{arm}: decoded greedily, so there is no distribution to measure")
    return policy.stages[-1].temperature


def reference_view(logits: Tensor, temperature: float, kept: Stage, predicted: Policy | None = None) -> ReferenceView:
    """Look at the reference model's logits ``[rows, vocabulary]``.

    Args:
        logits: of the reference model.
        temperature: at which divergences from the reference are taken.
        kept: the stage that defines S.
        predicted: the policy whose law is predicted for a student.

    Raises:
        BadInput: for a kept stage that Equation 4 does not cover.
    """
    if kept.min_p > 0 or is_greedy(Policy((kept,))):
        raise BadInput("the kept set is defined by temperature, top-k and top-p, with a temperature above 0")
    scores = logits.double()
    cut = law(logits, Policy((kept,)))
    teacher = (scores.gather(-1, cut.ids) / kept.temperature).masked_fill(cut.log_p == -math.inf, -math.inf)
    return ReferenceView(
        log_p=(scores / temperature).log_softmax(dim=-1),
        teacher=Law(cut.ids, teacher.log_softmax(dim=-1)),
        predicted=law(logits, predicted) if predicted is not None else None,
        stage=kept,
    )


def law(logits: Tensor, policy: Policy) -> Law:
    """A policy's distribution, on the few columns that top-k can keep where it comes first."""
    import torch

    first = policy.stages[0]
    if first.top_k and not first.entropy_theta and not is_greedy(policy):
        m = min(logits.shape[-1], first.top_k + BEYOND_TOP_K)
        top, ids = torch.topk(logits.float(), m)
        if m == logits.shape[-1] or bool((top[:, -1] < top[:, first.top_k - 1]).all()):
            ids = ids.sort(dim=-1).values  # the vocabulary's order, which ties go by
            return Law(ids, log_probabilities(logits.gather(-1, ids), policy).double())
    ids = torch.arange(logits.shape[-1], device=logits.device).expand(logits.shape)
    return Law(ids, log_probabilities(logits, policy).double())


def measure(logits: Tensor, tokens: Tensor, policy: Policy, view: ReferenceView) -> Values:
    """Measure one arm.

    Args:
        logits: of the arm's model, ``[rows, vocabulary]``.
        tokens: int64 ``[rows]``, the tokens that follow.
        policy: the arm's; p is taken at its last stage's temperature, without truncation.
        view: the reference model at the same positions.

    Raises:
        AssertionError: if Equation 4's terms do not sum to the cross-entropy.
    """
    log_p = (logits.double() / temperature_of(policy)).log_softmax(dim=-1)
    p = log_p.exp()
    realised = tokens[:, None]
    gap = log_p - view.log_p
    reference = view.log_p.exp()
    missing = log_p.new_full(log_p.shape[:1], math.nan)
    return Values(
        entropy=-(p * log_p).sum(dim=-1),
        tail_mass=(1.0 - p.gather(-1, view.teacher.ids).masked_fill(_outside(view.teacher), 0.0).sum(dim=-1)).clamp(
            min=0.0
        ),
        probability=p.gather(-1, realised)[:, 0],
        rank=1.0 + (logits > logits.gather(-1, realised)).sum(dim=-1).double(),
        kl=-(reference * gap).sum(dim=-1),
        reverse_kl=(p * gap).sum(dim=-1),
        tv_predicted=missing if view.predicted is None else _variation(p, view.predicted),
        tv_decoded=missing if view.predicted is None else _variation(_dense(logits, policy), view.predicted),
        **_on_the_kept_set(log_p, view),
    )


def _on_the_kept_set(log_p: Tensor, view: ReferenceView) -> dict[str, Tensor]:
    """Entropy of the head, and Equation 4's terms as :func:`harness.theory.decompose` has them, on the columns of S."""
    t = view.stage.temperature
    outside = _outside(view.teacher)
    inside = log_p.gather(-1, view.teacher.ids).masked_fill(outside, -math.inf)
    log_q = view.teacher.log_p
    q = log_q.exp()
    log_kept = inside.logsumexp(dim=-1)
    head = inside - log_kept[:, None]
    tempered = (head / t).log_softmax(dim=-1)
    # (1 − T)·H_{1/T}(π) = −T·log Σ π^{1/T}; at T = 1 the sum is 1 and the term vanishes.
    terms = {
        "support_compression": -log_kept,
        "reshaping": -t * (head / t).logsumexp(dim=-1),
        "alignment": t * (q * (log_q - tempered).masked_fill(outside, 0.0)).sum(dim=-1),
        "constant": -t * (q * log_q.masked_fill(outside, 0.0)).sum(dim=-1),
    }
    cross_entropy = -(q * inside.masked_fill(outside, 0.0)).sum(dim=-1)
    off = float(((sum(terms.values()) - cross_entropy).abs() / (1.0 + cross_entropy)).max())
    if not off <= TOLERANCE:
        raise AssertionError(f"the terms of Equation 4 miss the cross-entropy by {off:.2g} (relative)")
    head_entropy = -(head.exp() * head.masked_fill(outside, 0.0)).sum(dim=-1)
    return {"head_entropy": head_entropy, "cross_entropy": cross_entropy, **terms}


def _outside(of: Law) -> Tensor:
    return of.log_p == -math.inf


def _entropy(log_p: Tensor) -> Tensor:
    return -(log_p.exp() * log_p).sum(dim=-1)


def _dense(logits: Tensor, policy: Policy) -> Tensor:
    """A policy's law over the whole vocabulary."""
    import torch

    sparse = law(logits, policy)
    return torch.zeros(logits.shape, dtype=torch.float64, device=logits.device).scatter(
        -1, sparse.ids, sparse.log_p.exp()
    )


def _variation(p: Tensor, other: Law) -> Tensor:
    """Total variation: 1 − Σ min(p, other), for which only the columns of the other matter."""
    shared = p.gather(-1, other.ids).minimum(other.log_p.exp()).sum(dim=-1)
    return (1.0 - shared).clamp(min=0.0)
