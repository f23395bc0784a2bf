"""Next-token distributions under temperature and truncation, in log space.

Every function takes log-probabilities (or logits: a constant per row makes no difference) with the vocabulary on the
last axis and any leading axes. ``-inf`` marks a token that cannot occur. All entropies are in nats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def log_normalise(logits: ArrayLike) -> Floats:
    """Log-probabilities of ``logits``, shape (…, V)."""
    x = np.asarray(logits, dtype=np.float64)
    top = x.max(axis=-1, keepdims=True)
    shifted = x - top
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


def temper(logp: ArrayLike, temperature: float) -> Floats:
    """Log-probabilities raised to the power ``1/temperature`` and renormalised; ``temperature`` above 0."""
    if not temperature > 0:
        raise BadInput(f"temperature={temperature}: must be above 0 here (greedy has no power transform)")
    return log_normalise(np.asarray(logp, dtype=np.float64) / temperature)


def retained_set(logp: ArrayLike, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Mask:
    """Tokens that survive temperature, then top-k, then top-p on what top-k left, renormalised (the paper's App. A).

    Top-p keeps the smallest prefix of the ranking whose mass reaches ``top_p``, so at least one token survives. Equal
    probabilities rank in token order.

    Returns:
        Boolean mask of shape (…, V): the set S of Equation 4.
    """
    tempered = temper(logp, temperature)
    size = tempered.shape[-1]
    order = np.argsort(-tempered, axis=-1, kind="stable")
    ranked = np.take_along_axis(tempered, order, axis=-1)
    keep = np.isfinite(ranked)
    if 0 < top_k < size:
        keep &= np.arange(size) < top_k
    if top_p < 1:
        mass = np.exp(log_normalise(np.where(keep, ranked, -np.inf)))
        before = np.cumsum(mass, axis=-1) - mass
        keep &= before < top_p
    mask = np.zeros(tempered.shape, dtype=np.bool_)
    np.put_along_axis(mask, order, keep, axis=-1)
    return mask


def restrict(logp: ArrayLike, support: Mask) -> Floats:
    """The distribution conditioned on ``support``: zero outside, renormalised inside."""
    return log_normalise(np.where(support, np.asarray(logp, dtype=np.float64), -np.inf))


def truncate(logp: ArrayLike, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Floats:
    """One decoding stage: temper, cut to :func:`retained_set`, renormalise."""
    return restrict(temper(logp, temperature), retained_set(logp, temperature, top_k, top_p))


def kept_mass(logp: ArrayLike, support: Mask) -> Floats:
    """Probability that ``logp`` puts on ``support``, shape (…)."""
    mass: Floats = np.where(support, np.exp(log_normalise(logp)), 0.0).sum(axis=-1)
    return mass


def entropy(logp: ArrayLike) -> Floats:
    """Shannon entropy in nats, with 0·log 0 = 0."""
    x = log_normalise(logp)
    h: Floats = -(np.exp(x) * np.where(np.isfinite(x), x, 0.0)).sum(axis=-1)
    return h


def renyi_entropy(logp: ArrayLike, order: float) -> Floats:
    """Rényi entropy log(Σ p^order) / (1 − order) in nats; ``order`` 1 is the Shannon limit.

    Raises:
        BadInput: if ``order`` is not above 0.
    """
    if not order > 0:
        raise BadInput(f"order={order}: a Rényi entropy needs an order above 0")
    if order == 1:
        return entropy(logp)
    powered = order * log_normalise(logp)
    top = powered.max(axis=-1, keepdims=True)
    log_sum = (np.log(np.exp(powered - top).sum(axis=-1, keepdims=True)) + top)[..., 0]
    h: Floats = log_sum / (1.0 - order)
    return h


def kl_divergence(logq: ArrayLike, logp: ArrayLike) -> Floats:
    """KL(q ‖ p) in nats; infinite where q has mass and p has none."""
    q, p = log_normalise(logq), log_normalise(logp)
    inside = np.isfinite(q)
    terms = np.where(inside, np.exp(q) * (np.where(inside, q, 0.0) - np.where(inside, p, 0.0)), 0.0)
    divergence: Floats = terms.sum(axis=-1)
    return divergence
