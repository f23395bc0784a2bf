"""``python -m harness.stats.calibration``: simulate, judge and write the report. Exit 1 if a promise is broken."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from harness.stats.calibration.judge import Results, promises
from harness.stats.calibration.pitfalls import run_selection, run_strata
from harness.stats.calibration.report import write
from harness.stats.calibration.studies import Progress, run_clusters, run_nesting, run_paired, run_seeds


def simulate(replicates: int, resamples: int, seed: int, fast: bool, progress: Progress) -> Results:
    """Run every study. ``fast`` takes three cells of the grid and fewer settings, for the tests."""
    return Results(
        replicates=replicates,
        resamples=resamples,
        seed=seed,
        paired=run_paired(replicates, resamples, seed, fast, progress),
        seeds=run_seeds(replicates, resamples, seed, fast, progress),
        clusters=run_clusters(replicates, seed, progress),
        nesting=run_nesting(replicates, seed, progress),
        strata=run_strata(replicates, 99 if fast else 199, seed, progress),
        selection=run_selection(min(replicates, 50 if fast else 2_000), 200, seed, progress),
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.stats.calibration", description=__doc__)
    parser.add_argument("--replicates", type=int, default=10_000, help="simulated experiments a cell")
    parser.add_argument("--resamples", type=int, default=1_000, help="bootstrap resamples and sign patterns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fast", action="store_true", help="three cells only")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of calibration.md")
    options = parser.parse_args(arguments)
    start = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - start:6.0f} s  {text}", file=sys.stderr, flush=True)  # noqa: T201

    results = simulate(options.replicates, options.resamples, options.seed, options.fast, progress)
    write(results, options.out)
    judged = promises(results)
    for promise in judged:
        mark = "kept  " if promise.kept else "BROKEN"
        print(f"{mark} {promise.name}: {promise.bound} in {len(promise.values)} cells")  # noqa: T201
    return 0 if all(p.kept for p in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
