"""Every hostile program, on every executor; and every attack once where nothing stops it, so that none is vacuous."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import selfcheck
from sandbox.api import Outcome
from sandbox.errors import SandboxUnavailable
from sandbox.pool import PoolExecutor
from sandbox.selfcheck.bait import Bait
from sandbox.selfcheck.probe import Probe


def _name(probe: Probe) -> str:
    return f"{probe.theme}: {probe.name}"


@pytest.mark.parametrize("probe", selfcheck.PROBES, ids=_name)
def test_contained(probe: Probe, single: PoolExecutor, bait: Bait) -> None:
    report = selfcheck.run_probe(probe, single, bait)
    assert report.outcome in probe.expect, report


@pytest.fixture(scope="module")
def weak(bait: Bait) -> Iterator[PoolExecutor]:
    try:
        with selfcheck.weak_executor(bait) as executor:
            yield executor
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("probe", [p for p in selfcheck.PROBES if p.control != "none"], ids=_name)
def test_the_attack_succeeds_where_nothing_stops_it(probe: Probe, weak: PoolExecutor, bait: Bait) -> None:
    if not selfcheck.can_control(probe):
        pytest.skip("this control needs root")
    report = selfcheck.control(probe, weak, bait)
    assert report.passed, report


def test_the_suite_is_large_and_no_attack_may_pass() -> None:
    assert len(selfcheck.PROBES) >= 60
    assert len({p.name for p in selfcheck.PROBES}) == len(selfcheck.PROBES)
    controlled = [p for p in selfcheck.PROBES if p.control != "none"]
    assert all(Outcome.PASSED not in p.expect for p in controlled)
