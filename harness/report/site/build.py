"""Build the site: read the records, draw the figures, write the pages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.ledger.record import Record
from harness.ledger.standing import standing_records
from harness.report.analysis import Analyse, remembering
from harness.report.figures import Rendered, render_all
from harness.report.hostile import visible
from harness.report.site.claims import claims
from harness.report.site.explorer import Prompts, explorer_files, load_prompts
from harness.report.site.provenance import SHORT, results_option
from harness.report.site.views import PageView, page_views
from harness.report.tables import arms_csv, contrasts_csv
from harness.report.theme import css_variables

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
MARKER = ".harness-report"
"""A file that says a folder is ours to replace."""

TONES = {"supported": "good", "refuted": "bad", "equivalent": "same", "inconclusive": "open"}


@dataclass(frozen=True, slots=True)
class Site:
    """A finished site. Sizes in bytes; ``samples_bytes`` is what the explorer's problem files take."""

    path: Path
    pages: int
    records: int
    bytes: int
    samples_bytes: int


def build_site(results: Path, out: Path) -> Site:
    """Write the site of every record below ``results`` that stands into ``out``, replacing an earlier one.

    Raises:
        BadInput: if there is no such results folder, or ``out`` holds something that is not a report.
    """
    if not results.is_dir():
        raise BadInput(f"--results {results}: no such folder")
    if out.exists() and not (out / MARKER).exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"--out {out}: exists and is no report; name a new or empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        fresh = Path(folder) / "site"
        records = standing_records(results)
        _write(fresh, results, records)
        if out.exists():
            shutil.rmtree(out)
        fresh.replace(out)
    files = [f for f in out.rglob("*") if f.is_file()]
    samples = sum(f.stat().st_size for f in files if f.relative_to(out).parts[0] == "data" and f.name != "index.js")
    pages = sum(f.suffix == ".html" for f in files)
    return Site(out, pages, len(records), sum(f.stat().st_size for f in files), samples)


def _write(site: Path, results: Path, records: Sequence[Record]) -> None:
    analysed = remembering()
    pages = page_views(records, results, analysed)
    drawings = [d for p in pages for r in p.records for t in r.tasks for d, _ in t.drawings]
    drawn = render_all(drawings)
    environment = _environment()
    for name, text in _pages(environment, pages, drawn, results, analysed).items():
        _put(site / name, text)
    for name, figure in drawn.items():
        _put(site / "figures" / f"{name}.svg", figure.svg)
        (site / "figures" / f"{name}.pdf").write_bytes(figure.pdf)
    for page in pages:
        mine = [r for r in records if r.ablation == page.name]
        if mine:
            _put(site / "tables" / f"{page.name}.arms.csv", arms_csv(mine, analysed))
            _put(site / "tables" / f"{page.name}.contrasts.csv", contrasts_csv(mine, analysed))
    known: dict[tuple[Any, ...], Prompts] = {}
    for record in records:
        prompts = {t["name"]: _prompts(known, t, record.head["config"]) for t in record.head["tasks"]}
        for name, text in explorer_files(record, prompts):
            _put(site / "data" / record.run_id[:SHORT] / name, text)
    for source in ("site.js", "explorer.js"):
        _put(site / "static" / source, (HERE / "static" / source).read_text(encoding="utf-8"))
    _put(site / "static" / "site.css", css_variables() + (HERE / "static" / "site.css").read_text(encoding="utf-8"))
    _put(site / MARKER, "A report written by `harness report`; the next one replaces this folder.\n")


def _pages(
    environment: Environment,
    pages: Sequence[PageView],
    drawn: Mapping[str, Rendered],
    results: Path,
    analysed: Analyse,
) -> dict[str, str]:
    option = results_option(results)
    index = environment.get_template("index.html")
    known = {p.name for p in pages}
    out = {
        "index.html": index.render(
            here="index", pages=pages, known=known, claims=claims(results, analysed), option=option
        )
    }
    for page in pages:
        figures = {t: [(drawn[d.name], words) for d, words in t.drawings] for r in page.records for t in r.tasks}
        out[f"{page.name}.html"] = environment.get_template("ablation.html").render(
            here=page.name, page=page, figures=lambda task, figures=figures: figures[task], option=option
        )
        for record in page.records:
            out[f"explore-{record.short}.html"] = environment.get_template("explorer.html").render(
                here="explore", name=page.name, record=record, first=record.first, option=option
            )
    return out


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        """Hidden characters of every value that is not markup are shown; no template has to remember it."""
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["tone"] = lambda status: TONES.get(status, "idle")
    return environment


def _prompts(known: dict[tuple[Any, ...], Prompts], task: Mapping[str, Any], config: Mapping[str, Any]) -> Prompts:
    ref: Mapping[str, Any] = next((t for t in config["tasks"] if t["name"] == task["name"]), {})
    key = (task["name"], task["version"], str(ref.get("path", "")), str(ref.get("options", "")))
    if key not in known:
        known[key] = load_prompts(task, config)
    return known[key]


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
