"""docs/auditing.md, every command of it, on a fresh clone of an honest repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "auditing.md"


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def shell(honest, tmp_path):
    """Runs a script where ``harness`` is this checkout's and ``REPOSITORY`` an honest repository."""
    tools = tmp_path / "tools"
    tools.mkdir()
    command = tools / "harness"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness.cli "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(DOCUMENT.parents[1]), os.environ.get("PYTHONPATH", "")])),
        "REPOSITORY": str(honest),
    }
    place = tmp_path / "place"
    place.mkdir()

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            capture_output=True,
            text=True,
            env=environment,
            cwd=place,
            timeout=600,
        )

    return run


@pytest.mark.slow
def test_every_command_of_the_walk_does_what_the_page_says(shell):
    marked = [f"echo '### block {i}' >&2\necho '### block {i}'\n{b}" for i, b in enumerate(blocks())]
    done = shell("\n".join(marked))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    out = dict(enumerate(done.stdout.split("### block ")[1:]))
    by_command = {next(iter(b.splitlines())): out[i] for i, b in enumerate(blocks())}
    assert "No fault found." in by_command["harness audit $run"]
    regraded = by_command["harness audit --regrade 0.05"]
    assert re.search(r"\b30 samples executed again in \w+, 0 differences", regraded)
    failed = by_command["cp -r results tampered"]
    assert "verdicts.parquet: its bytes are not those the record names" in failed
    assert "exit code 1" in failed
    claim = by_command["harness audit decoding-cannot-explain"]
    assert claim.splitlines()[1].startswith("decoding-cannot-explain: ")


def test_the_page_has_commands_for_every_step():
    assert len(blocks()) == DOCUMENT.read_text().count("```sh") >= 10
