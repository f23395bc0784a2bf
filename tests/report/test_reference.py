"""The pages that are written from the ablations' files and the claims are what those say."""

from __future__ import annotations

from pathlib import Path

import ablations
from harness.claims.catalogue import load
from harness.report.reference import ROOT, pages, questions_page


def test_the_committed_pages_are_current() -> None:
    for path, text in pages().items():
        assert path.read_text() == text, f"{path.name}: run python -m harness.report.reference"


def test_every_question_is_answered_by_somebody() -> None:
    page = questions_page(load(ROOT / "results" / "claims.yaml"))
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| Q")]
    assert [r[1].strip() for r in rows] == [f"Q{n}" for n in range(1, 36)]
    assert all(cell.strip() for r in rows for cell in r[1:6])
    scale = [r[1].strip() for r in rows if "paper's models and benchmark" in r[4]]
    assert scale == ["Q1", "Q2", "Q29", "Q30"]
    named = {name for name in ablations.names() if f"`{name}`" in page}
    # What tests claims of the paper rather than a numbered question: those pages name them.
    assert set(ablations.names()) - named == {"decoding_search", "before_after", "difficulty", "noise_data"}


def test_every_ablation_has_its_section() -> None:
    text = (Path(ROOT) / "docs" / "ablations.md").read_text()
    for name in ablations.names():
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        ablation = ablations.load(name)
        assert ablation.question in section
        assert ablation.rule in section
        assert all(status in section for status in ablation.outcomes)
