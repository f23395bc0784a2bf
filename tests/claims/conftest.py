"""Honest runs for the tests of claims."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))

from making_records import make_record


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """``runs`` with one finished run made from a clean commit."""
    runs = tmp_path_factory.mktemp("ledger") / "runs"
    make_record(runs, "a" * 40)
    return runs
