"""Consistency, granularity and noise checks of published tables: arithmetic about printed numbers, no GPU, no data.

A finding says that printed numbers cannot all be right together under stated facts. It does not say which is wrong or
why. What passes is consistent, which is weaker than correct.
"""

from __future__ import annotations

from harness.forensics.as_dict import to_dict
from harness.forensics.command import run
from harness.forensics.finding import Finding
from harness.forensics.load import load, loads
from harness.forensics.markdown import to_markdown
from harness.forensics.model import PublishedTable
from harness.forensics.report import Report, find, report

__all__ = ["Finding", "PublishedTable", "Report", "find", "load", "loads", "report", "run", "to_dict", "to_markdown"]
