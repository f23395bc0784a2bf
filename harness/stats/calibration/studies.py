"""The simulation studies: every cell of the grid, then what goes wrong with the tempting alternatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harness.stats._arrays import Floats, effective_count
from harness.stats._scipy import normal_quantile, t_upper
from harness.stats.calibration.batch import (
    TAIL,
    ContrastTally,
    Draws,
    bootstrap_covers,
    mcnemar_rejects,
    spot_check,
    standard_errors,
    tally_contrast,
    tally_mean,
)
from harness.stats.calibration.cells import Cell, draw, paired_grid, seed_grid
from harness.stats.contrast import ENOUGH_EFFECTIVE, ENOUGH_INFORMATIVE, paired_contrast

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """Rates of one statistic's methods in one cell.

    ``counted`` is the share of experiments with 20 informative problems, ``enough`` of those in which enough of them
    make up the spread as well.
    """

    study: str
    cell: Cell
    k: int
    replicates: int
    enough: float
    counted: float
    rates: dict[str, float] = field(default_factory=dict)


def _rates(tally: ContrastTally) -> dict[str, float]:
    return {name: tally.rate(name) for name in tally.hits}


def run_paired(replicates: int, resamples: int, seed: int, fast: bool, progress: Progress) -> list[Row]:
    """Coverage and type-I error with one training seed: paired contrasts, and the control arm on its own."""
    rows = []
    for number, cell in enumerate(paired_grid(fast)):
        progress(f"{cell.world}, rates near {cell.shape}, {cell.problems} problems × {cell.samples} samples")
        rng = np.random.default_rng([seed, 10, number])
        contrasts = {k: ContrastTally() for k in cell.ks}
        arms = {k: ContrastTally() for k in cell.ks}
        first = True
        for block in draw(cell, replicates, rng):
            draws = Draws.make(cell.problems, resamples, rng)
            for k, (treatment, control) in block.items():
                if first:
                    spot_check(treatment, control, cell.truth(k), cell.control_truth(k))
                differences = treatment[:, 0] - control[:, 0]
                tally_contrast(contrasts[k], differences, cell.truth(k), draws)
                if cell.samples == 1 and cell.truth(k) == 0.0:
                    contrasts[k].add("reject McNemar", mcnemar_rejects(differences))
                if cell.world == "same rates":
                    tally_mean(arms[k], control[:, 0], cell.control_truth(k), draws)
            first = False
        for k in cell.ks:
            rows.append(Row("contrast", cell, k, replicates, *contrasts[k].shares, _rates(contrasts[k])))
            if cell.world == "same rates":
                rows.append(Row("mean", cell, k, replicates, *arms[k].shares, _rates(arms[k])))
    return rows


def _seed_half_widths(differences: Floats, tail: float) -> tuple[Floats, Floats]:
    """Half-widths over seeds and for these models, ``differences [replicates, seeds, problems]``."""
    _, seeds, problems = differences.shape
    of_problems = differences.mean(axis=1)
    variance = of_problems.var(axis=1, ddof=1) / problems
    of_seeds = differences.mean(axis=2)
    raw = of_seeds.var(axis=1, ddof=1) / seeds
    residual = differences - of_problems[:, None, :] - of_seeds[:, :, None] + of_problems.mean(axis=1)[:, None, None]
    noise = np.sum(residual**2, axis=(1, 2)) / (problems * (problems - 1) * (seeds - 1) * seeds)
    own = np.maximum(raw - noise, 0.0)
    p, s = t_upper(tail, problems - 1) ** 2, t_upper(tail, seeds - 1) ** 2
    return np.sqrt(np.maximum(p * variance + s * own, s * raw)), np.sqrt(p * variance)


def run_seeds(replicates: int, resamples: int, seed: int, fast: bool, progress: Progress) -> list[Row]:
    """Several training seeds per arm: the interval over seeds, for these models, and bootstraps that ignore seeds."""
    rows = []
    for number, cell in enumerate(seed_grid(fast)):
        progress(f"{cell.seeds} seeds of SD {cell.seed_sd}, {cell.problems} problems × {cell.samples} samples")
        rng = np.random.default_rng([seed, 20, number])
        tally = ContrastTally()
        first = True
        for block in draw(cell, replicates, rng):
            treatment, control = block[1]
            differences = treatment - control
            over, models = _seed_half_widths(differences, TAIL)
            if first:
                for i in range(3):
                    result = paired_contrast(treatment[i], control[i], resamples=2)
                    half = (result.interval_t[1] - result.interval_t[0]) / 2.0
                    if abs(half - over[i]) > 1e-9:
                        raise AssertionError(f"interval over seeds: library {half}, vectorised {over[i]}")
                first = False
            means = differences.mean(axis=(1, 2))
            wide = np.abs(means) <= over
            tally.replicates += means.size
            tally.add("over seeds", wide)
            tally.add("these models", np.abs(means) <= models)
            bca, _ = bootstrap_covers(differences.mean(axis=1), 0.0, Draws.make(cell.problems, resamples, rng))
            tally.add("bca", bca)
            tally.add("reject over seeds", ~wide)
            simple = standard_errors(differences.mean(axis=2))
            tally.add("t over seeds only", np.abs(means) <= t_upper(TAIL, cell.seeds - 1) * simple)
            of_problems = differences.mean(axis=1)
            counted = np.count_nonzero(np.abs(of_problems) > 1e-13, axis=1) >= ENOUGH_INFORMATIVE
            tally.counted += int(np.count_nonzero(counted))
            tally.enough += int(np.count_nonzero(counted & (effective_count(of_problems) >= ENOUGH_EFFECTIVE)))
        rows.append(Row("seeds", cell, 1, replicates, *tally.shares, _rates(tally)))
    return rows


def run_clusters(replicates: int, seed: int, progress: Progress) -> list[dict[str, float]]:
    """Problems in clusters of four that share part of the effect: t over problems against t over clusters."""
    out = []
    for problems in (132, 376):
        progress(f"clusters of four, {problems} problems")
        rng = np.random.default_rng([seed, 30, problems])
        groups = problems // 4
        p = rng.beta(0.5, 0.5, (replicates, problems))
        shift = np.repeat(rng.normal(0.0, 0.7, (replicates, groups)), 4, axis=1)
        factor = np.exp(shift)
        treated = p * factor / (p * factor + 1.0 - p)
        other = p / (p + (1.0 - p) * np.exp(np.repeat(rng.normal(0.0, 0.7, (replicates, groups)), 4, axis=1)))
        values = (rng.binomial(10, treated) - rng.binomial(10, other)) / 10.0
        means = values.mean(axis=1)
        sums = (values - means[:, None]).reshape(replicates, groups, 4).sum(axis=2)
        clustered = np.sqrt(np.sum(sums**2, axis=1) * groups / (groups - 1)) / problems
        plain = t_upper(TAIL, problems - 1) * standard_errors(values)
        out.append(
            {
                "problems": problems,
                "clusters": groups,
                "t over clusters": float(np.mean(np.abs(means) <= t_upper(TAIL, groups - 1) * clustered)),
                "t over problems": float(np.mean(np.abs(means) <= plain)),
            }
        )
    return out


def run_nesting(replicates: int, seed: int, progress: Progress) -> dict[str, float]:
    """Three seeds on the same 131 problems: problems drawn once for all seeds, or anew for each; and noise added twice.

    The arms' true rates differ by problem (exchangeably) and seeds share them, as training runs of one recipe do.
    """
    progress("crossing and nesting")
    rng = np.random.default_rng([seed, 40])
    seeds, problems, z = 3, 131, -normal_quantile(TAIL)
    truth = [rng.beta(0.5, 0.5, (replicates, 1, problems)) for _ in range(2)]
    drawn = [rng.binomial(10, np.broadcast_to(p, (replicates, seeds, problems))) / 10.0 for p in truth]
    d = drawn[0] - drawn[1]
    means = d.mean(axis=(1, 2))
    crossed = d.mean(axis=1).std(axis=1) / np.sqrt(problems)
    # What a bootstrap that draws problems separately for every seed converges to: seeds averaged as if independent.
    nested = np.sqrt(np.sum(d.var(axis=2), axis=1) / problems) / seeds
    null_rates = rng.beta(0.5, 0.5, (replicates, problems))
    null = [rng.binomial(10, null_rates) / 10.0 for _ in range(2)]
    n = null[0] - null[1]
    within = sum(x * (1.0 - x) / 9.0 for x in null).sum(axis=1) / problems**2  # type: ignore[union-attr]
    twice = np.sqrt(n.var(axis=1, ddof=1) / problems + within)
    return {
        "crossed": float(np.mean(np.abs(means) <= z * crossed)),
        "nested": float(np.mean(np.abs(means) <= z * nested)),
        "noise added twice": float(np.mean(np.abs(n.mean(axis=1)) <= z * twice)),
    }
