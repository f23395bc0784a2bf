"""Rules for the whole suite (fixtures are in ``tests/``).

* Tests that need a Docker engine or a Ray cluster share one, so they run in one worker.
* On a developer's machine a test may skip for want of an engine, a browser or a cluster, and says so. In CI (the
  environment variable ``CI`` is set) such a skip is a failure: otherwise the suite could be green without having run.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

NEEDED_IN_CI = ("docker", "browser", "ray")
"""Markers of tests that CI must run. ``gpu`` and ``vllm`` are deselected there; test data may be absent."""

ONE_WORKER = ("docker", "ray")
"""Markers of tests that share a daemon or a cluster."""


def in_ci() -> bool:
    """Whether a skip for want of a tool counts as a failure."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in ONE_WORKER:
            if item.get_closest_marker(marker) and not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group(marker))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    needed = [m for m in NEEDED_IN_CI if item.get_closest_marker(m)]
    if report.skipped and needed and in_ci() and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} needs {', '.join(needed)} and was skipped, which CI does not allow: {reason}"
    return report
