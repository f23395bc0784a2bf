"""What makes a run that run: the digest of its configuration, its code and its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.canonical import digest

TASK_FIELDS = ("name", "version", "problems", "samples_per_problem", "id_list", "tests")


def run_id(head: Mapping[str, Any]) -> str:
    """The run id that ``record.json`` must carry.

    It covers the resolved configuration, the commit and whether the tree was clean, the tasks by version, id list and
    tests, the models by weights, tokenizer and chat template, and every cell's samples by digest. Prompts, machine
    and time are facts of the record that its own digest protects, and no part of the identity; nor is the launcher,
    because the same samples are the same run whoever carried the steps out.
    """
    return digest(
        {
            # Records older than the other launchers were identified with this name in their configuration.
            "config": {**head["config"], "launcher": "local"},
            "code": head["code"],
            "tasks": [{k: t[k] for k in TASK_FIELDS} for t in head["tasks"]],
            "models": head["models"],
            "samples": [[c["arm"], c["seed"], c["task"], c["samples"]["digest"]] for c in head["cells"]],
        }
    )
