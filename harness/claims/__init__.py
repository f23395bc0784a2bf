"""Claims: what was published or asked, which contrasts test it, and the status that records give it.

No status is typed by hand. :func:`statuses` computes every one from the records of a results folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from harness.claims.status import ClaimStatus
    from harness.report.analysis import Analyse


def statuses(results: Path, analysed: Analyse | None = None) -> list[ClaimStatus]:
    """The status of every claim in ``results/claims.yaml``, in its order; empty where there is no such file.

    Only records that count are used: not withdrawn, of an evidence scale, made from a clean commit. ``analysed`` shares
    analyses with whoever else needs them.
    """
    from harness.claims.catalogue import load
    from harness.claims.status import all_statuses
    from harness.ledger.standing import standing_records

    path = results / "claims.yaml"
    return all_statuses(load(path), standing_records(results), analysed) if path.exists() else []
