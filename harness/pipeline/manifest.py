"""The part of a record that says how each number came about: prompts, grader, tokens, seeds.

Nothing here decides a run's identity (:func:`harness.ledger.identity.run_id`); it is what an auditor compares with
what their own machine would send to a model or run in a sandbox.
"""

from __future__ import annotations

from typing import Any

from harness.canonical import digest
from harness.ledger.store import Store
from harness.pipeline.grading import VERDICTS_VERSION
from harness.pipeline.plan import LoadedTask


def prompt_digests(loaded: LoadedTask) -> dict[str, str]:
    """Digest of the chat messages put to the model, by problem. The chat template is digested with the model."""
    return {p.id: digest(loaded.task.messages(p)) for p in loaded.problems}


def grader(loaded: LoadedTask) -> dict[str, Any]:
    """What turned answers into verdicts: the task's profile and the version of the grading step."""
    return {"profile": loaded.ref.profile, "version": VERDICTS_VERSION}


def totals(cells: list[dict[str, Any]], models: list[dict[str, Any]]) -> dict[str, int]:
    """Tokens sampled for evaluation and tokens that training took a loss on, over the whole run."""
    trained = [int(m["train"]["target_tokens"]) for m in models if m["kind"] == "distilled"]
    return {"generated": sum(int(c["tokens"]) for c in cells), "trained_on": sum(trained)}


def other_machines(store: Store, here: dict[str, Any]) -> list[dict[str, Any]]:
    """Machines other than this one that made steps of the run, each once, with the commit they ran."""
    out: list[dict[str, Any]] = []
    for step in store.asked.values():
        made = step.made_by() if step.done else None
        if made is not None and made["environment"] != here:
            row = {**made["environment"], "code": made["code"]}
            if row not in out:
                out.append(row)
    return out
