"""How long the statistics of a table take, beside ``scipy.stats.bootstrap`` doing the same in the same run.

``python bench/stats.py [--json]``: 12 contrasts × 10,000 BCa resamples × 1,055 problems × 3 training seeds on one core,
then the one-level part (12 columns of paired differences, BCa over problems) by this project and by scipy, with the
largest disagreement of their endpoints in units of its own Monte Carlo error. Figures are for this machine, now.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported: one core is what is promised

import numpy as np  # noqa: E402

from harness.stats import bootstrap_table, paired_contrast, pass_at_k  # noqa: E402
from harness.stats.bootstrap import acceleration, bca_interval, bootstrap_means  # noqa: E402

CONTRASTS, RESAMPLES, PROBLEMS, SEEDS, SAMPLES = 12, 10_000, 1_055, 3, 10


def simulated_arms() -> dict[str, np.ndarray]:
    """A base arm and twelve treatments with three training seeds each, pass@1 from ten samples."""
    rng = np.random.default_rng(0)
    rates = rng.beta(0.6, 0.9, PROBLEMS)
    arms = {"base": pass_at_k(SAMPLES, rng.binomial(SAMPLES, rates), 1)}
    for i in range(CONTRASTS):
        odds = np.log(rates / (1 - rates)) + 0.05 * i + rng.normal(0, 0.2, (SEEDS, PROBLEMS))
        arms[f"arm{i}"] = pass_at_k(SAMPLES, rng.binomial(SAMPLES, 1 / (1 + np.exp(-odds))), 1)
    return arms


def ours_one_level(columns: np.ndarray, seed: int) -> np.ndarray:
    """BCa endpoints ``[columns, 2]`` of column means, by one matrix product."""
    draws = bootstrap_means(columns, resamples=RESAMPLES, rng=np.random.default_rng(seed))
    means = columns.mean(axis=0)
    return np.array(
        [
            bca_interval(draws[:, i], float(means[i]), acceleration(columns[:, i] - means[i]), 0.95)
            for i in range(columns.shape[1])
        ]
    )


def scipy_one_level(columns: np.ndarray, seed: int) -> np.ndarray:
    """The same by ``scipy.stats.bootstrap``, vectorised over columns as its documentation recommends."""
    from scipy.stats import bootstrap

    result = bootstrap(
        (columns.T,),
        np.mean,
        axis=-1,
        n_resamples=RESAMPLES,
        method="BCa",
        batch=100,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return np.column_stack([result.confidence_interval.low, result.confidence_interval.high])


def timed(*jobs: Callable[[], object], repeats: int) -> list[float]:
    """Best wall time of each job; the jobs take turns, so that a busy moment of the machine hits them alike."""
    best = [float("inf")] * len(jobs)
    for _ in range(repeats):
        for i, job in enumerate(jobs):
            start = time.perf_counter()
            job()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def main() -> int:
    """Run the benchmark; exit 1 if a promise made in docs/statistics.md is not kept on this machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    arms = simulated_arms()
    pairs = [(name, "base") for name in arms if name != "base"]
    seconds_table, seconds_full = timed(
        lambda: bootstrap_table(arms, pairs, resamples=RESAMPLES, resample_seeds=True),
        lambda: [paired_contrast(arms[t], arms[c], margin=0.02) for t, c in pairs],
        repeats=3,
    )
    columns = np.stack([arms[t].mean(axis=0) - arms[c] for t, c in pairs], axis=1)
    # Also imports scipy.stats before the timing, as a long-running analysis would have.
    ours, theirs = ours_one_level(columns, 1), scipy_one_level(columns, 2)
    seconds_ours, seconds_scipy = timed(
        lambda: ours_one_level(columns, 1), lambda: scipy_one_level(columns, 2), repeats=7
    )
    # Monte Carlo error of an endpoint, from independent repetitions of ours; a difference of two has √2 of it.
    spread = np.std([ours_one_level(columns, 100 + i) for i in range(20)], axis=0, ddof=1) * np.sqrt(2)
    worst = float(np.max(np.abs(ours - theirs) / spread))
    report = {
        "contrasts": CONTRASTS,
        "resamples": RESAMPLES,
        "problems": PROBLEMS,
        "seeds": SEEDS,
        "table_bootstrap_seconds": round(seconds_table, 3),
        "full_contrasts_seconds": round(seconds_full, 3),
        "one_level_seconds": round(seconds_ours, 3),
        "scipy_one_level_seconds": round(seconds_scipy, 3),
        "speed_over_scipy": round(seconds_scipy / seconds_ours, 1),
        "largest_endpoint_difference_in_monte_carlo_errors": round(worst, 2),
    }
    kept = seconds_table < 2 and seconds_scipy / seconds_ours >= 5 and worst < 4.5
    report["promises_kept"] = kept
    if options.json:
        print(json.dumps(report))  # noqa: T201
    else:
        for name, value in report.items():
            print(f"{name.replace('_', ' '):52} {value}")  # noqa: T201
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
