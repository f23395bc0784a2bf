# ruff: noqa: E501 - a row of the table is one sentence
"""Why the sandbox and an in-process grader may rightly differ: a closed list, each entry with its proof.

A class never explains by its look alone where it can be tried: the disputed program is graded again in process under
one change that the class is about (arguments copied, script in a namespace of its own, …), and only a verdict that
thereby becomes the sandbox's counts. What the border refuses, and what runs into a limit of the sandbox, is told by the
sandbox's own outcome. The rows of the table in ``sandbox/README.md`` bear the same names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agreement import in_process
from agreement.in_process import Request
from agreement.programs import Entry, solved
from harness.grade.programs import preamble
from sandbox import Outcome, Report

LONGER = 5.0
"""Factor on the limit with which a verdict that hangs on time is tried again."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One program, what the sandbox said and what the in-process grader said."""

    entry: Entry
    report: Report
    result: str

    @property
    def passed_in_process(self) -> bool:
        return self.result == "passed"


Told = Callable[[Dispute], bool]
Variant = Callable[[Dispute, Request], Request]


@dataclass(frozen=True, slots=True)
class Divergence:
    """One class. ``told`` decides by outcomes; else ``variant`` is graded in process and has to give our verdict."""

    name: str
    why: str
    told: Told | None = None
    variant: Variant | None = None
    hash_seed: str = "random"


def request(entry: Entry, timeout: float) -> Request:
    """The in-process grader's ordinary call."""
    return Request(entry.key, entry.source, entry.problem.tests, entry.problem.entry_point, timeout)


def solution(entry: Entry) -> Entry:
    """The canonical solution of the same problem, under a name of its own for this entry."""
    return Entry(f"{entry.key}:control", "canonical", entry.problem, solved(entry.problem))


def _outcome(outcome: Outcome, detail: str = "") -> Told:
    return lambda d: d.passed_in_process and d.report.outcome is outcome and d.report.detail.startswith(detail)


def _exit_is_an_end(d: Dispute, r: Request) -> Request:
    source = f"try:\n    exec({r.source!r}, globals())\nexcept SystemExit:\n    pass"
    return dataclasses.replace(r, source=source)


def _stack(d: Dispute, r: Request) -> Request:
    source = f"import sys\nsys.setrecursionlimit({1500 if d.report.passed else 900})\n"
    return dataclasses.replace(r, source=source + f"exec({r.source!r}, globals())")


def _longer(d: Dispute, r: Request) -> Request:
    return dataclasses.replace(r, timeout=LONGER * r.timeout)


def _own_script(*, copies: bool, names: bool) -> Variant:
    """The script run apart from the program: with copied values, or with its own names, or both."""

    def variant(d: Dispute, r: Request) -> Request:
        problem = d.entry.problem
        lines = [r.source, "__own_check__ = globals().get('check')"]
        lines += ["def __run_script__(program):", "    import copy, types"]
        if copies:
            lines += [
                "    def apart(f):",
                "        return lambda *a, **k: copy.deepcopy(f(*copy.deepcopy(a), **copy.deepcopy(k)))",
            ]
        else:
            lines += ["    apart = lambda f: f"]
        if names:
            lines += [
                "    names = {}",
                f"    exec({preamble(problem)!r}, names)",
                f"    code = compile({r.script!r}, 'script', 'exec')",
                "    def used(c):",
                "        return set(c.co_names).union(*(used(k) for k in c.co_consts if isinstance(k, types.CodeType)))",
                "    builtin = vars(__import__('builtins'))",
                "    names.update((n, program[n]) for n in used(code)",
                "                 if n in program and n not in names and n not in builtin)",
                "    names.pop('check', None)",
            ]
        else:
            lines += [f"    names, code = dict(program), compile({r.script!r}, 'script', 'exec')"]
        lines += [
            f"    names[{r.call!r}] = candidate = apart(program[{r.call!r}])",
            "    exec(code, names)",
            "    check = names['check']",
            "    if __own_check__ is not None:",
            "        names['check'] = apart(__own_check__)",
            "    check(candidate)",
        ]
        return dataclasses.replace(
            r, source="\n".join(lines), script="def check(_):\n    __run_script__(globals())", call="None"
        )

    return variant


DIVERGENCES = (
    Divergence("foreign value", "the answer is no data of the closed set", told=_outcome(Outcome.WRONG_TYPE, "returned ")),
    Divergence("output limit", "output is bounded", told=_outcome(Outcome.OUTPUT_LIMIT)),
    Divergence("memory limit", "memory is bounded", told=_outcome(Outcome.MEMORY)),
    Divergence("process limit", "processes are bounded", told=_outcome(Outcome.PROCESS_LIMIT)),
    Divergence("time limit", "CPU time is limited here, wall time there", told=_outcome(Outcome.CPU_TIMEOUT), variant=_longer),
    Divergence("exit at the end", "what the program defined can be called", variant=_exit_is_an_end),
    Divergence(
        "guarded function",
        "in process, standard streams are replaced and functions such as os.getcwd and exit are removed",
        variant=lambda d, r: dataclasses.replace(r, guard=False),
    ),
    Divergence("argument changed in place", "arguments and answers are copies", variant=_own_script(copies=True, names=False)),
    Divergence("name of the script's", "script and program have names of their own", variant=_own_script(copies=False, names=True)),
    Divergence("copies and names", "both of the above", variant=_own_script(copies=True, names=True)),
    Divergence("depth of the stack", "the in-process grader's own frames count", variant=_stack),
    Divergence("order of sets", "the hash seed is a constant here", variant=lambda d, r: r, hash_seed="0"),
)  # fmt: skip


def explain(disputes: Sequence[Dispute], timeout: float, workers: int = 2) -> dict[str, str]:
    """The class of every dispute by key; an empty text where none of them explains it."""
    found: dict[str, str] = {}
    for divergence in DIVERGENCES:
        open_ones = [d for d in disputes if d.entry.key not in found]
        for d in open_ones:
            if divergence.told is not None and divergence.told(d):
                found[d.entry.key] = divergence.name
        variant = divergence.variant
        trying = {d.entry.key: d for d in open_ones if d.entry.key not in found}
        if variant is None or not trying:
            continue
        asked = [variant(d, request(d.entry, timeout)) for d in trying.values()]
        # A change under which nothing passes would explain every failure: the canonical solution has to pass under it.
        controls = [variant(dataclasses.replace(d, entry=solution(d.entry)), request(solution(d.entry), timeout))
                    for d in trying.values()]  # fmt: skip
        for _ in range(2):  # and again, so that chance explains little
            results = in_process.grade([*asked, *controls], workers, divergence.hash_seed)
            trying = {
                k: d
                for k, d in trying.items()
                if (results[k] == "passed") is d.report.passed and results[solution(d.entry).key] == "passed"
            }
        found.update(dict.fromkeys(trying, divergence.name))
    return {d.entry.key: found.get(d.entry.key, "") for d in disputes}
