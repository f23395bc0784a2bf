"""The problem explorer's data: one small index a run, one file a problem with its prompt and samples.

Files are scripts that hand JSON to the page (``referee.index(…)``, ``referee.problem(…)``), because a page opened from
a folder may load scripts but not fetch. Samples are runs of text that the page puts in elements by ``textContent``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.report.hostile import script_json, visible
from harness.report.site.highlight import KINDS, prompt_runs, runs
from harness.report.site.provenance import SHORT
from harness.report.tables import policy_text

if TYPE_CHECKING:
    from harness.ledger.record import Record, Row


@dataclass(frozen=True, slots=True)
class Prompts:
    """What a task says about its problems on this machine. ``missing`` is why there are none, else empty."""

    prompts: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""


def load_prompts(task: Mapping[str, Any], config: Mapping[str, Any]) -> Prompts:
    """Prompts of a record's task, if this machine has it at the record's version."""
    from harness.errors import HarnessError

    ref: Mapping[str, Any] = next((t for t in config["tasks"] if t["name"] == task["name"]), {})
    try:
        from harness.tasks.registry import load_task

        options = tuple((str(k), str(v)) for k, v in ref.get("options", ()))
        loaded = load_task(task["name"], path=ref.get("path", ""), options=options)
        if loaded.version != task["version"]:
            reason = f"this machine has version {loaded.version} of {task['name']}; the run used {task['version']}"
            return Prompts(missing=reason)
        return Prompts({p.id: p.prompt for p in loaded.problems()})
    except (HarnessError, ImportError, OSError, TypeError, ValueError) as error:
        return Prompts(missing=f"{task['name']} cannot be read on this machine ({error})")


def explorer_files(record: Record, prompts: Mapping[str, Prompts]) -> Iterator[tuple[str, str]]:
    """``(name, text)`` of the run's data files: ``index.js``, then a file a problem, in order."""
    verdicts = _by_problem(record.verdicts())
    try:
        samples: dict[tuple[str, str, Any, int], str] | None = {
            (s["task"], s["problem"], (s["arm"], s["seed"]), s["index"]): s["text"] for s in record.samples()
        }
    except FileNotFoundError:
        samples = None
    tasks = []
    for task in record.head["tasks"]:
        names = sorted((p for t, p in verdicts if t == task["name"]), key=natural)
        problems = []
        for i, problem in enumerate(names):
            rows = verdicts[task["name"], problem]
            file = f"{_slug(task['name'])}-{i:04d}.js"
            problems.append(_index_row(record, problem, rows, file))
            yield file, _problem_file(task["name"], problem, rows, samples, prompts[task["name"]])
        tasks.append({"name": visible(task["name"]), "problems": problems})
    yield "index.js", _call("index", {"run": record.run_id[:SHORT], "arms": _arms(record), "tasks": tasks})


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key that puts ``HumanEval/9`` before ``HumanEval/10``."""
    import re

    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]


def _by_problem(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["task"], row["problem"]].append(row)
    return grouped


def _arms(record: Record) -> list[dict[str, str]]:
    return [
        {"name": visible(a["name"]), "note": visible(a["note"]), "decoding": policy_text(a["policy"])}
        for a in record.head["arms"]
    ]


def _index_row(record: Record, problem: str, rows: list[Row], file: str) -> dict[str, Any]:
    """One problem: for every arm ``[graded, passed, {outcome: count}]``."""
    cells = []
    for arm in record.head["arms"]:
        mine = [r for r in rows if r["arm"] == arm["name"]]
        outcomes = Counter(str(r["outcome"]) for r in mine)
        graded = len(mine) - outcomes["infra_error"]
        cells.append([graded, sum(bool(r["passed"]) and r["outcome"] != "infra_error" for r in mine), dict(outcomes)])
    return {"id": visible(problem), "stratum": visible(rows[0]["stratum"] or ""), "file": file, "cells": cells}


def _problem_file(task: str, problem: str, rows: list[Row], samples: Mapping[Any, str] | None, prompts: Prompts) -> str:
    texts: dict[tuple[str, ...], int] = {}
    shown = []
    for r in rows:
        text = None if samples is None else samples.get((task, problem, (r["arm"], r["seed"]), r["index"]))
        number = None if text is None else texts.setdefault(runs(text), len(texts))
        shown.append(
            {
                "arm": visible(r["arm"]),
                "seed": r["seed"],
                "index": r["index"],
                "outcome": visible(str(r["outcome"])),
                "passed": bool(r["passed"]),
                "detail": visible(r["detail"] or "")[:400],
                "cpu": r["cpu_seconds"],
                "tests": [r["tests_passed"], r["tests_total"]],
                "tokens": r["tokens"],
                "finish": visible(r["finish"] or ""),
                "digest": r["sample_digest"][:SHORT],
                "text": number,
            }
        )
    prompt = prompts.prompts.get(problem)
    document = {
        "task": visible(task),
        "id": visible(problem),
        "prompt": None if prompt is None else prompt_runs(prompt),
        "missing": visible(prompts.missing),
        "kinds": KINDS,
        "texts": list(texts),
        "samples": shown,
    }
    return _call("problem", document)


def _call(name: str, document: Mapping[str, Any]) -> str:
    return f"referee.{name}({script_json(document)});\n"


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)
