"""The report's colours, once for pages and figures, and the arithmetic that shows they can be read.

Pages use the names as CSS variables; figures are drawn in the light colours and, inside a page, have each of them
replaced by its variable (so every colour of :data:`LIGHT` is different).
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "ink": "#1c2128",
    "muted": "#57606b",
    "paper": "#fdfdfc",
    "surface": "#f3f4f2",
    "line": "#d5d8d3",
    "edge": "#7d858d",
    "link": "#0b57a4",
    "mark": "#fff3c4",
    "good": "#14693a",
    "good-tint": "#e0f2e6",
    "bad": "#a8201a",
    "bad-tint": "#fbe6e4",
    "same": "#5b3aa6",
    "same-tint": "#ece6fa",
    "open": "#7a4d00",
    "open-tint": "#faeecf",
    "idle": "#4d5560",
    "idle-tint": "#e6e8ea",
    "series-1": "#0a5aa8",
    "series-2": "#c03f0a",
    "series-3": "#0a7a5c",
    "series-4": "#8038b8",
    "series-5": "#8a5d00",
    "zone": "#7a56c8",
    "code-keyword": "#8a1f6a",
    "code-string": "#0c5f3c",
    "code-comment": "#5f6872",
    "code-number": "#0b4f94",
    "code-name": "#5a3d9e",
}

DARK: Mapping[str, str] = {
    "ink": "#e4e6e8",
    "muted": "#a3abb4",
    "paper": "#14171a",
    "surface": "#1d2125",
    "line": "#343a40",
    "edge": "#79828b",
    "link": "#7cb8f5",
    "mark": "#4a3f10",
    "good": "#6fd39a",
    "good-tint": "#143323",
    "bad": "#ff9c92",
    "bad-tint": "#431b19",
    "same": "#c3adf9",
    "same-tint": "#2c2350",
    "open": "#efc268",
    "open-tint": "#3a2c0c",
    "idle": "#b3bac2",
    "idle-tint": "#2a3036",
    "series-1": "#6db3f7",
    "series-2": "#ff9361",
    "series-3": "#54cfaa",
    "series-4": "#cf9cf5",
    "series-5": "#dcb04c",
    "zone": "#a48af0",
    "code-keyword": "#f09ad2",
    "code-string": "#83d6a9",
    "code-comment": "#98a1ab",
    "code-number": "#86c0fa",
    "code-name": "#c5b0fb",
}

_ON = ("paper", "surface")
TEXT_PAIRS: tuple[tuple[str, str], ...] = (
    *((text, ground) for text in ("ink", "muted", "link") for ground in _ON),
    *((f"code-{kind}", ground) for kind in ("keyword", "string", "comment", "number", "name") for ground in _ON),
    *((status, f"{status}-tint") for status in ("good", "bad", "same", "open", "idle")),
    *((status, ground) for status in ("good", "bad", "open") for ground in _ON),
    ("ink", "mark"),
)
"""(text, ground) as the style sheet combines them: WCAG 2.2 AA asks for at least 4.5."""

GRAPHIC_PAIRS: tuple[tuple[str, str], ...] = tuple(
    (mark, ground) for mark in ("edge", "zone", *(f"series-{i}" for i in range(1, 6))) for ground in _ON
)
"""(line or border, ground): WCAG 2.2 AA, 1.4.11, asks for at least 3."""

SERIES = tuple(f"series-{i}" for i in range(1, 6))


def contrast_ratio(a: str, b: str) -> float:
    """Contrast of two ``#rrggbb`` colours, 1 to 21 (WCAG 2.2, "contrast ratio" and "relative luminance")."""
    lighter, darker = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def css_variables() -> str:
    """Both themes as CSS: the system's choice, which ``data-theme`` on the root element overrides."""
    light, dark = _block(LIGHT, "light"), _block(DARK, "dark")
    return (
        f":root {{{light}}}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{{dark}}} }}\n"
        f":root[data-theme=dark] {{{dark}}}\n"
    )


def _block(colours: Mapping[str, str], scheme: str) -> str:
    return f" color-scheme: {scheme}; " + " ".join(f"--{name}: {value};" for name, value in colours.items()) + " "


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
