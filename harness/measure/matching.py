"""The temperature at which one model's mean entropy equals another's: uniform sharpening, made comparable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

GRID = (
    *(0.02, 0.05, 0.1, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95),
    *(1.05, 1.2, 1.4, 1.7, 2.2, 3.0, 5.0, 10.0),
)
"""Temperatures at which the entropy curve is taken: from almost greedy to almost uniform."""


def entropy_curve(logits: Tensor, temperatures: Sequence[float] = GRID) -> list[float]:
    """Entropy in nats at each temperature, summed over the positions of ``logits`` ``[rows, vocabulary]``.

    In float32: sums over positions need no more, and this is most of the cost.
    """
    scores = logits.float()
    out = []
    for t in temperatures:
        log_p = (scores / t).log_softmax(dim=-1)
        out.append(float(-(log_p.exp() * log_p).sum(dim=-1).double().sum()))
    return out


def matching_temperature(curve: Sequence[float], wanted: float, temperatures: Sequence[float] = GRID) -> float:
    """The temperature at which a mean-entropy curve takes a value, by monotone interpolation in log temperature.

    Entropy never falls as temperature rises (its derivative is Var(log p) / T³; arXiv:2604.01193, B.4): there is one.

    Args:
        curve: mean entropies at ``temperatures``.
        wanted: the mean entropy to match; a value beyond an end of the curve gives the temperature of that end.
        temperatures: rising.
    """
    from harness.stats._scipy import monotone_roots

    logs = np.log(np.asarray(temperatures))
    gaps = np.asarray(curve, dtype=np.float64) - wanted
    roots = monotone_roots(logs, gaps)
    return float(np.exp(roots[0] if roots else logs[int(np.argmin(np.abs(gaps)))]))
