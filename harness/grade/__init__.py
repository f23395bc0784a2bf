"""Grading: code extraction, programs, verdicts. The sandbox executes; this package never does."""

from __future__ import annotations

from harness.grade.verdict import Item, TooManyInfraErrors, Verdict, grade_samples, open_sandbox, program_digest

__all__ = ["Item", "TooManyInfraErrors", "Verdict", "grade_samples", "open_sandbox", "program_digest"]
