"""The SSD paper's theory as executable arithmetic (arXiv:2604.01193, section 4 and appendix B).

Pure numpy and no models: what the theory says about given distributions, so that measured ones can be held against it.
"""

from __future__ import annotations

from harness.theory.decomposition import Decomposition, decompose, logit_gradient
from harness.theory.distributions import (
    entropy,
    kept_mass,
    kl_divergence,
    renyi_entropy,
    restrict,
    retained_set,
    temper,
    truncate,
)
from harness.theory.toy import ToyMachine, best_temperature, paper_machine, support_boundary

__all__ = [
    "Decomposition",
    "ToyMachine",
    "best_temperature",
    "decompose",
    "entropy",
    "kept_mass",
    "kl_divergence",
    "logit_gradient",
    "paper_machine",
    "renyi_entropy",
    "restrict",
    "retained_set",
    "support_boundary",
    "temper",
    "truncate",
]
