"""The programs that are graded: stored model samples and mutants of canonical solutions, the same in every run."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from agreement.mutate import mutants
from harness.grade.extract import parses
from harness.tasks.base import Problem
from harness.tasks.humaneval_style import HumanEvalStyleTask

SEED = 20260401


@dataclass(frozen=True, slots=True)
class Entry:
    """One program: a name, where it comes from (``canonical``, ``sample`` or ``mutant``), its problem, its source."""

    key: str
    origin: str
    problem: Problem
    source: str


def solved(problem: Problem) -> str:
    """The canonical solution as a whole program.

    MBPP's doc strings in this form are indented by four spaces and many of its solutions by two: those go without.
    """
    whole = problem.prompt + problem.canonical_solution
    if parses(whole) is None and "    '''" in problem.prompt:
        return problem.prompt[: problem.prompt.index("    '''")] + problem.canonical_solution
    return whole


def canonical(task: HumanEvalStyleTask) -> list[Entry]:
    """Every canonical solution."""
    return [Entry(p.id, "canonical", p, solved(p)) for p in task.problems()]


def samples(task: HumanEvalStyleTask, records: Path) -> list[Entry]:
    """The different programs among all answers to the task's problems that the records under a folder hold."""
    problems = {p.id: p for p in task.problems()}
    found: dict[tuple[str, str], Entry] = {}
    for path in sorted(records.glob("*/samples.jsonl.zst")):
        for number, row in enumerate(_rows(path)):
            if row["task"] != task.name:
                continue
            problem = problems[row["problem"]]
            source = task.program(problem, row["text"], "response").source
            if source is not None:
                key = f"{problem.id}:{path.parent.name.rpartition('-')[2][:6]}:{number}"
                found.setdefault((problem.id, source), Entry(key, "sample", problem, source))
    return list(found.values())


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open("rb") as stream:
        yield from map(json.loads, io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(stream), "utf-8"))


def mutated(task: HumanEvalStyleTask, count: int, seed: int = SEED) -> list[Entry]:
    """``count`` mutants, spread evenly over the problems. A problem's mutants depend on the seed and its id alone."""
    problems = task.problems()
    each = -(-count // len(problems)) + 2
    drawn = [mutants(solved(p), random.Random(f"{seed}:{p.id}"), each) for p in problems]
    entries = [
        Entry(f"{p.id}:m{i}", "mutant", p, found[i])
        for i in range(each)
        for p, found in zip(problems, drawn, strict=True)
        if i < len(found)
    ]
    return entries[:count]


def spread(entries: Sequence[Entry], count: int) -> list[Entry]:
    """``count`` of the entries at equal distances, so that a part holds every kind."""
    if count >= len(entries):
        return list(entries)
    return [entries[i * len(entries) // count] for i in range(count)]
