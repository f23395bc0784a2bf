"""A small whole run with a random model, done by this process: what every launcher must reproduce."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.config import resolve
from harness.pipeline.run import run

sys.path.insert(0, str(Path(__file__).parent))

SMALL = (
    "ablation=difficulty",
    "scale=smoke",
    "scale.train_steps=2",
    "scale.train_prompts=6",
    "scale.train_max_new_tokens=16",
    "task.starter.max_new_tokens=16",
    "task.starter.limit=6",
    "task.starter.samples=5",
    "engine.max_batch_rows=5",
    "engine.threads=1",
    "engine.device=cpu",
    "sandbox=bubblewrap",
    "sandbox.workers=1",
)


@pytest.fixture(scope="session")
def small(tiny_model) -> tuple[str, ...]:
    return (*SMALL, f"model={tiny_model}")


@pytest.fixture(scope="session")
def by_this_process(small, tmp_path_factory):
    """The record of ``launcher=local``."""
    return run(resolve(small), tmp_path_factory.mktemp("local"))
