"""LaTeX tables: the Markdown's numbers, in well-formed booktabs."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ledger.record import load_record
from harness.report.latex import escape, render_latex
from harness.report.tables import arms_csv, contrasts_csv

DOCUMENT = "\\documentclass{article}\n\\usepackage{booktabs,amssymb}\n\\begin{document}\n%s\n\\end{document}\n"


@pytest.fixture
def record(run_folder):
    (head,) = run_folder.glob("*/record.json")
    return load_record(head.parent)


def tabulars(text: str) -> list[tuple[str, list[list[str]]]]:
    """Column specification and rows of each ``tabular``."""
    found = []
    for spec, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r"\\")]
        found.append((spec, rows))
    return found


def test_every_row_has_its_columns_and_every_table_its_rules(record):
    text = render_latex([record])
    tables = tabulars(text)
    assert len(tables) == 2
    for spec, rows in tables:
        assert {len(r) for r in rows} == {len(spec)}
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(rule) == 2


def test_its_numbers_are_those_of_the_csv(record):
    arms, contrasts = tabulars(render_latex([record]))
    rows = list(csv.DictReader(io.StringIO(arms_csv([record]))))
    assert [r[1].split(" ")[0] for r in arms[1][1:]] == [f"{100 * float(r['pass@1']):.1f}" for r in rows]
    rows = list(csv.DictReader(io.StringIO(contrasts_csv([record]))))
    shown = [r[1].replace("$", "") for r in contrasts[1][1:]]
    assert shown == ["identical" if r["identical"] == "True" else f"{100 * float(r['difference']):+.1f}" for r in rows]


@given(st.text())
def test_no_special_character_is_left_bare(text):
    shown = escape(text)
    for command in sorted(
        {r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}", r"\textgreater{}"}
        | {r"\&", r"\%", r"\$", r"\#", r"\_", r"\{", r"\}"}
        | {r"$\approx$", r"$\geq$", r"$\pm$", r"$-$", r"$\rightarrow$", r"$\cdot$"}
    ):
        shown = shown.replace(command, "")
    assert not re.search(r"[\\&%$#_{}~^<>]", shown)


@pytest.mark.slow
def test_latex_sets_it(record, tmp_path):
    latex = shutil.which("pdflatex") or shutil.which("lualatex")
    if latex is None:
        pytest.skip("no LaTeX on this machine")
    (tmp_path / "t.tex").write_text(DOCUMENT.replace("%s", render_latex([record])))
    done = subprocess.run([latex, "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=tmp_path, timeout=120)
    assert done.returncode == 0
