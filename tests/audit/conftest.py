"""An honest repository, built once and copied for each test that changes it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))

from making_records import copy_repository, make_repository


@pytest.fixture(scope="session")
def honest(tmp_path_factory) -> Path:
    return make_repository(tmp_path_factory.mktemp("honest") / "lab")


@pytest.fixture
def lab(honest, tmp_path) -> Path:
    return copy_repository(honest, tmp_path / "lab")
