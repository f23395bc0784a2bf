"""A record's task as this machine has it, for whoever grades or exports its samples again."""

from __future__ import annotations

from pathlib import Path

from harness.errors import BadInput
from harness.ledger.record import Record
from harness.pipeline.grading import tests_digest
from harness.pipeline.plan import LoadedTask
from harness.spec import TaskRef
from harness.tasks.registry import load_task
from harness.tasks.selection import select


def task_ref(record: Record, task: str) -> TaskRef:
    """The task as the run was configured with it."""
    plain = next(t for t in record.head["config"]["tasks"] if t["name"] == task)
    fields = {k: v for k, v in plain.items() if k != "kind"}
    return TaskRef(**{**fields, "options": tuple((str(k), str(v)) for k, v in fields["options"])})


def load_task_of(record: Record, task: str) -> LoadedTask:
    """The task with the problems that the run took of it.

    Raises:
        BadInput: where its problems are not here, or are not those of the run (tests or prompts differ).
        MissingCapability: where a package with the problems is not installed.
    """
    ref = task_ref(record, task)
    if ref.path and not Path(ref.path).exists():
        raise BadInput(f"{record.path.name}: the problems of {task} came from {ref.path}, which is not here")
    found = load_task(ref.name, path=ref.path, options=ref.options, profile=ref.profile)
    loaded = LoadedTask(ref, found, tuple(select(found.problems(), ref.limit)))
    described = next(t for t in record.head["tasks"] if t["name"] == task)
    if tests_digest(loaded) != described["tests"]:
        raise BadInput(
            f"{record.path.name}: {task} here ({found.version}) has other problems or tests than the run's "
            f"({described['version']})"
        )
    return loaded
