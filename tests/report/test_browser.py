"""The site in a real browser, opened from a folder: no errors, no requests, filters, keyboard, both themes."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.ledger.record import Record
from harness.report.theme import DARK, LIGHT, contrast_ratio

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox",  # tests often run as root in a container, where Chromium's own sandbox cannot start
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]


def _missing() -> str:
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        return "chromium is not installed (apt-get install chromium)"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "the playwright package is not installed"
    return ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium with a fresh profile. In CI its absence is a failure, elsewhere a skip."""
    missing = _missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


class Watched:
    """A page that notes every console message, error and request."""

    def __init__(self, browser: Any, site: Path, **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **context})
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.site = site
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.trouble.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.trouble.append(f"error: {e}"))
        self.page.on("requestfailed", lambda r: self.trouble.append(f"failed: {r.url}"))
        self.page.on("dialog", lambda d: self.trouble.append(f"dialog: {d.message}"))
        self.page.on("request", lambda r: self.requests.append(r.url))

    def open(self, name: str, fragment: str = "") -> Any:
        self.page.goto("about:blank")  # so that a change of the fragment alone loads the page too
        self.page.goto(f"{(self.site / name).as_uri()}{fragment}")
        return self.page

    def check(self) -> None:
        assert self.trouble == []
        outside = [u for u in self.requests if not u.startswith((self.site.as_uri(), "data:,", "about:"))]
        assert outside == []


@pytest.fixture
def watched(browser: Any, site: Path) -> Iterator[Watched]:
    watched = Watched(browser, site)
    yield watched
    watched.context.close()


@pytest.fixture(scope="module")
def explorer(matched: Record) -> str:
    return f"explore-{matched.run_id[:12]}.html"


def listed(page: Any) -> list[tuple[str, str]]:
    """(problem, change) of every entry of the explorer's list."""
    entries = page.locator("#problems a").evaluate_all(
        "all => all.map(a => [a.querySelector('.name').textContent, a.querySelector('.change').textContent])"
    )
    return [(name, change) for name, change in entries]


def rates(change: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d+)/(\d+) → (\d+)/(\d+)", change)
    assert found
    a, n, b, m = map(int, found.groups())
    return a / n, b / m


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 375])
def test_every_page_loads_without_errors_or_requests_and_fits(
    browser: Any, site: Path, scheme: str, width: int
) -> None:
    watched = Watched(browser, site, color_scheme=scheme, viewport={"width": width, "height": 800})
    pages = sorted(p.name for p in site.glob("*.html"))
    assert len(pages) >= 5
    theme = LIGHT if scheme == "light" else DARK
    for name in pages:
        page = watched.open(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == f"rgb{tuple(int(theme['paper'][i : i + 2], 16) for i in (1, 3, 5))}", name
    watched.check()
    watched.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_computed_text_contrast_is_aa(browser: Any, site: Path, explorer: str, scheme: str) -> None:
    """Of every text on the pages as the browser paints it, not only of the pairs that the theme lists."""
    watched = Watched(browser, site, color_scheme=scheme)
    low: set[tuple[str, float]] = set()
    checked = 0
    for name, fragment in (
        ("index.html", ""),
        ("matched_decoding.html", ""),
        (explorer, "#task=starter&problem=starter/001"),
    ):
        page = watched.open(name, fragment)
        if fragment:
            page.wait_for_selector("#problem pre")
        for selector, ink, ground in page.evaluate(CONTRASTS):
            checked += 1
            ratio = contrast_ratio(_hex(ink), _hex(ground))
            if ratio < 4.5:
                low.add((f"{name} {selector}", round(ratio, 2)))
    assert low == set()
    assert checked > 300
    watched.context.close()


CONTRASTS = """() => {
  const solid = (c) => !/rgba\\(.*, 0\\)|transparent/.test(c);
  const out = [];
  for (const e of document.body.querySelectorAll('*')) {
    if (e.closest('svg') && e.tagName !== 'text') continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!e.checkVisibility() || e.tagName === 'OPTION') continue;
    let g = e;
    while (g && !solid(getComputedStyle(g).backgroundColor)) g = g.parentElement;
    const style = getComputedStyle(e);
    const ink = e.tagName === 'text' ? style.fill : style.color;
    out.push([`${e.tagName}.${e.getAttribute('class')}`, ink, getComputedStyle(g ?? document.body).backgroundColor]);
  }
  return out;
}"""


def _hex(colour: str) -> str:
    channels = re.findall(r"\d+", colour)[:3]
    return "#" + "".join(f"{int(c):02x}" for c in channels)


def test_the_explorer_filters_by_change_difficulty_outcome_and_name(watched: Watched, explorer: str) -> None:
    page = watched.open(explorer, "#task=starter")
    page.wait_for_selector("#problems a")
    everything = listed(page)
    assert len(everything) == 120
    assert page.input_value("[name=a]") == "base"
    assert page.input_value("[name=b]") == "ssd@eval"
    tests = {
        "gained": lambda a, b: a == 0 and b > 0,
        "lost": lambda a, b: a > 0 and b == 0,
        "up": lambda a, b: b > a,
        "down": lambda a, b: b < a,
        "same": lambda a, b: a == b,
    }
    for flip, holds in tests.items():
        page.select_option("[name=flip]", flip)
        found = listed(page)
        assert found == [e for e in everything if holds(*rates(e[1]))]
        assert page.inner_text("#count").startswith(f"{len(found)} of 120 problems")
        assert found, flip
    page.select_option("[name=flip]", "")
    page.select_option("[name=stratum]", "hard")
    assert page.locator("#problems .stratum").all_inner_texts() == ["hard"] * 12
    page.select_option("[name=stratum]", "")
    page.fill("[name=text]", "/11")
    assert [name for name, _ in listed(page)] == [n for n, _ in everything if "/11" in n]
    page.fill("[name=text]", "")
    page.select_option("[name=b]", "base")
    page.select_option("[name=flip]", "up")
    assert listed(page) == []
    watched.check()


def test_the_outcome_filter_agrees_with_the_record(watched: Watched, explorer: str, matched: Record) -> None:
    page = watched.open(explorer, "#task=starter&a=base&b=ssd@eval&outcome=cpu_timeout")
    page.wait_for_selector("#problems a")
    expected = {
        v["problem"]
        for v in matched.verdicts()
        if v["task"] == "starter" and v["arm"] in ("base", "ssd@eval") and v["outcome"] == "cpu_timeout"
    }
    assert {name for name, _ in listed(page)} == expected
    watched.check()


def test_a_problem_shows_prompt_samples_verdicts_and_time(watched: Watched, explorer: str, matched: Record) -> None:
    page = watched.open(explorer, "#task=starter&a=base&b=ssd@eval")
    page.wait_for_selector("#problems a")
    name = listed(page)[4][0]
    page.locator("#problems a", has_text=name).click()
    page.wait_for_selector("#problem .columns")
    assert page.locator("#problem h2").inner_text().startswith(name)
    assert "def " in page.get_by_role("region", name="Prompt").inner_text()
    assert page.evaluate("document.activeElement.id") == "problem"
    columns = page.locator("#problem .column")
    assert columns.count() == 2
    for i, arm in enumerate(("base", "ssd@eval")):
        mine = [v for v in matched.verdicts() if (v["arm"], v["problem"]) == (arm, name)]
        passed = sum(v["passed"] for v in mine)
        assert f"{passed} of {len(mine)} passed" in columns.nth(i).locator("h3").inner_text()
        shown = " ".join(columns.nth(i).locator(".facts").all_inner_texts())
        times = [v["cpu_seconds"] for v in mine]
        assert f"{min(times):.3f}" in shown
        assert {v["outcome"].replace("_", " ") for v in mine} == set(
            columns.nth(i).locator(".status").all_inner_texts()
        )
    assert page.locator("#problem .code-k").count() > 0
    watched.check()


def test_samples_are_shown_letter_by_letter(watched: Watched, explorer: str, matched: Record) -> None:
    from harness.report.hostile import visible

    page = watched.open(explorer, "#task=starter&a=base&b=ssd@eval&problem=starter/003")
    page.wait_for_selector("#problem .columns")
    shown = page.locator("#problem .column").first.locator("pre").evaluate_all("all => all.map(p => p.textContent)")
    mine = [s["text"] for s in matched.samples() if (s["arm"], s["problem"]) == ("base", "starter/003")]
    assert set(shown) == {visible(t) for t in mine}


def test_hostile_samples_do_nothing(watched: Watched, explorer: str, matched: Record) -> None:
    first = next(v["problem"] for v in matched.verdicts() if v["task"] == "starter")
    page = watched.open(explorer, f"#task=starter&problem={first}")
    page.wait_for_selector("#problem .columns")
    arms = page.locator("[name=a] option").evaluate_all("all => all.map(o => o.value)")
    for arm in arms:
        page.select_option("[name=a]", arm)
        page.wait_for_selector(f"#problem h3:has-text('A: {arm}')")
        assert page.locator("#problem :is(script, img, svg, b)").count() == 0
    assert "<script>window.hacked = 1</script>" in page.locator("#problem").evaluate("e => e.textContent")
    assert page.locator("#problem .code-x").count() > 0
    assert page.evaluate("window.hacked") is None
    watched.check()


def test_injected_script_would_not_run_either(watched: Watched) -> None:
    """The second lock: even markup that got in could neither run inline script nor reach the network."""
    page = watched.open("index.html")
    failures: list[str] = []
    page.on("requestfailed", lambda r: failures.append(r.failure))
    markup = '<img src="http://example.invalid/x" onerror="window.hacked = 1">'
    page.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", markup)
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert failures == ["csp"]


def test_a_view_is_kept_in_the_address(watched: Watched, explorer: str) -> None:
    page = watched.open(explorer, "#task=starter")
    page.wait_for_selector("#problems a")
    page.select_option("[name=flip]", "down")
    page.select_option("[name=a]", "base@train")
    page.locator("#problems a").first.click()
    page.wait_for_selector("#problem .columns")
    before = (listed(page), page.inner_text("#problem"))
    page.reload()
    page.wait_for_selector("#problem .columns")
    assert (listed(page), page.inner_text("#problem")) == before
    page.get_by_role("link", name="Next").click()
    page.wait_for_function(
        "old => document.querySelector('#problem h2')?.textContent !== old", arg=before[1].split("\n")[0]
    )
    page.go_back()
    page.wait_for_function("old => document.querySelector('#problem').innerText === old", arg=before[1])
    watched.check()


def test_an_address_that_names_nothing_does_no_harm(watched: Watched, explorer: str) -> None:
    page = watched.open(explorer, "#task=nosuch&a=nobody&flip=upside&problem=%3Cimg%20src=x%3E")
    page.wait_for_selector("#problems a")
    assert "No problem <img src=x> in this task" in page.inner_text("#problem")
    assert page.input_value("[name=a]") == "base"
    watched.check()


def test_a_number_opens_on_hover_click_and_enter_and_closes_on_escape(watched: Watched) -> None:
    page = watched.open("matched_decoding.html")
    number = page.locator("button.number").nth(30)
    note = page.locator(f"#{number.get_attribute('popovertarget')}")
    assert not note.is_visible()
    number.scroll_into_view_if_needed()
    number.hover()
    note.wait_for(state="visible")
    page.mouse.move(5, 5)
    note.wait_for(state="hidden")
    number.click()
    note.wait_for(state="visible")
    assert "harness audit" in note.inner_text()
    box = note.bounding_box()
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= 1200
    page.keyboard.press("Escape")
    note.wait_for(state="hidden")
    number.focus()
    page.keyboard.press("Enter")
    note.wait_for(state="visible")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "number"
    watched.check()


def test_notes_open_without_scripts(browser: Any, site: Path) -> None:
    watched = Watched(browser, site, java_script_enabled=False)
    page = watched.open("matched_decoding.html")
    number = page.locator("button.number").first
    number.click()
    assert page.locator(f"#{number.get_attribute('popovertarget')}").is_visible()
    assert page.locator("#theme").is_hidden()
    watched.check()
    watched.context.close()


def test_the_keyboard_goes_through_a_page_in_reading_order(watched: Watched) -> None:
    page = watched.open("matched_decoding.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [[...document.querySelectorAll('*')].indexOf(e), s.outlineStyle]; })()"
            )
        )
    places = [place for place, _ in seen]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert {outline for _, outline in seen} == {"solid"}


def test_the_explorer_works_by_keyboard_alone(watched: Watched, explorer: str) -> None:
    page = watched.open(explorer, "#task=starter")
    page.wait_for_selector("#problems a")
    page.focus("[name=text]")
    page.keyboard.type("05")
    page.keyboard.press("Tab")
    assert page.evaluate(
        "document.activeElement.closest('#problems') !== null || document.activeElement.id === 'problems'"
    )
    while page.evaluate("document.activeElement.tagName") != "A":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem .columns")
    assert page.evaluate("document.activeElement.id") == "problem"
    watched.check()


def test_the_theme_button_goes_round_and_is_remembered(watched: Watched) -> None:
    page = watched.open("index.html")
    grounds = []
    for expected in ("light", "dark", "system"):
        page.click("#theme")
        assert page.inner_text("#theme") == f"Theme: {expected}"
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]
    page.click("#theme")
    page.click("#theme")
    page.reload()
    assert page.inner_text("#theme") == "Theme: dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == grounds[1]
    watched.check()


def test_figures_take_the_theme_s_colours(browser: Any, site: Path) -> None:
    fills = []
    for scheme in ("light", "dark"):
        watched = Watched(browser, site, color_scheme=scheme)
        page = watched.open("matched_decoding.html")
        label = page.locator("svg.figure text", has_text="ssd@eval > base").first
        fills.append(_hex(label.evaluate("e => getComputedStyle(e).fill")))
        watched.context.close()
    assert fills == [LIGHT["ink"], DARK["ink"]]


def test_every_figure_and_region_has_a_name(watched: Watched, explorer: str) -> None:
    for name in ("index.html", "matched_decoding.html", explorer):
        page = watched.open(name)
        unnamed = page.evaluate(
            "[...document.querySelectorAll('svg.figure, [role=region], nav, select, input, button')].filter(e =>"
            " !e.getAttribute('aria-label') && !e.closest('label') && !e.textContent.trim()).map(e => e.outerHTML)"
        )
        assert unnamed == [], json.dumps(unnamed)
        assert page.locator("h1").count() == 1
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), levels
