"""What of a sampled corpus is kept, and why the rest is not.

The paper drops only empty responses and single-line stubs: no execution, no check of correctness, and truncated samples
stay. The other filters and the transforms make control arms. Filters see the response alone.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.canonical import key64
from harness.errors import BadInput
from harness.grade.extract import extract_code

T = TypeVar("T")


class NothingToTrainOn(BadInput):
    """A corpus of which nothing is left: an outcome of its filters, and no reason to lose the rest of a run."""


@dataclass(frozen=True, slots=True)
class Example:
    """One sampled response with the conversation it is trained as an answer to.

    ``token_ids`` are the ids that were drawn, the stop token included where ``finished``; training uses them as they
    are (tokenising the text again may give others). They are empty where the text was changed after sampling, and go
    before the text where they were changed themselves.
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


def has_code(text: str) -> bool:
    """Whether grading would find a program (:func:`harness.grade.extract.extract_code`, whatever its name)."""
    return bool(extract_code(text))


FILTERS: Mapping[str, Callable[[Example], bool]] = {
    "empty": lambda e: is_empty(e.text),
    "stub": lambda e: is_stub(e.text),
    "codeless": lambda e: not has_code(e.text),
    "coded": lambda e: has_code(e.text),
    "truncated": lambda e: not e.finished,
}
"""Name → whether a response is dropped. The name is of what goes: ``codeless`` keeps the responses with a program,
``coded`` those without one, ``truncated`` those that ended by themselves."""


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
            if drops(example):
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


def shuffle_tokens(examples: Sequence[Example], seed: int) -> list[Example]:
    """Put each response's tokens in a random order, its stop token left at the end.

    The response keeps its length, its tokens and its way of ending; what goes is everything their order says. Each
    example has an order of its own, which depends on the seed and the example's key alone. ``text`` stays as it was.

    Raises:
        BadInput: after a transform that changed the text, for which there are no sampled tokens.
    """
    return [replace(e, token_ids=_shuffled(e, seed)) for e in examples]


def _shuffled(example: Example, seed: int) -> tuple[int, ...]:
    if example.text and not example.token_ids:
        raise BadInput("corpus.transforms=shuffle_tokens: goes before transforms that write another text")
    end = len(example.token_ids) - example.finished
    body, stop = list(example.token_ids[:end]), example.token_ids[end:]
    random.Random(key64(seed, "shuffle_tokens", example.key)).shuffle(body)
    return (*body, *stop)


FORMAT = "```python\npass\n```"
"""A whole answer in the form asked for with nothing in it."""

OPENING = "```python\n"
"""How an answer in the form asked for begins."""


def format_only(examples: Sequence[Example], seed: int) -> list[Example]:
    """Make every response :data:`FORMAT`, a fenced Python block that does nothing, and end there.

    Asks (ssd.md Q10) whether prompts in the benchmark's wording and answers in its form are enough: what training sees
    of the response is the fence, the tag and the end of the turn, and no code of the model's own. ``pass`` is the
    shortest program; without any, the block would not count as an answer.

    What it does not do: leave the model's code alone. ``pass`` is learned too, so a loss against the base says nothing
    about the form; a gain would. :func:`opening_only` trains on no program at all.
    """
    return [replace(e, text=FORMAT, token_ids=(), finished=True) for e in examples]


def opening_only(examples: Sequence[Example], seed: int) -> list[Example]:
    """Make every response :data:`OPENING` and cut it there, so that no code and no end is learned.

    The milder form of :func:`format_only`: it trains the model to answer these prompts with a fenced Python block, and
    leaves what is in it, and when it ends, as it was.
    """
    return [replace(e, text=OPENING, token_ids=(), finished=False) for e in examples]


TRANSFORMS: Mapping[str, Callable[[Sequence[Example], int], list[Example]]] = {
    "shuffle_responses": shuffle_responses,
    "shuffle_tokens": shuffle_tokens,
    "format_only": format_only,
    "opening_only": opening_only,
}
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
