"""One process of a training group. Started by ``torchrun`` (:mod:`harness.train.distribute`), never by hand."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(folder: Path) -> int:
    """Train this process's share; the first process reports steps on stdout and writes the result."""
    import torch

    from harness.train import distribute, trainer

    job = distribute.read_job(folder)
    first = os.environ["RANK"] == "0"
    if job["device"] == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    result = trainer.run(**job, progress=_report if first else None)
    if first:
        distribute.write_result(result, folder)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


def _report(step: int, total: int, loss: float) -> None:
    from harness.train.distribute import STEP_MARK

    print(f"{STEP_MARK}{step} {total} {loss!r}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
