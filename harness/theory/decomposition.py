"""Equation 4 of the SSD paper: the training loss at one context as three forces and a constant.

With q the teacher's tempered and truncated distribution on its retained set S, and p the student,

    cross-entropy(q, p) = −log KeptMass(p) + (1 − T)·H_{1/T}(p | S) + T·KL(q ‖ (p | S) tempered by T) + T·H(q)

It is an identity, not an approximation (p = gate × conditional, and −T·log Σ π^{1/T} = (1 − T)·H_{1/T}(π)), so the
parts always sum to the loss. It says nothing about which part training will move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.theory.distributions import (
    Floats,
    entropy,
    kept_mass,
    kl_divergence,
    log_normalise,
    renyi_entropy,
    restrict,
    retained_set,
    temper,
    truncate,
)


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The terms of Equation 4 at each context, all of shape (…), in nats.

    Attributes:
        support_compression: −log KeptMass; zero when the student puts nothing outside S.
        reshaping: (1 − T)·H_{1/T}(p | S); zero at T = 1, rewards flatter heads for T > 1.
        alignment: T·KL(q ‖ p_{θ,T}(·|S)); zero when the student's head, tempered, is the teacher's.
        constant: T·H(q), which the student cannot change.
        cross_entropy: −Σ q·log p, computed directly and not from the four terms.
        kept_mass: what the student puts on S.
    """

    support_compression: Floats
    reshaping: Floats
    alignment: Floats
    constant: Floats
    cross_entropy: Floats
    kept_mass: Floats

    @property
    def total(self) -> Floats:
        """Sum of the four terms: equals ``cross_entropy`` up to rounding."""
        return self.support_compression + self.reshaping + self.alignment + self.constant


def decompose(
    student: ArrayLike, teacher: ArrayLike, temperature: float, top_k: int = 0, top_p: float = 1.0
) -> Decomposition:
    """Equation 4 for student and teacher log-probabilities (or logits) of shape (…, V).

    Args:
        student: The model being trained, p_θ.
        teacher: The frozen model the corpus was sampled from, p0.
        temperature: T_train, above 0.
        top_k: Training-time top-k; 0 is off.
        top_p: Training-time top-p; 1 is off.
    """
    p = log_normalise(student)
    support = retained_set(teacher, temperature, top_k, top_p)
    q = truncate(teacher, temperature, top_k, top_p)
    head = restrict(p, support)
    kept = kept_mass(p, support)
    weights = np.exp(q)
    return Decomposition(
        support_compression=-np.log(kept),
        reshaping=(1.0 - temperature) * renyi_entropy(head, 1.0 / temperature),
        alignment=temperature * kl_divergence(q, temper(head, temperature)),
        constant=temperature * entropy(q),
        cross_entropy=-np.where(weights > 0, weights * np.where(weights > 0, p, 0.0), 0.0).sum(axis=-1),
        kept_mass=kept,
    )


def logit_gradient(
    student: ArrayLike, teacher: ArrayLike, temperature: float, top_k: int = 0, top_p: float = 1.0
) -> Floats:
    """Gradient of the loss with respect to the student's logits, p − q (Eq. 17), shape (…, V).

    Zero everywhere for student = teacher, T = 1 and no truncation: the fixed point of Eq. 9.
    """
    gradient: Floats = np.exp(log_normalise(student)) - np.exp(truncate(teacher, temperature, top_k, top_p))
    return gradient
