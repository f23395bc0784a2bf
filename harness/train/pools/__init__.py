"""Prompt pools: what a frozen model is asked when it samples a corpus.

What this does not promise: that a pool is disjoint from a benchmark by meaning. :mod:`harness.train.decontaminate`
reports the overlap of their wording.

A pool is a JSON Lines file of ``id``, ``topic`` and ``prompt``. There are no tests and no solutions, since
self-distillation looks at neither. ``starter_pool`` was written for this project; any other file of that form can be
named by its path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from harness.canonical import digest
from harness.errors import BadInput
from harness.nearest import nearest

ANSWER_STYLE = "Answer with only the code in one Python code block. Do not explain."
"""Ends every prompt: the answer form that the project's own tasks ask for too, so that training does not change it.

The wording of a benchmark's runner is avoided on purpose, because familiarity with it is a rival explanation of a gain.
"""

_DECLARED = {"rstar_coder": 10168}
"""Prompts of pools that cannot come with the project, as published: rStar-Coder's by arXiv:2604.01193, C.1."""

_FIELDS = ("id", "topic", "prompt")


@dataclass(frozen=True, slots=True)
class PoolPrompt:
    """One training prompt. ``instruction`` is the task alone (what overlap checks compare)."""

    id: str
    topic: str
    instruction: str

    @property
    def text(self) -> str:
        """What the model is asked: the instruction and the answer style."""
        return f"{self.instruction}\n\n{ANSWER_STYLE}"


@dataclass(frozen=True, slots=True)
class Pool:
    """Prompts in the order of a hash of their ids, so that the first n are a sample that file order cannot steer.

    ``digest`` covers ids and full texts in that order.
    """

    name: str
    prompts: tuple[PoolPrompt, ...]
    digest: str


def pool_names() -> tuple[str, ...]:
    """Names of the pools that come with the project."""
    return tuple(sorted(f.name.removesuffix(".jsonl") for f in _folder().iterdir() if f.name.endswith(".jsonl")))


@cache
def load_pool(name: str) -> Pool:
    """Load a pool by name, or by the path of a ``.jsonl`` file.

    Raises:
        BadInput: for an unknown name, an unreadable file, a malformed line, an empty field, a repeated id or a repeated
            prompt.
    """
    if name in pool_names():
        lines = (_folder() / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    elif name.endswith(".jsonl"):
        try:
            lines = Path(name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"prompt pool {name}: cannot be read ({error})") from error
    elif name in _DECLARED:
        raise BadInput(
            f"scale.pool={name}: its prompts do not come with this program; make the file with "
            f"`python -m harness.train.pools.{name} OUT.jsonl` and say scale.pool=OUT.jsonl, or take "
            "scale.pool=starter_pool"
        )
    else:
        raise BadInput(f"prompt pool '{name}' is unknown{nearest(name, pool_names())}")
    prompts = sorted(_distinct(name, _parse(name, lines)), key=lambda p: hashlib.sha256(p.id.encode()).digest())
    return Pool(name, tuple(prompts), digest([[p.id, p.text] for p in prompts]))


def declared_size(name: str) -> int | None:
    """How many prompts a pool that has to be fetched is published to have; ``None`` for any other."""
    return _DECLARED.get(name)


def _folder() -> Traversable:
    return resources.files(__name__)


def _parse(name: str, lines: Iterable[str]) -> Iterator[PoolPrompt]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadInput(f"prompt pool {name}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(row, dict):
            raise BadInput(f"prompt pool {name}, line {number}: an object with {', '.join(_FIELDS)} is needed")
        for field in _FIELDS:
            if not isinstance(row.get(field), str) or not row[field].strip():
                raise BadInput(f"prompt pool {name}, line {number}: '{field}' must be a text that is not empty")
        yield PoolPrompt(row["id"], row["topic"], row["prompt"].strip())


def _distinct(name: str, prompts: Iterable[PoolPrompt]) -> list[PoolPrompt]:
    """All prompts, none twice: prompts that differ in spacing or case only count as the same."""
    kept: list[PoolPrompt] = []
    ids: set[str] = set()
    texts: dict[str, str] = {}
    for prompt in prompts:
        normal = " ".join(prompt.instruction.lower().split())
        if prompt.id in ids:
            raise BadInput(f"prompt pool {name}: the id '{prompt.id}' occurs twice")
        if normal in texts:
            raise BadInput(f"prompt pool {name}: '{prompt.id}' repeats the prompt of '{texts[normal]}'")
        ids.add(prompt.id)
        texts[normal] = prompt.id
        kept.append(prompt)
    if not kept:
        raise BadInput(f"prompt pool {name}: holds no prompt")
    return kept
