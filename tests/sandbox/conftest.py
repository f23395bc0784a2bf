"""Executors for the tests: bubblewrap, and Docker on an engine that answers or on a private one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import sandbox
from sandbox.errors import SandboxUnavailable
from sandbox.pool import PoolExecutor


def _unavailable(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI both executors have to be there: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """Address of a Docker engine with the worker image: one that answers, else a private one for this session."""
    from sandbox.docker import connect
    from sandbox.image import build, engine

    url = os.environ.get("DOCKER_HOST", "")
    try:
        build.ensure(connect(url))
        yield url
        return
    except SandboxUnavailable:
        reason = engine.can_start()
    if reason:
        _unavailable(reason)
    with engine.PrivateEngine() as private:
        try:
            build.ensure(connect(private.url))
        except SandboxUnavailable as error:
            _unavailable(str(error))
        yield private.url


@pytest.fixture(scope="session", params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def executor_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Arguments for :func:`sandbox.open_executor`, one set an executor."""
    if request.param == "docker":
        return {"kind": "docker", "docker_host": request.getfixturevalue("docker_host")}
    return {"kind": "bubblewrap"}


@pytest.fixture(scope="session")
def executor(executor_settings: dict[str, Any]) -> Iterator[PoolExecutor]:
    """A pool of the default size."""
    try:
        opened = sandbox.open_executor(**executor_settings)
    except SandboxUnavailable as error:
        _unavailable(str(error))
    with opened:
        assert isinstance(opened, PoolExecutor)
        yield opened


@pytest.fixture(scope="session")
def single(executor_settings: dict[str, Any]) -> Iterator[PoolExecutor]:
    """One candidate worker, so that jobs follow each other in it."""
    try:
        opened = sandbox.open_executor(workers=1, **executor_settings)
    except SandboxUnavailable as error:
        _unavailable(str(error))
    with opened:
        assert isinstance(opened, PoolExecutor)
        yield opened
