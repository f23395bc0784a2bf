"""``harness grade``: grade someone else's samples."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.commands.output import emit, write
from harness.errors import BadInput
from harness.ledger.store import write_atomic

if TYPE_CHECKING:
    from harness.grade import Verdict
    from harness.grade.files import SampleLine

DEFAULT_KS = (1, 5, 10, 100)


def main(arguments: argparse.Namespace) -> int:
    from harness.config import resolve
    from harness.grade import Item, grade_samples, open_sandbox
    from harness.grade.files import read_samples
    from harness.progress import track
    from harness.tasks.registry import load_task

    if not any(o.startswith("task=") for o in arguments.overrides):
        raise BadInput("say which task: task=NAME")
    config = resolve(["ablation=matched_decoding", *arguments.overrides])
    if len(config.tasks) != 1:
        raise BadInput("grade takes one task")
    ref = config.tasks[0]
    task = load_task(ref.name, path=ref.path, options=ref.options, profile=ref.profile)
    problems = {p.id: p for p in task.problems()}
    lines = read_samples(arguments.samples, problems)
    _check_ks(arguments.k, lines)
    items: list[Item] = [(str(i), problems[s.task_id], s.text, s.form) for i, s in enumerate(lines)]
    settings = config.sandbox
    rounds: list[list[Verdict]] = []
    start = time.monotonic()
    with open_sandbox(settings.kind, settings.workers or None, **settings.options()) as executor:
        for _ in range(max(1, arguments.repeat)):
            by_key = {}
            with track("grade", len(items), "programs") as advance:
                # Repeats must execute every program again, also one that another sample of the problem shares.
                for verdict in grade_samples(task, items, executor, share_programs=arguments.repeat == 1):
                    by_key[verdict.key] = verdict
                    advance(1)
            rounds.append([by_key[str(i)] for i in range(len(items))])
        described = executor.describe()
    seconds = time.monotonic() - start
    verdicts = rounds[0]
    if arguments.out is not None:
        write_atomic(arguments.out, _graded_lines(lines, verdicts))
    summary = summarise(ref.name, lines, verdicts, arguments.k)
    summary |= {"programs_per_second": round(len(items) * len(rounds) / seconds, 2), "executor": described}
    if len(rounds) > 1:
        from harness.grade.repeat import flips

        found = [flips(rounds[0], again) for again in rounds[1:]]
        summary["flip_rate"] = max(f.flip_rate for f in found)
        summary["flips"] = [f.line() for f in found]
    if arguments.json:
        emit(summary)
    else:
        write(render(summary, len(problems)))
    return 0


def summarise(task: str, lines: list[SampleLine], verdicts: list[Verdict], ks: list[int] | None) -> dict[str, Any]:
    """Counts and unbiased pass@k over the problems that have samples; undefined (``None``) where some n < k."""
    from harness.stats import pass_at_k

    n: Counter[str] = Counter()
    c: Counter[str] = Counter()
    for line, verdict in zip(lines, verdicts, strict=True):
        if verdict.outcome != "infra_error":
            n[line.task_id] += 1
            c[line.task_id] += verdict.passed
    names = sorted({line.task_id for line in lines})
    fewest = min(n[name] for name in names)
    wanted = ks or [k for k in DEFAULT_KS if k == 1 or k <= fewest]
    estimates: dict[str, float | None] = {}
    for k in wanted:
        values = pass_at_k([n[x] for x in names], [c[x] for x in names], k)
        estimates[str(k)] = float(values.mean()) if k <= fewest else None
    outcomes = Counter(str(v.outcome) for v in verdicts)
    return {
        "task": task,
        "samples": len(lines),
        "problems": len(names),
        "passed": sum(c.values()),
        "pass@k": estimates,
        "outcomes": dict(sorted(outcomes.items())),
    }


def render(summary: dict[str, Any], total: int) -> str:
    """The summary for a person."""
    lines = [
        f"{summary['task']}: {summary['samples']} samples of {summary['problems']} problems (the task has {total})"
    ]
    for k, value in summary["pass@k"].items():
        lines.append(
            f"  pass@{k:4} {'undefined: some problem has fewer samples' if value is None else f'{100 * value:.2f} %'}"
        )
    lines += [f"  {name:14} {count}" for name, count in summary["outcomes"].items()]
    lines.append(f"  {summary['programs_per_second']} programs/s on {summary['executor']['executor']}")
    lines += [f"  {line}" for line in summary.get("flips", ())]
    return "\n".join(lines)


def _check_ks(ks: list[int] | None, lines: list[SampleLine]) -> None:
    counts = Counter(line.task_id for line in lines)
    fewest = min(counts.values())
    for k in ks or []:
        if k < 1:
            raise BadInput(f"--k {k}: must be at least 1")
        if k > fewest:
            name = min(n for n, c in counts.items() if c == fewest)
            raise BadInput(
                f"--k {k}: pass@{k} is undefined with {fewest} sample(s) of {name}; give at least {k} of each"
            )


def _graded_lines(lines: list[SampleLine], verdicts: list[Verdict]) -> bytes:
    out = []
    for line, v in zip(lines, verdicts, strict=True):
        added = {
            "outcome": str(v.outcome),
            "passed": v.passed,
            "cpu_seconds": round(v.cpu_seconds, 4),
            "detail": v.detail,
        }
        out.append(json.dumps({**line.row, **added}, ensure_ascii=True))
    return ("\n".join(out) + "\n").encode()
