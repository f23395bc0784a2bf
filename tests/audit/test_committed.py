"""What this repository publishes holds under its own audit, today's rules of decision included."""

from __future__ import annotations

from pathlib import Path

from harness.cli import main

RESULTS = Path(__file__).resolve().parents[2] / "results"


def test_the_committed_results_have_no_fault(capsys):
    status = main(["audit", f"--results={RESULTS}"])
    assert status == 0, capsys.readouterr().out
