"""Rebuild every derived file from committed records, and find what differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import BadInput
from harness.ledger.record import Record
from harness.ledger.standing import standing_records
from harness.ledger.store import write_atomic
from harness.report.analysis import remembering
from harness.report.latex import render_latex
from harness.report.tables import arms_csv, contrasts_csv, render_markdown

HEADER = "<!-- Written by `harness tables` from results/records. Do not edit. -->\n"


def derived(results: Path) -> dict[Path, str]:
    """Every file that follows from the records below ``results``, with the text it must have.

    Raises:
        BadInput: if there is no such folder, or a marked block of README names an ablation without records.
    """
    if not results.is_dir():
        raise BadInput(f"--results {results}: no such folder")
    by_ablation: dict[str, list[Record]] = {}
    for record in standing_records(results):
        by_ablation.setdefault(record.ablation, []).append(record)
    analysed = remembering()
    files: dict[Path, str] = {}
    tables: dict[str, str] = {}
    for name, records in sorted(by_ablation.items()):
        body = "\n".join(render_markdown(r, 2, analysed) for r in records)
        tables[name] = "\n".join(render_markdown(r, 3, analysed) for r in records)
        files[results / "tables" / f"{name}.md"] = f"{HEADER}\n# {name}\n\n{body}"
        files[results / "tables" / f"{name}.arms.csv"] = arms_csv(records, analysed)
        files[results / "tables" / f"{name}.contrasts.csv"] = contrasts_csv(records, analysed)
        files[results / "tables" / f"{name}.tex"] = render_latex(records, analysed)
    if (results / "claims.yaml").exists():
        from harness.claims import statuses
        from harness.claims.table import render, summary

        found = statuses(results, analysed)
        files[results / "tables" / "claims.md"] = f"{HEADER}\n{render(found)}"
        tables["claims"] = summary(found)
    for published in sorted((results / "published").glob("*.yaml")):
        target = results / "tables" / f"forensics_{published.stem}.md"
        if target.exists():
            from harness.forensics.command import run

            files[target] = run(published)[0]
    readme = results.parent / "README.md"
    if readme.exists():
        files[readme] = fill_blocks(readme.read_text(), tables)
    return files


def fill_blocks(text: str, tables: Mapping[str, str]) -> str:
    """Put each table between its ``<!-- tables:begin NAME -->`` and ``<!-- tables:end -->`` lines."""
    out: list[str] = []
    inside = False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("<!-- tables:begin "):
            name = stripped.removeprefix("<!-- tables:begin ").removesuffix("-->").strip()
            out += [line, tables.get(name, f"No committed record of `{name}` yet.\n").rstrip("\n")]
            inside = True
        elif stripped == "<!-- tables:end -->":
            inside = False
            out.append(line)
        elif not inside:
            out.append(line)
    if inside:
        raise BadInput("README.md: a 'tables:begin' block has no 'tables:end'")
    return "\n".join(out) + "\n"


def differences(results: Path, files: Mapping[Path, str] | None = None) -> list[str]:
    """Names of derived files that are missing or differ, and of tables that nothing derives.

    ``files`` is what :func:`derived` gave, where it was asked already.
    """
    files = derived(results) if files is None else files
    wrong = [str(p) for p, text in files.items() if not p.exists() or p.read_bytes() != text.encode()]
    stray = set((results / "tables").glob("*")) - set(files)
    return wrong + [f"{p} (follows from no record)" for p in sorted(stray) if p.is_file() and p.name != ".gitkeep"]


def write(results: Path) -> list[Path]:
    """Write every derived file; returns those that changed."""
    changed = []
    for path, text in derived(results).items():
        if not path.exists() or path.read_bytes() != text.encode():
            write_atomic(path, text.encode())
            changed.append(path)
    return changed
