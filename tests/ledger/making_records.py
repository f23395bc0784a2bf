"""Honest little runs for tests: real designs, hand-written answers, verdicts from real executions.

Only the model is missing: answers are written here, so weights, tokenizer and chat template have made-up digests.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.canonical import digest, text_digest, to_plain
from harness.config import resolve
from harness.ledger.identity import run_id
from harness.ledger.provenance import environment
from harness.ledger.record import Record, write_record
from harness.ledger.store import dump_lines
from harness.pipeline.grading import tests_digest
from harness.pipeline.manifest import grader, prompt_digests
from harness.pipeline.plan import Plan, make_plan
from harness.spec import ScaledModel
from harness.tasks.base import Problem
from harness.tasks.selection import id_list_digest

DESIGN = ("ablation=matched_decoding", "scale=quick", "task=starter", "task.starter.limit=12", "task.starter.samples=5")
RATES = {"ssd@eval": 0.9, "ssd@base": 0.7}
"""Share of right answers of an arm; other arms have 0.4."""

FIT = {"examples": 90, "dropped": 6, "scale": 1.1, "loss_before": 0.9, "loss_after": 0.8, "at_bound": False}
SCALED = {"seed": 0, "round": 1, "parent": text_digest("weights 0"), "fit": FIT}
"""What a record says of a scaled model."""

CLAIMS = """\
schema: 1
claims:
- id: gain
  side: paper
  group: Headline
  statement: SSD improves the starter set
  quote: 40→90 (+50)
  source: a paper
  tests:
  - {ablation: matched_decoding, treatment: ssd@eval, control: base, tasks: [starter]}
- id: decoding-explains
  side: critic
  group: Questions
  statement: Decoding explains it
  source: a critic
  tests:
  - {ablation: matched_decoding, reads: {supported: refuted, equivalent: supported}}
- id: decoding-cannot-explain
  side: paper
  group: Headline
  statement: No decoding explains it
  source: a paper
  tests:
  - {ablation: matched_decoding, reads: {supported: supported, equivalent: refuted}}
- id: elsewhere
  side: paper
  group: Headline
  statement: The same on another model
  source: a paper
  tests:
  - {ablation: matched_decoding, treatment: ssd@eval, control: base, models: [another], quoted: 0.129}
"""


def answer(problem: Problem, kind: str) -> str:
    """What a model might have written."""
    if kind == "right":
        return f"```python\n{problem.prompt.rstrip()}\n{problem.canonical_solution.rstrip()}\n```"
    if kind == "wrong":
        return f"```python\ndef {problem.entry_point}(*args, **kwargs):\n    return -12345\n```"
    if kind == "crash":
        return f"```python\ndef {problem.entry_point}(*args, **kwargs):\n    raise KeyError('x')\n```"
    return "I would rather not."


KINDS = ("right", "wrong", "crash", "silent")


@lru_cache
def plan_of(overrides: tuple[str, ...] = DESIGN) -> Plan:
    return make_plan(resolve(list(overrides)))


@lru_cache
def graded(overrides: tuple[str, ...] = DESIGN) -> dict[tuple[str, str, str], Any]:
    """The verdict on each (task, problem, answer), executed once for the whole session."""
    from harness.grade import grade_samples, open_sandbox

    found = {}
    with open_sandbox("auto", 1) as executor:
        for t in plan_of(overrides).tasks:
            keys = {f"{p.id}\x1f{k}": (p, answer(p, k)) for p in t.problems for k in KINDS}
            items = [(key, p, text, "response") for key, (p, text) in keys.items()]
            for v in grade_samples(t.task, items, executor):
                found[t.ref.name, v.key.split("\x1f")[0], keys[v.key][1]] = v
        described = executor.describe()
    return {**found, ("", "", ""): described}


def make_record(
    runs: Path,
    commit: str | None,
    dirty: bool | None = False,
    overrides: tuple[str, ...] = DESIGN,
    seed: int = 0,
    rates: dict[str, float] | None = None,
    **changes: Any,
) -> Record:
    """A finished run below ``runs``, with the store steps that its record names."""
    plan = plan_of(overrides)
    known = graded(overrides)
    verdicts, samples, cells = [], [], []
    rates = RATES if rates is None else rates
    for cell in plan.cells:
        task = plan.task(cell.task)
        rng = random.Random(f"{seed} {cell.arm} {cell.seed} {cell.task}")
        rows = []
        for p in task.problems:
            for index in range(task.ref.samples_per_problem):
                kind = "right" if rng.random() < rates.get(cell.arm, 0.4) else rng.choice(KINDS[1:])
                text = answer(p, kind)
                v = known[cell.task, p.id, text]
                where = {"arm": cell.arm, "seed": cell.seed, "task": cell.task}
                shared = {"tokens": len(text) // 4 + 1, "finish": "stop" if kind != "silent" else "length"}
                row = {
                    "problem": p.id,
                    "index": index,
                    "outcome": str(v.outcome),
                    "passed": v.passed,
                    "cpu_seconds": round(v.cpu_seconds, 4),
                    "detail": v.detail,
                    "tests_passed": v.tests_passed,
                    "tests_total": v.tests_total,
                    "program_digest": v.program,
                    "sample_digest": text_digest(text),
                }
                verdicts.append({**where, "stratum": p.stratum, **row, **shared})
                samples.append({**where, "problem": p.id, "index": index, "text": text, **shared})
                rows.append((row, {"problem": p.id, "index": index, "text": text, **shared}))
        cells.append(_cell(runs, plan, cell, rows, known["", "", ""]))
    head = _head(plan, cells, commit, dirty) | changes
    head = {"run_id": run_id(head), **head, "environment": environment(), "started": 1_790_000_000}
    head["finished"] = head["started"] + 600
    return write_record(runs / f"{plan.config.ablation}-{head['run_id'][:12]}", head, verdicts, samples, [])


def _cell(runs: Path, plan: Plan, cell: Any, rows: list[Any], executor: dict[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "arm": cell.arm,
        "seed": cell.seed,
        "task": cell.task,
        "model": plan.models.index(cell.model),
    }
    for name, lines in (("samples", [s for _, s in rows]), ("verdicts", [v for v, _ in rows])):
        data = dump_lines(lines)
        step = runs / "store" / name / digest([cell.arm, cell.seed, cell.task, text_digest(data.decode())])
        step.mkdir(parents=True, exist_ok=True)
        (step / f"{name}.jsonl").write_bytes(data)
        done = {"outputs": {f"{name}.jsonl": text_digest(data.decode())}, "facts": {}}
        (step / "done.json").write_text(json.dumps(done))
        out[name] = {"key": step.name, "digest": text_digest(data.decode())}
    tokens = sum(s["tokens"] for _, s in rows)
    return {**out, "executor": executor, "engine": {"engine": "written by hand", "dtype": "none"}, "tokens": tokens}


def _head(plan: Plan, cells: list[dict[str, Any]], commit: str | None, dirty: bool | None) -> dict[str, Any]:
    tasks = [
        {
            "name": t.ref.name,
            "version": t.task.version,
            "problems": len(t.problems),
            "samples_per_problem": t.ref.samples_per_problem,
            "id_list": id_list_digest([p.id for p in t.problems]),
            "tests": tests_digest(t),
            "prompts": prompt_digests(t),
            "grader": grader(t),
        }
        for t in plan.tasks
    ]
    models = [
        {
            "kind": type(model).__name__.removesuffix("Model").lower(),
            "weights": text_digest(f"weights {i}"),
            "tokenizer": digest("tokenizer"),
            "chat_template": text_digest("template"),
            **(SCALED if isinstance(model, ScaledModel) else {}),
        }
        for i, model in enumerate(plan.models)
    ]
    return {
        "ablation": plan.ablation.name,
        "question": plan.ablation.question,
        "rule": plan.ablation.rule,
        "code": {"commit": commit, "dirty": dirty},
        "config": to_plain(plan.config),
        "evidence": plan.config.scale.evidence,
        "arms": [{"name": a.name, "note": a.note, "policy": to_plain(a.policy)} for a in plan.arms],
        "contrasts": [c.row() for c in plan.contrasts],
        "tasks": tasks,
        "models": models,
        "contamination": {"overlapping": 0, "checked": 96},
        "cells": cells,
        "seeds": sorted({c["seed"] for c in cells}),
        "tokens": {"generated": sum(c["tokens"] for c in cells), "trained_on": 0},
    }


def git(repository: Path, *arguments: str) -> str:
    """Run git with an identity and a clock of its own."""
    who = {
        f"GIT_{a}_{b}": f"test{c}"
        for a in ("AUTHOR", "COMMITTER")
        for b, c in (("NAME", ""), ("EMAIL", "@example.invalid"))
    }
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout.strip()


def commit_all(repository: Path, message: str) -> str:
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", message)
    return git(repository, "rev-parse", "HEAD")


def make_repository(root: Path) -> Path:
    """A repository whose history is as it should be: registered, then run, then published with its tables."""
    from harness.commands.preregister import registration
    from harness.ledger import prereg
    from harness.ledger.publish import publish
    from harness.report import rebuild

    results = root / "results"
    (results / "records").mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    (root / ".gitignore").write_text("runs/\n")
    (root / "README.md").write_text("# A lab\n\n<!-- tables:begin matched_decoding -->\n<!-- tables:end -->\n")
    (results / "claims.yaml").write_text(CLAIMS)
    commit_all(root, "begin")
    prereg.write(results, "matched_decoding", registration(list(DESIGN)))
    commit_all(root, "register")
    head = commit_all(root, "the code of the run")
    publish(make_record(root / "runs", head), results)
    rebuild.write(results)
    commit_all(root, "publish")
    return root


def copy_repository(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, symlinks=True)
    return target
