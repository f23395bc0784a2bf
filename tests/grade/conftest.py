"""Verdicts are asked of both executors; of Docker, for which an engine may have to be started, among the slow tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from sandbox import Executor

_spec = importlib.util.spec_from_file_location(
    "sandbox_fixtures", Path(__file__).parents[1] / "sandbox" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
docker_host = _fixtures.docker_host

SLOW_DOCKER = pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.slow])


@pytest.fixture(scope="session", params=["bubblewrap", SLOW_DOCKER])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Two workers of either kind."""
    settings = {"docker_host": request.getfixturevalue("docker_host")} if request.param == "docker" else {}
    with sandbox.open_executor(request.param, 2, **settings) as opened:
        yield opened
