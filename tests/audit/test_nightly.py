"""The nightly workflow calls commands and make targets that exist."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from harness.cli import build_parser

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"


def scripts() -> list[str]:
    document = yaml.safe_load(WORKFLOW.read_text())
    return [step["run"] for job in document["jobs"].values() for step in job["steps"] if "run" in step]


def test_every_harness_command_parses():
    parser = build_parser()
    seen = set()
    for line in "\n".join(scripts()).splitlines():
        for call in re.findall(r"\bharness ([a-z]+ [^|;)]*)", line):
            words = re.sub(r'"?\$\([^)]*\)?"?', "run", call).replace("$ablation", "matched_decoding").split()
            arguments = parser.parse_args(words)
            seen.add(arguments.command)
    assert {"tables", "audit", "run", "publish", "report", "list"} <= seen


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set(re.findall(r"\bmake ([a-z]+)", "\n".join(scripts())))
    assert called
    assert called <= targets


def test_it_executes_two_percent_in_docker():
    assert any("harness audit --regrade 0.02 --sandbox docker" in s for s in scripts())
