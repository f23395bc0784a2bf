"""Common ground of the figures: size, type, colours, and how one drawing becomes three files.

A figure is as wide as a phone (:data:`WIDTH` inches at 100 dots each), so that its text keeps a readable size there;
labels stand above their marks, not in a margin. Colours are the light ones of :mod:`harness.report.theme`; in a page
each is replaced by its CSS variable.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from harness.report.hostile import visible
from harness.report.theme import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 4.4

RC: Mapping[str, Any] = {
    "axes.edgecolor": LIGHT["edge"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["edge"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.color": LIGHT["edge"],
    "ytick.labelcolor": LIGHT["muted"],
}

TIP = "tip|"
"""Prefix of an artist's gid that carries text to be shown when the pointer rests on it."""

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure to be drawn: ``draw(data)`` makes it, ``alt`` says in words what it shows."""

    name: str
    alt: str
    draw: Callable[[Any], Figure]
    data: Any


@dataclass(frozen=True, slots=True)
class Rendered:
    """A drawn figure: ``inline`` for a page, ``svg`` and ``pdf`` for papers."""

    name: str
    alt: str
    inline: str
    svg: str
    pdf: bytes


def axes(height: float) -> tuple[Figure, Axes]:
    """An empty figure of standard width. ``height`` in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    return figure, figure.add_subplot()


def colour(name: str) -> str:
    """A colour of the theme by name."""
    return LIGHT[name]


def tip(text: str) -> str:
    """The gid that makes an artist show ``text`` when the pointer rests on it."""
    return TIP + visible(text)


def render_all(drawings: Sequence[Drawing]) -> dict[str, Rendered]:
    """Draw every figure, by name; on several cores where there are many."""
    workers = min(len(drawings) // 12, os.cpu_count() or 1)
    if workers > 1:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        # Forking a process that may have threads (hydra, docker clients) can deadlock; a fresh one cannot.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            done = list(pool.map(render, drawings, chunksize=4))
    else:
        done = [render(d) for d in drawings]
    return {r.name: r for r in done}


def render(drawing: Drawing) -> Rendered:
    """Draw one figure. The same data gives the same bytes."""
    import matplotlib as mpl
    from matplotlib.text import Text

    settings: Any = {**RC, "svg.hashsalt": drawing.name}
    with mpl.rc_context(settings):
        figure = drawing.draw(drawing.data)
        for text in figure.findobj(Text):  # names of arms and strata come from records
            text.set_text(visible(text.get_text()))
        figure.tight_layout(pad=0.4)
        svg, pdf = io.StringIO(), io.BytesIO()
        # Without dates and version, so that the bytes depend on the data alone.
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        pdf_metadata = {"CreationDate": None, "Creator": None, "Producer": None, "Title": drawing.alt}
        figure.savefig(pdf, format="pdf", transparent=True, metadata=pdf_metadata)
    root = ElementTree.fromstring(svg.getvalue())
    _name(root, drawing.alt)
    paper = _text(root) + "\n"
    return Rendered(drawing.name, drawing.alt, _inline(root, drawing.name), paper, pdf.getvalue())


def _name(root: ElementTree.Element, alt: str) -> None:
    """Give the figure its alternative text, and its marks the texts they carry."""
    for parent in root.iter():
        for child in list(parent):
            if child.tag == f"{{{SVG}}}metadata":
                parent.remove(child)
            elif child.get("id", "").startswith(TIP):
                title = ElementTree.Element(f"{{{SVG}}}title")
                title.text = child.attrib.pop("id").removeprefix(TIP)
                child.insert(0, title)
    root.set("role", "img")
    root.set("aria-label", alt)


def _inline(root: ElementTree.Element, name: str) -> str:
    """The figure as part of a page: sized and coloured by the page, its ids its own."""
    prefix = re.sub(r"\W+", "-", name)
    root.attrib.pop("width")
    root.attrib.pop("height")
    root.set("class", "figure")
    for parent in root.iter():
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style":  # its rule is for every element, and would be the page's too
                parent.remove(child)
        if "id" in parent.attrib:
            parent.set("id", f"{prefix}.{parent.get('id')}")
        for key in (f"{{{XLINK}}}href", "clip-path"):
            if key in parent.attrib:
                parent.set(key, parent.attrib[key].replace("#", f"#{prefix}.", 1))
        if "style" in parent.attrib:
            parent.set("style", _themed(parent.attrib["style"]))
    return _text(root)


def _themed(style: str) -> str:
    style = re.sub(r"font-family:[^;]*;?\s*", "", style)
    for variable, value in LIGHT.items():
        style = style.replace(value, f"var(--{variable})")
    return style


def _text(root: ElementTree.Element) -> str:
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")
