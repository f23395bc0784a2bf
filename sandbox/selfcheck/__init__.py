"""The acceptance suite: hostile programs that any executor has to contain.

``run`` puts every probe through an executor; ``control`` puts one through a deliberately weakened executor, where its
attack has to succeed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.api import Job, Limits, Outcome, Report
from sandbox.pool import PoolExecutor
from sandbox.selfcheck import border, cheating, outside, resources
from sandbox.selfcheck.bait import Bait
from sandbox.selfcheck.probe import BREACH, Probe

PROBES: tuple[Probe, ...] = (*outside.PROBES, *resources.PROBES, *cheating.PROBES, *border.PROBES)
"""Every probe, in the order of the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    theme: str
    name: str
    outcome: Outcome
    contained: bool
    detail: str
    expected: tuple[str, ...]


def jobs_of(probe: Probe, bait: Bait) -> list[Job]:
    """The probe's programs: what comes before on the same worker, then the attack itself."""
    before = [
        Job(f"{probe.name}/before {i}", bait.fill(source), BREACH, probe.limits)
        for i, source in enumerate(probe.before)
    ]
    return [*before, Job(probe.name, bait.fill(probe.source), probe.plan, probe.limits)]


def run_probe(probe: Probe, executor: PoolExecutor, bait: Bait) -> Report:
    """Run one probe and return the report of its attack."""
    return [report for job in jobs_of(probe, bait) for report in executor.run([job])][-1]


def run(executor: PoolExecutor, on_row: Callable[[Row], None] | None = None) -> list[Row]:
    """Run the whole suite against an executor (best opened with one worker, so that jobs follow each other in it).

    Args:
        executor: From :func:`sandbox.open_executor`.
        on_row: Called with every line as it is decided.
    """
    rows: list[Row] = []
    with Bait() as bait:
        for probe in PROBES:
            report = run_probe(probe, executor, bait)
            row = Row(
                probe.theme,
                probe.name,
                report.outcome,
                report.outcome in probe.expect,
                report.detail,
                tuple(sorted(o.value for o in probe.expect)),
            )
            rows.append(row)
            if on_row is not None:
                on_row(row)
    return rows


@contextmanager
def weak_executor(bait: Bait) -> Iterator[PoolExecutor]:
    """The executor of the positive controls."""
    from sandbox.selfcheck.weak import WeakLauncher

    with PoolExecutor(WeakLauncher(bait), workers=1) as executor:
        yield executor


def control(probe: Probe, executor: PoolExecutor, bait: Bait) -> Report:
    """Run a probe in the weak executor; its attack has to succeed, that is, to pass."""
    from sandbox.selfcheck.weak import in_process

    reports: list[Report] = []
    for job in jobs_of(probe, bait):
        if probe.control == "in_process":
            job = in_process(job)
        job = Job(job.key, job.source, job.plan, Limits(60.0, 600.0, 8 * 2**30, 2**30, 4096))
        reports += executor.run([job])
    return reports[-1]


def can_control(probe: Probe) -> bool:
    """Whether this user can run the probe's control."""
    return probe.control != "none" and (os.geteuid() == 0 or not probe.needs_root)
