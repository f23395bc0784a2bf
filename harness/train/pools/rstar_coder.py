"""The paper's prompts as a pool file: rStar-Coder's seed problems, each statement once.

What this does not promise: the authors' own list, which was never published. The paper says that statements were made
distinct by exact comparison after normalising white space, and counts about 10,168; two outside counts reach that only
with the rows that some recorded solution passed (``is_passed``), so that is the default here. ``--all`` takes every
row: which rows to take is a choice that deserves an ablation.

    python -m harness.train.pools.rstar_coder OUT.jsonl --revision COMMIT
    harness run … scale.pool=OUT.jsonl
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.canonical import text_digest
from harness.errors import BadInput, HarnessError, MissingCapability

REPOSITORY, CONFIGURATION, SPLIT = "microsoft/rStar-Coder", "seed_sft", "train"


def distinct(rows: Iterable[Mapping[str, Any]], *, passed_only: bool) -> Iterator[dict[str, str]]:
    """Pool lines of the rows, the first of each statement; ids are digests of the normalised statement.

    Raises:
        BadInput: for a row without the fields that are needed.
    """
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        missing = [f for f in ("question", "is_passed") if f not in row]
        if missing:
            raise BadInput(f"{REPOSITORY}, row {number}: no {missing[0]}")
        # The pool treats prompts that differ in case alone as one, so they are made distinct by that here too.
        name = text_digest(" ".join(str(row["question"]).lower().split()))[:16]
        if (passed_only and not row["is_passed"]) or name in seen or not str(row["question"]).strip():
            continue
        seen.add(name)
        yield {"id": f"rstar_coder/{name}", "topic": "contest", "prompt": str(row["question"]).strip()}


def main(arguments: list[str] | None = None) -> int:
    """Write the pool; prints how many prompts it has and from which commit."""
    parser = argparse.ArgumentParser(prog="python -m harness.train.pools.rstar_coder", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--revision", default="", help="commit of the data set; without one the newest, which is named")
    parser.add_argument("--all", action="store_true", help="also rows that no recorded solution passed")
    given = parser.parse_args(arguments)
    try:
        rows, commit = _rows(given.revision)
        lines = [json.dumps(line, ensure_ascii=False) for line in distinct(rows, passed_only=not given.all)]
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(lines)} prompts of {REPOSITORY}@{commit} in {given.out}\n")
    return 0


def _rows(revision: str) -> tuple[Iterable[Mapping[str, Any]], str]:
    try:
        from datasets import load_dataset
        from huggingface_hub import HfApi

        commit = revision or str(HfApi().dataset_info(REPOSITORY).sha)
        columns = ["question", "is_passed"]
        return load_dataset(REPOSITORY, CONFIGURATION, split=SPLIT, revision=commit).select_columns(columns), commit
    except ImportError as error:
        raise MissingCapability(f"needs {error.name}: pip install 'harness-referee[run]'") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise MissingCapability(f"{REPOSITORY} cannot be had from the Hub ({type(error).__name__})") from None


if __name__ == "__main__":
    sys.exit(main())
