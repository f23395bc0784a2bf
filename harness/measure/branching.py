"""Locks and forks by counting: at a shared prefix of repeated samples, how many different tokens came next?

The count looks at the base's samples alone, so a label says nothing about the model under test. With few samples only
early positions are visited often enough; the others get no label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Node:
    """A prefix: how many samples went on from it, and to where."""

    visits: int = 0
    after: dict[int, _Node] = field(default_factory=dict)


class PrefixTree:
    """Token sequences by their prefixes."""

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._root = _Node()
        for sequence in sequences:
            node = self._root
            for token in sequence:
                node.visits += 1
                node = node.after.setdefault(token, _Node())

    def counts(self, sequence: Sequence[int]) -> tuple[list[int], list[int]]:
        """For each position of ``sequence``, how many samples shared the prefix before it, and their next tokens.

        Returns:
            ``(visits, branches)``, each as long as the sequence; zeros where no sample had that prefix.
        """
        visits, branches = [], []
        node: _Node | None = self._root
        for token in sequence:
            visits.append(node.visits if node else 0)
            branches.append(len(node.after) if node else 0)
            node = node.after.get(token) if node else None
        return visits, branches


def role(visits: int, branches: int, threshold: int) -> str:
    """``fork``, ``lock`` or nothing.

    A position is a fork where at least ``threshold`` different tokens followed, a lock where one did. Either label asks
    for two visits, and for as many as the threshold: fewer could not have made a fork.
    """
    if visits < max(2, threshold):
        return ""
    return "lock" if branches == 1 else "fork" if branches >= threshold else ""
