"""Rendering: readable, complete, the same bytes every time, and plain JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.forensics import load, loads, report, run, to_dict, to_markdown

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "results/published/example_planted.yaml"


def test_the_same_bytes_in_another_process_with_another_hash_seed():
    code = f"import sys; from harness.forensics import run; sys.stdout.write(run({str(EXAMPLE)!r})[0])"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}, cwd=ROOT
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {to_markdown(report(load(EXAMPLE))).encode()}


def test_out_writes_the_markdown_that_is_returned(tmp_path):
    text, data = run(EXAMPLE, tmp_path / "new" / "report.md")
    assert (tmp_path / "new" / "report.md").read_text(encoding="utf-8") == text
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    with pytest.raises(BadInput, match="cannot be written"):
        run(EXAMPLE, tmp_path)


def test_every_finding_is_in_both_forms():
    result = report(load(EXAMPLE))
    text, data = to_markdown(result), to_dict(result)
    assert len(data["findings"]) == len(result.findings) == 13
    for number, finding in enumerate(result.findings, 1):
        assert f"**F{number}**" in text
        assert f"*{finding.where}.* {finding.statement}" in text
    assert data["sha256"] == result.table.digest


def test_tables_are_well_formed():
    for path in (EXAMPLE, ROOT / "results/published/ssd.yaml"):
        rows = [line for line in to_markdown(report(load(path))).splitlines() if line.startswith("|")]
        assert rows
        widths: list[int] = []
        for above, line in zip(["", *rows], rows, strict=False):
            width = len(re.findall(r"(?<!\\)\|", line))
            if set(line) <= set("|-: "):
                assert width == widths[-1], line
            widths.append(width)
            assert "nan" not in line.split(), above


def test_findings_do_not_accuse():
    for path in (EXAMPLE, ROOT / "results/published/ssd.yaml"):
        text = to_markdown(report(load(path))).lower()
        assert not re.search(r"\b(fraud|fake|fabricat|cheat|dishonest|mislead|manipulat|wrongly claims)", text)
        assert "does not say which number is off" in text


def test_a_table_with_nothing_to_say_still_renders():
    text = to_markdown(report(loads("schema: published-table/1\ntitle: t\nsource: s\nbenchmarks: {}\n")))
    assert "**No finding.**" in text
    assert text.endswith("\n")
