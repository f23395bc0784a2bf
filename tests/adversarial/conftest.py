"""The acceptance suite runs on the same executors as the sandbox's own tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.selfcheck.bait import Bait

_spec = importlib.util.spec_from_file_location(
    "sandbox_fixtures", Path(__file__).parents[1] / "sandbox" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
docker_host, executor_settings, single = _fixtures.docker_host, _fixtures.executor_settings, _fixtures.single


@pytest.fixture(scope="session")
def bait() -> Iterator[Bait]:
    """What the attacks are after."""
    with Bait() as opened:
        yield opened
