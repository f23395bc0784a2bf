"""Tasks by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.errors import BadInput
from harness.grade.profiles import profile_named
from harness.nearest import nearest
from harness.tasks import cruxeval, gsm8k
from harness.tasks.base import Problem, Task
from harness.tasks.cruxeval import Cruxeval, load_cruxeval
from harness.tasks.gsm8k import Gsm8k, load_gsm8k
from harness.tasks.humaneval import load_file, load_humaneval
from harness.tasks.instructions import load_instructions
from harness.tasks.livecodebench import load_livecodebench, outline_livecodebench
from harness.tasks.livecodebench_data import WINDOWS
from harness.tasks.shell import load_shell
from harness.tasks.starter import load_starter

_BUILT_IN: dict[str, Callable[[], Task]] = {
    "humaneval": load_humaneval,
    "instructions": load_instructions,
    "shell": load_shell,
    "starter": lambda: load_starter("starter"),
    "starter_dev": lambda: load_starter("starter_dev"),
}

_FROM_FILE: dict[str, Callable[[str, str], Task]] = {
    "cruxeval_i": lambda name, path: load_cruxeval(name, "input", path),
    "cruxeval_o": lambda name, path: load_cruxeval(name, "output", path),
    "gsm8k": load_gsm8k,
    "mbpp": load_file,
}
"""Tasks whose problems are in a file that the user names (``task.path=…`` or ``task.NAME.path=…``).

Without a path, ``gsm8k`` and the two of CRUXEval come from the Hub at a pinned revision.
"""


def _blank(name: str, rows: int) -> tuple[Problem, ...]:
    return tuple(Problem(f"{name}/{n}", "", "", {}) for n in range(1, rows + 1))


_OUTLINES: dict[str, Callable[[], Task]] = {
    "cruxeval_i": lambda: Cruxeval("cruxeval_i", "input", _blank("cruxeval_i", cruxeval.SOURCE.rows), "outline"),
    "cruxeval_o": lambda: Cruxeval("cruxeval_o", "output", _blank("cruxeval_o", cruxeval.SOURCE.rows), "outline"),
    "gsm8k": lambda: Gsm8k("gsm8k", _blank("gsm8k", gsm8k.SOURCE.rows), "outline"),
}
"""Tasks of the Hub as far as a plan needs them: as many problems as their pinned splits have, with nothing in them."""


def task_names() -> tuple[str, ...]:
    """Every name that :func:`load_task` takes, sorted."""
    return tuple(sorted([*_BUILT_IN, *_FROM_FILE, *WINDOWS]))


def check_profile(name: str, profile: str) -> None:
    """Whether a task can be graded by a profile's rules, which are rules for Python programs with inputs and outputs.

    Raises:
        BadInput: for an unknown profile, and for a task that has other tests than inputs and outputs.
    """
    profile_named(profile)
    if profile != "strict" and name not in WINDOWS:
        raise BadInput(f"task.profile={profile}: {name} can only be graded as 'strict'")


def load_task(name: str, path: str = "", options: Sequence[tuple[str, str]] = (), profile: str = "strict") -> Task:
    """Load a task.

    Args:
        name: One of :func:`task_names`.
        path: The file with the problems, for tasks that read one.
        options: Settings that change a task's problems or verdicts.
        profile: Whose rules decide verdicts (:data:`harness.grade.profiles.PROFILES`).

    Raises:
        BadInput: for an unknown name, a path, an option or a profile the task does not take, or a file that cannot be
            used.
        MissingCapability: where a package with the problems is not installed.
    """
    if name not in task_names():
        raise BadInput(f"task={name}: no such task{nearest(name, task_names())}")
    check_profile(name, profile)
    if name in WINDOWS:
        return load_livecodebench(name, path, options, profile)
    for key, value in options:
        raise BadInput(f"task option {key}={value}: {name} has no options")
    if name in _FROM_FILE:
        return _FROM_FILE[name](name, path)
    if path:
        raise BadInput(f"task.path={path}: {name} has its own problems; task.path is for {', '.join(_FROM_FILE)}")
    return _BUILT_IN[name]()


def outline_task(name: str, path: str = "", options: Sequence[tuple[str, str]] = (), profile: str = "strict") -> Task:
    """A task for planning: like :func:`load_task`, but sets of a known size that are not in a file are not fetched.

    Their problems are empty, so only their number means anything.
    """
    if name in WINDOWS and not path:
        check_profile(name, profile)
        return outline_livecodebench(name, options, profile)
    if name in _OUTLINES and not path and not options:
        check_profile(name, profile)
        return _OUTLINES[name]()
    return load_task(name, path, options, profile)
