"""Which problems of a task a run takes, and a digest that names the choice.

Both depend on the problem ids alone: two files that hold the same problems in another order give the same subset.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence

from harness.canonical import digest
from harness.errors import BadInput
from harness.tasks.base import Problem


def hash_rank(problem_id: str) -> str:
    """SHA-256 of an id, by which subsets are ordered. It knows nothing of difficulty or of any result."""
    return hashlib.sha256(problem_id.encode()).hexdigest()


def select(problems: Sequence[Problem], limit: int = 0) -> tuple[Problem, ...]:
    """The problems that a run takes.

    Args:
        problems: All problems of a task.
        limit: 0 takes all of them, in the benchmark's order. Otherwise the first ``limit`` in the order of
            :func:`hash_rank`, so that a smaller subset is a prefix of a larger one; a limit above their number takes
            all, in that order.

    Raises:
        BadInput: for a negative limit.
    """
    if limit < 0:
        raise BadInput(f"limit={limit}: must be 0 (all problems) or above")
    if limit == 0:
        return tuple(problems)
    return tuple(sorted(problems, key=lambda p: hash_rank(p.id))[:limit])


def id_list_digest(ids: Iterable[str]) -> str:
    """Digest of a set of problem ids, whatever their order.

    Raises:
        BadInput: where an id occurs twice, since counts by id would then mix two problems.
    """
    ordered = sorted(ids)
    for before, after in itertools.pairwise(ordered):
        if before == after:
            raise BadInput(f"problem id {before!r} occurs twice")
    return digest(ordered)


def content_digest(problems: Iterable[Problem]) -> str:
    """Digest of everything that decides a score: ids, prompts, entry points, tests, strata. Order does not matter.

    Canonical solutions are part of it too, so that a frozen list is frozen as a whole.
    """
    rows = [[p.id, p.prompt, p.entry_point, p.canonical_solution, p.tests, p.stratum] for p in problems]
    return digest(sorted(rows, key=lambda row: str(row[0])))
