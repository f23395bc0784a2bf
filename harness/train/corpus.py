"""What of a sampled corpus is kept, and why the rest is not.

The paper drops only empty responses and single-line stubs: no execution, no check of correctness, and truncated samples
stay. Filters see the response alone.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Example:
    """One sampled response with the conversation it is trained as an answer to.

    ``token_ids`` are the ids that were drawn, the stop token included where ``finished``; training uses them as they
    are (tokenising the text again may give others). They are empty where the text was changed after sampling.
    """

    key: str
    messages: tuple[tuple[str, str], ...]
    text: str
    finished: bool
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A filtered corpus. ``dropped`` maps each filter to the keys it removed, in order; the first match counts."""

    examples: tuple[Example, ...]
    dropped: Mapping[str, tuple[str, ...]]

    @property
    def counts(self) -> dict[str, int]:
        """How many each filter removed, and how many were kept (``kept``)."""
        return {**{name: len(keys) for name, keys in self.dropped.items()}, "kept": len(self.examples)}


def is_empty(text: str) -> bool:
    """Nothing but white space."""
    return not text.strip()


def is_stub(text: str) -> bool:
    """A single line, blank lines around it aside."""
    return sum(1 for line in text.splitlines() if line.strip()) == 1


FILTERS: Mapping[str, Callable[[str], bool]] = {"empty": is_empty, "stub": is_stub}
"""Name → whether a response is dropped."""


def apply_filters(examples: Iterable[Example], names: Sequence[str]) -> Kept:
    """Drop what any of the named filters matches, in the order given.

    Raises:
        BadInput: for an unknown filter.
    """
    chosen = [(name, _lookup(FILTERS, name, "corpus.filters")) for name in names]
    kept: list[Example] = []
    dropped: dict[str, list[str]] = {name: [] for name in names}
    for example in examples:
        for name, drops in chosen:
            if drops(example.text):
                dropped[name].append(example.key)
                break
        else:
            kept.append(example)
    return Kept(tuple(kept), {name: tuple(keys) for name, keys in dropped.items()})


def shuffle_responses(examples: Sequence[Example], seed: int) -> list[Example]:
    """Give every prompt another prompt's response (the random-label control).

    A random cyclic order is used, so that with two or more examples nobody keeps their own.
    """
    order = list(range(len(examples)))
    random.Random(seed).shuffle(order)
    giver = {order[i]: order[i - 1] for i in range(len(order))}
    return [
        replace(e, text=g.text, token_ids=g.token_ids, finished=g.finished)
        for i, e in enumerate(examples)
        for g in [examples[giver[i]]]
    ]


TRANSFORMS: Mapping[str, Callable[[Sequence[Example], int], list[Example]]] = {"shuffle_responses": shuffle_responses}
"""Name → deliberate damage for a control arm; SSD itself uses none."""


def apply_transforms(examples: Sequence[Example], names: Sequence[str], seed: int) -> list[Example]:
    """Apply the named transforms in order.

    Raises:
        BadInput: for an unknown transform.
    """
    result = list(examples)
    for name in names:
        result = _lookup(TRANSFORMS, name, "corpus.transforms")(result, seed)
    return result


def _lookup(table: Mapping[str, T], name: str, key: str) -> T:
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1, cutoff=0.0)
        raise BadInput(f"{key}={name}: unknown; the nearest is {near[0]}")
    return table[name]
