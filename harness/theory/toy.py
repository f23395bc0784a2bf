"""The paper's toy finite-state machine in closed form (arXiv:2604.01193, section 4.2, C.4 and Table 6).

The paper lists four head probabilities of each state and says that the other twelve tokens follow a geometric tail
with the remaining mass, but not its ratio. The defaults here are ratios inferred from other printed numbers: the
fork's (0.50) is pinned tightly, the lock's (0.75) loosely, the root's (0.50) not at all. Optima are suprema at the
temperature where a nucleus gains a token, so compare values at given temperatures, not an arg-max of a grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.errors import BadInput
from harness.theory.distributions import Floats, temper, truncate

VOCABULARY = 16
LOCKS_PER_PATH = 3


@dataclass(frozen=True, slots=True)
class ToyMachine:
    """Log-probabilities of the root, the fork and the lock state, each of shape (16,).

    At the root token 0 and token 1 enter one of two equal paths; on a path (one fork, three locks) only token 0 is
    right. Anything else fails.
    """

    root: Floats
    fork: Floats
    lock: Floats

    def decoded(self, temperature: float, top_p: float = 1.0) -> ToyMachine:
        """The machine whose states are this one's after temperature and top-p.

        This is also the paper's ideal student: the model that fits (T_train, top-p) samples of this one exactly.
        """
        states = (truncate(state, temperature, top_p=top_p) for state in (self.root, self.fork, self.lock))
        return ToyMachine(*states)

    def success(self, temperature: float, top_p: float = 1.0) -> float:
        """Probability of reaching PASS when decoded at ``temperature`` and ``top_p``."""
        at = self.decoded(temperature, top_p)
        root, fork, lock = np.exp(at.root), np.exp(at.fork), np.exp(at.lock)
        return float((root[0] + root[1]) * fork[0] * lock[0] ** LOCKS_PER_PATH)


def state(head: Iterable[float], ratio: float) -> Floats:
    """Log-probabilities of a state: listed head values, then a geometric tail with the remaining mass.

    Args:
        head: Probabilities of tokens 0, 1, …; must sum to less than 1.
        ratio: Each tail token over the one before it, from above 0 to 1 (equal tail tokens).
    """
    listed = np.array(list(head), dtype=np.float64)
    residual = 1.0 - listed.sum()
    if not 0 < ratio <= 1:
        raise BadInput(f"ratio={ratio}: must be above 0 and at most 1")
    if residual <= 0:
        raise BadInput(f"head={listed.tolist()}: must sum to less than 1")
    tail = ratio ** np.arange(VOCABULARY - len(listed), dtype=np.float64)
    logs: Floats = np.log(np.concatenate([listed, residual * tail / tail.sum()]))
    return logs


def paper_machine(fork_ratio: float = 0.50, lock_ratio: float = 0.75, root_ratio: float = 0.50) -> ToyMachine:
    """The teacher of Table 6, with the tail ratios that the table leaves out."""
    return ToyMachine(
        root=state((0.200, 0.190, 0.329, 0.126), root_ratio),
        fork=state((0.148, 0.280, 0.140, 0.144), fork_ratio),
        lock=state((0.750, 0.055, 0.050, 0.037), lock_ratio),
    )


def support_boundary(logp: Floats, top_p: float, size: int) -> float:
    """The temperature at which the nucleus of ``logp`` grows from ``size`` to ``size`` + 1 tokens.

    The mass of the ``size`` most probable tokens falls as temperature rises, so the boundary is where it equals
    ``top_p``.

    Raises:
        BadInput: if the ``size`` tokens never fall to ``top_p`` (or start below it).
    """
    ranked = np.sort(logp[np.isfinite(logp)])[::-1]

    def mass(log_temperature: float) -> float:
        return float(np.exp(temper(ranked, float(np.exp(log_temperature))))[:size].sum())

    low, high = -6.0, 6.0
    if not (0 < size < len(ranked) and mass(low) > top_p > mass(high)):
        raise BadInput(f"size={size}, top_p={top_p}: the nucleus never changes there")
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if mass(middle) > top_p else (low, middle)
    return float(np.exp((low + high) / 2))


def best_temperature(machine: ToyMachine, top_p: float, temperatures: Iterable[float]) -> tuple[float, float]:
    """The best of ``temperatures`` at ``top_p`` and its success probability (first of equals)."""
    scored = [(machine.success(t, top_p), t) for t in temperatures]
    value = max(v for v, _ in scored)
    return next(t for v, t in scored if v == value), value
