"""``harness forensics FILE.yaml``, without the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.forensics.as_dict import to_dict
from harness.forensics.load import load
from harness.forensics.markdown import to_markdown
from harness.forensics.report import report


def run(path: str | Path, out: str | Path | None = None) -> tuple[str, dict[str, Any]]:
    """Audit the table in ``path``.

    Args:
        path: A YAML file in the schema of ``docs/forensics.md``.
        out: Where to write the Markdown, if anywhere; missing folders are made.

    Returns:
        The report as Markdown and as JSON values.

    Raises:
        BadInput: if the file cannot be used, or ``out`` cannot be written.
    """
    result = report(load(path))
    text = to_markdown(result)
    if out is not None:
        try:
            Path(out).parent.mkdir(parents=True, exist_ok=True)
            Path(out).write_text(text, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"--out {out}: cannot be written ({error.strerror})") from None
    return text, to_dict(result)
