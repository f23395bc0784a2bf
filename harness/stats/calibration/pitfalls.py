"""What goes wrong otherwise: strata made from the tested samples, and the best setting scored where it was chosen."""

from __future__ import annotations

import numpy as np

from harness.stats._arrays import Floats, Ints
from harness.stats.calibration.batch import Bools
from harness.stats.calibration.cells import BLOCK
from harness.stats.calibration.studies import Progress
from harness.stats.selection import budget_curve, make_folds, selection_optimism
from harness.stats.strata import SMALLEST_STRATUM, split_samples, strata_interaction, welch_statistic

StrataRow = dict[str, float | str]


def _interaction_rejects(
    values: Floats, codes: Ints, groups: int, permutations: int, rng: np.random.Generator
) -> tuple[Bools, Bools]:
    """Rejections at 5 % by the larger p-value, and by Welch's F alone, for ``[replicates, problems]``."""
    from scipy.special import fdtrc  # type: ignore[import-untyped]

    observed, degrees = welch_statistic(values, codes, groups)
    by_welch = np.asarray(fdtrc(groups - 1, degrees, observed)) <= 0.05
    reached = np.zeros(observed.shape)
    for _ in range(permutations):
        shuffled = codes[:, rng.permutation(codes.shape[1])]
        reached += welch_statistic(values, shuffled, groups)[0] >= observed * (1 - 1e-10)
    return ((1 + reached) / (1 + permutations) <= 0.05) & by_welch, by_welch


def run_strata(replicates: int, permutations: int, seed: int, progress: Progress) -> list[StrataRow]:
    """Interaction test by strata under a null of identical arms, with strata made in two ways.

    131 problems with 20 samples in the base arm and 10 in the other. *Separate*: strata from half of the base samples,
    the contrast from the other half. *Tested*: strata from the very base samples that enter the contrast.
    """
    out: list[StrataRow] = []
    settings = (
        ("50 %", 0.5, 0.5, (1 / 3, 2 / 3), ("hard", "medium", "easy")),
        ("5 %", 0.2, 3.8, (0.05,), ("never solved", "sometimes solved")),
    )
    for name, a, b, edges, labels in settings:
        progress(f"strata, solve rates near {name}")
        rng = np.random.default_rng([seed, 50, int(100 * a)])
        totals: dict[str, Floats] = {way: np.zeros(2 + 2 * len(labels)) for way in ("separate", "tested")}
        for start in range(0, replicates, BLOCK):
            count = min(BLOCK, replicates - start)
            p = rng.beta(a, b, (count, 131))
            base, other = rng.binomial(20, p), rng.binomial(10, p) / 10.0
            (n1, c1), (n2, c2) = split_samples(np.full(p.shape, 20), base, seed=seed + start)
            values = other - c2 / n2
            for way, rates in (("separate", c1 / n1), ("tested", c2 / n2)):
                codes = np.searchsorted(np.asarray(edges), rates, side="left")
                sizes = np.stack([(codes == g).sum(axis=1) for g in range(len(labels))], axis=1)
                usable = (sizes >= SMALLEST_STRATUM).all(axis=1)
                both, welch = _interaction_rejects(values[usable], codes[usable], len(labels), permutations, rng)
                if start == 0:
                    result = strata_interaction(
                        other[usable][0], (c2 / n2)[usable][0], [str(c) for c in codes[usable][0]], permutations=99
                    )
                    ours = welch_statistic(values[usable], codes[usable], len(labels))[0][0]
                    if abs(result.statistic - ours) > 1e-9 * max(ours, 1.0):
                        raise AssertionError(f"Welch's F: library {result.statistic}, vectorised {ours}")
                means = [np.where(codes == g, values, 0.0).sum() for g in range(len(labels))]
                totals[way] += np.array([both.sum(), welch.sum(), *means, *sizes.sum(axis=0)])
        for way, total in totals.items():
            effects = total[2 : 2 + len(labels)] / total[2 + len(labels) :]
            row: StrataRow = {"shape": name, "strata": way, "rejects": total[0] / replicates}
            row["welch"] = total[1] / replicates
            row |= {label: float(e) for label, e in zip(labels, effects, strict=True)}
            out.append(row)
    return out


def run_selection(replicates: int, resamples: int, seed: int, progress: Progress) -> list[dict[str, float]]:
    """The best of G equally good settings on 131 problems: its apparent gain, and the cross-fitted one.

    Every setting has the same true rates, so any gain over the true mean is optimism. Coverage is of the true mean.
    """
    out = []
    folds = make_folds([str(i) for i in range(131)], 5)
    for settings in (2, 10, 50):
        progress(f"selection among {settings} settings")
        rng = np.random.default_rng([seed, 60, settings])
        apparent = honest = bootstrap = covered = curve_end = 0.0
        for i in range(replicates):
            p = rng.beta(0.5, 0.5, 131)
            # Inference to a population of problems; the mean rate is ½ by construction.
            scores = rng.binomial(10, np.broadcast_to(p, (settings, 131))) / 10.0
            result = selection_optimism(scores, folds, resamples=resamples, seed=i)
            apparent += result.apparent - 0.5
            honest += result.honest - 0.5
            bootstrap += result.optimism_bootstrap
            covered += result.honest_interval[0] <= 0.5 <= result.honest_interval[1]
            curve_end += float(budget_curve(scores, folds)[-1]) - 0.5
        row = {
            "settings": settings,
            "apparent gain": apparent / replicates,
            "cross-fitted gain": honest / replicates,
            "bootstrap optimism": bootstrap / replicates,
            "coverage": covered / replicates,
            "curve end": curve_end / replicates,
            "replicates": replicates,
        }
        out.append(row)
    return out
