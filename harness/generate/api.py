"""What an engine is: requests in, completions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.spec import Policy


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt and the noise streams of its samples.

    ``noise_keys`` holds one 64-bit key a sample (:func:`harness.canonical.key64` of run seed, purpose, round, task,
    problem id and sample index); its length is the number of samples. ``messages`` goes through the model's own chat
    template; ``text`` is used raw. Exactly one of them is set.
    """

    key: str
    noise_keys: tuple[int, ...]
    messages: tuple[tuple[str, str], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample. ``finish`` is ``stop`` where the model ended by itself, ``length`` where the limit cut it.

    ``new_tokens`` is given where a server tells how many tokens it drew but not which.
    """

    key: str
    index: int
    text: str
    token_ids: tuple[int, ...]
    finish: Literal["stop", "length"]
    prompt_tokens: int
    new_tokens: int | None = None

    @property
    def tokens(self) -> int:
        """Tokens drawn, the stop token included where the engine counts it."""
        return len(self.token_ids) if self.new_tokens is None else self.new_tokens


class Engine(Protocol):
    """Generates with one set of weights, loaded once."""

    name: str

    def plan(self, requests: Sequence[Request], max_new_tokens: int) -> list[list[int]]:
        """Batches as lists of request indices: a function of the inputs alone, so that a resumed run repeats it."""
        ...

    def generate(self, requests: Sequence[Request], policy: Policy, max_new_tokens: int) -> list[Completion]:
        """One batch: every sample of every request, in order of request and index."""
        ...

    def describe(self) -> dict[str, str]:
        """What a record needs: library versions, device, dtype, threads, chat-template digest."""
        ...

    def close(self) -> None:
        """Give the memory of the weights back; the engine is of no use afterwards."""
        ...
