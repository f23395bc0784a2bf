"""The project's own benchmark of short, easy Python functions, for models too small for HumanEval.

``starter`` is for evaluation. ``starter_dev`` is its held-out twin for choosing temperatures and wordings. Both were
drawn from one pool, level by level, in the order of a hash of the function names, so they are of one kind and share no
problem. What this does not promise: that the problems tell strong models apart; those solve nearly all of them.

The levels (``stratum``) were set when a problem was written, by what it asks for: ``easy`` is one expression,
``medium`` one pass with a condition or a few cases, ``hard`` several steps or state. No problem was kept or dropped for
how a model did on it; only the shares of the levels and the general easiness were tuned (``docs/pilots.md``). The lists
are frozen: the digests below cover ids, prompts, solutions and tests, and a test holds the files to them. A mended
problem would need a new list name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.tasks.humaneval_style import HumanEvalStyleTask, read_problems
from sandbox.api import Limits

StarterName = Literal["starter", "starter_dev"]

ID_LIST_DIGESTS: dict[StarterName, str] = {
    "starter": "d38ac1a6efd80ba37ba398bc710f8ea9",
    "starter_dev": "f4440353940540be7354eee4f8cc1023",
}
"""``harness.tasks.selection.id_list_digest`` of each frozen list."""

CONTENT_DIGESTS: dict[StarterName, str] = {
    "starter": "fdb04065670fc1168d79802e947cbe81",
    "starter_dev": "fa81dc4a5498433a3d2c624bb8d907df",
}
"""``harness.tasks.selection.content_digest`` of each frozen list."""

STRATA = ("easy", "medium", "hard")

LIMITS = Limits(cpu_seconds=5.0, wall_seconds=50.0, memory_bytes=512 * 2**20, output_bytes=2**20, processes=16)
"""Committed limits. Every canonical solution needs a few milliseconds; five seconds end only runaway programs."""


def load_starter(name: StarterName = "starter") -> HumanEvalStyleTask:
    """The frozen problems of ``starter`` or ``starter_dev``."""
    path = Path(__file__).with_name("data") / f"{name}.jsonl"
    return HumanEvalStyleTask(name, read_problems(path), LIMITS)
