"""Logs in inspect-ai's JSON format (version 2), which ``inspect view`` opens. inspect-ai is not needed to write them.

One log a cell. A sample is an *epoch* of its problem; its score is inspect's ``C`` or ``I``. Samples that could not be
graded carry no score and are counted as unscored.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.canonical import digest
from harness.export.cells import CellRows, cells
from harness.ledger.record import Record, Row
from harness.ledger.store import write_atomic
from harness.pipeline.plan import LoadedTask
from harness.tasks.base import Problem

SCORER = "harness"


def inspect_logs(record: Record, out: Path, arms: Sequence[str], tasks: Sequence[str]) -> list[Path]:
    """Write the logs, named as inspect names its own."""
    from harness.pipeline.replay import load_task_of

    loaded: dict[str, LoadedTask] = {}
    written = []
    for cell in cells(record, arms, tasks):
        name = cell.cell["task"]
        loaded.setdefault(name, load_task_of(record, name))
        key = digest([record.run_id, cell.cell["arm"], cell.cell["seed"], name])[:22]
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S+00-00", time.gmtime(record.head["started"]))
        path = out / f"{stamp}_{name.replace('_', '-')}_{key}.json"
        document = log_document(record, cell, loaded[name], key)
        write_atomic(path, (json.dumps(document, ensure_ascii=True, indent=1) + "\n").encode())
        written.append(path)
    return written


def log_document(record: Record, cell: CellRows, loaded: LoadedTask, key: str) -> dict[str, Any]:
    """One ``EvalLog`` as plain JSON types."""
    head = record.head
    problems = {p.id: p for p in loaded.problems}
    created, finished = (_iso(head[k]) for k in ("started", "finished"))
    model = f"{head['config']['model']['name']}/{cell.cell['arm']}"
    samples = [_sample(v, cell, problems[v["problem"]], loaded, model) for v in cell.verdicts]
    spec = {
        "eval_id": key,
        "run_id": head["run_id"],
        "created": created,
        "task": cell.cell["task"],
        "task_id": f"{cell.cell['task']}@{loaded.task.version}",
        "task_version": loaded.task.version,
        "dataset": {
            "name": cell.cell["task"],
            "samples": len(problems),
            "sample_ids": list(problems),
            "shuffled": False,
        },
        "model": model,
        "config": {"epochs": loaded.ref.samples_per_problem},
        "revision": None
        if head["code"]["commit"] is None
        else {"type": "git", "origin": "", "commit": head["code"]["commit"], "dirty": head["code"]["dirty"]},
        "packages": head["environment"]["libraries"],
        "metadata": {
            "ablation": record.ablation,
            "arm": cell.cell["arm"],
            "seed": cell.cell["seed"],
            "policy": next(a["policy"] for a in head["arms"] if a["name"] == cell.cell["arm"]),
            "evidence": head["evidence"],
        },
    }
    return {
        "version": 2,
        "status": "success",
        "eval": spec,
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}]},
        "results": _results(cell.verdicts),
        "stats": {"started_at": created, "completed_at": finished},
        "samples": samples,
    }


def _sample(verdict: Row, cell: CellRows, problem: Problem, loaded: LoadedTask, model: str) -> dict[str, Any]:
    messages = loaded.task.messages(problem)
    text = _valid(cell.text(verdict))
    turns = [{"role": m["role"], "content": m["content"]} for m in messages]
    stop = "max_tokens" if verdict["finish"] == "length" else "stop"
    answer = {"role": "assistant", "content": text, "source": "generate", "model": model}
    out: dict[str, Any] = {
        "id": problem.id,
        "epoch": verdict["index"] + 1,
        "input": turns,
        "target": problem.canonical_solution,
        "messages": [*turns, answer],
        "output": {"model": model, "choices": [{"message": answer, "stop_reason": stop}], "completion": text},
        "metadata": {"stratum": verdict["stratum"], "outcome": verdict["outcome"]},
    }
    if verdict["outcome"] != "infra_error":
        explanation = f"{verdict['outcome']}: {verdict['detail']}" if verdict["detail"] else verdict["outcome"]
        about = {k: verdict[k] for k in ("cpu_seconds", "tests_passed", "tests_total", "tokens", "sample_digest")}
        out["scores"] = {
            SCORER: {
                "value": "C" if verdict["passed"] else "I",
                "answer": text,
                "explanation": _valid(explanation),
                "metadata": about,
            }
        }
    return out


def _results(verdicts: Sequence[Row]) -> dict[str, Any]:
    """Mean over problems of their pass rates: the pass@1 of our tables."""
    graded: defaultdict[str, list[bool]] = defaultdict(list)
    for v in verdicts:
        if v["outcome"] != "infra_error":
            graded[v["problem"]].append(bool(v["passed"]))
    n = sum(map(len, graded.values()))
    rate = sum(sum(g) / len(g) for g in graded.values()) / len(graded) if graded else 0.0
    score = {
        "name": SCORER,
        "scorer": SCORER,
        "scored_samples": n,
        "unscored_samples": len(verdicts) - n,
        "metrics": {"accuracy": {"name": "accuracy", "value": rate, "params": {}}},
    }
    return {"total_samples": len(verdicts), "completed_samples": len(verdicts), "scores": [score]}


def _valid(text: str) -> str:
    """Lone surrogates, which models can emit and inspect's reader refuses, shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(seconds))
