"""The report can be read: contrast of every pair of colours it uses, by the definition in WCAG 2.2."""

from __future__ import annotations

import re

import pytest

from harness.report.site.build import HERE
from harness.report.theme import DARK, GRAPHIC_PAIRS, LIGHT, TEXT_PAIRS, contrast_ratio, css_variables


@pytest.mark.parametrize(
    ("a", "b", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_ratio_has_its_published_values(a: str, b: str, ratio: float) -> None:
    assert contrast_ratio(a, b) == pytest.approx(ratio, abs=0.005)
    assert contrast_ratio(b, a) == contrast_ratio(a, b)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS)
def test_text_has_contrast_aa(theme: dict[str, str], text: str, ground: str) -> None:
    assert contrast_ratio(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("mark", "ground"), GRAPHIC_PAIRS)
def test_lines_and_marks_have_contrast_aa(theme: dict[str, str], mark: str, ground: str) -> None:
    assert contrast_ratio(theme[mark], theme[ground]) >= 3.0


def test_every_variable_that_the_style_sheet_uses_is_a_colour_of_both_themes() -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", (HERE / "static" / "site.css").read_text()))
    assert used <= LIGHT.keys()
    assert LIGHT.keys() == DARK.keys()
    assert css_variables().count("--ink:") == 3


def test_the_style_sheet_has_no_colour_of_its_own() -> None:
    css = (HERE / "static" / "site.css").read_text()
    assert re.findall(r"#[0-9a-f]{3,8}\b(?=[;\s])", css) == []


def test_figures_can_be_themed() -> None:
    """Each light colour names one variable, and none is a colour that matplotlib leaves out of its output."""
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert "#000000" not in LIGHT.values()
