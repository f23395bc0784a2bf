"""docs/adding-an-ablation.md, done by the letter: the file is written, listed, planned and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ablations

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ablations/ with the page's file in it."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(Path(ablations.__file__).parent, folder / "ablations", ignore=shutil.ignore_patterns("__pycache__"))
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "adding-an-ablation.md").read_text(), re.S)
    assert len([line for line in source.splitlines() if line.strip()]) < 40
    (folder / "ablations" / "stub_filter.py").write_text(source)
    return folder


def harness(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "harness.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_listed_and_planned(newcomer: Path) -> None:
    assert "Does SSD depend on dropping one-line answers?" in harness(newcomer, "list", "ablations")
    plan = harness(newcomer, "plan", "ablation=stub_filter", "ablation.margin=0.02")
    assert "ssd ≈ kept [pass@1]" in plan
    assert "smallest detectable effect on starter" in plan


@pytest.mark.slow
def test_it_runs(newcomer: Path, tiny_model: Path, tmp_path: Path) -> None:
    small = ("scale=smoke", "scale.train_steps=1", "scale.train_prompts=6", "scale.train_max_new_tokens=8")
    cut = ("task.starter.limit=3", "task.starter.samples=2", "task.starter.max_new_tokens=8", "engine.threads=1")
    table = harness(newcomer, "run", "ablation=stub_filter", f"model={tiny_model}", *small, *cut, f"--runs={tmp_path}")
    assert "one-line" in table
    assert "**Verdict (starter):" in table
