"""A whole results table resampled in one pass: every arm and every contrast on the same drawn problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import BadInput
from harness.stats._arrays import Interval, as_matrix, check_level, cluster_codes, cluster_sums
from harness.stats.bootstrap import (
    acceleration,
    bca_interval,
    crossed_bootstrap,
    difference_influence,
    percentile_interval,
)


@dataclass(frozen=True, slots=True)
class BootstrapRow:
    """One arm (``control`` empty) or one contrast of a table: estimate and two bootstrap intervals."""

    treatment: str
    control: str
    estimate: float
    interval_bca: Interval
    interval_percentile: Interval


@dataclass(frozen=True, slots=True)
class TableBootstrap:
    """Rows for arms and contrasts, all from the same resamples of the same ``n_problems`` problems."""

    arms: tuple[BootstrapRow, ...]
    contrasts: tuple[BootstrapRow, ...]
    n_problems: int
    n_dropped: int


def bootstrap_table(
    arms: Mapping[str, ArrayLike],
    contrasts: Sequence[tuple[str, str]],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    clusters: ArrayLike | None = None,
    resample_seeds: bool | None = None,
) -> TableBootstrap:
    """BCa and percentile intervals of every arm's mean and of every contrast.

    Args:
        arms: per-problem values by arm, ``[problems]`` or ``[seeds, problems]``, problems in the same order in all.
        contrasts: pairs (treatment, control) of arm names.
        level: confidence level.
        resamples: bootstrap resamples.
        seed: seeds the draws; bit-identical results for a seed.
        clusters: cluster label of each problem; clusters are drawn whole.
        resample_seeds: whether training seeds are drawn too, crossed with problems; by default from five seeds on.

    Problems undefined in any arm are left out of the whole table, so that all rows are about the same problems.

    Raises:
        BadInput: for arms of different length, unknown names in a contrast, or no problem defined in every arm.
    """
    check_level(level)
    matrices = {name: as_matrix(values, name) for name, values in arms.items()}
    lengths = {m.shape[1] for m in matrices.values()}
    if len(lengths) != 1:
        raise BadInput(f"arms have different numbers of problems: {sorted(lengths)}")
    for name in {n for pair in contrasts for n in pair} - matrices.keys():
        raise BadInput(f"contrast names the unknown arm {name!r}; arms are {', '.join(matrices)}")
    keep = np.all([~np.isnan(m).any(axis=0) for m in matrices.values()], axis=0)
    if not keep.any():
        raise BadInput("no problem is defined in every arm of the table")
    codes = cluster_codes(clusters, keep)
    names = list(matrices)
    blocks = [matrices[name][:, keep] for name in names]
    draws, influences = crossed_bootstrap(
        blocks, resamples=resamples, rng=np.random.default_rng(seed), codes=codes, resample_seeds=resample_seeds
    )
    units = cluster_sums(blocks[0][0], codes).size
    place = {name: i for i, name in enumerate(names)}
    rows = []
    for i, name in enumerate(names):
        estimate = float(blocks[i].mean())
        bca = bca_interval(draws[:, i], estimate, acceleration(influences[i]), level)
        rows.append(BootstrapRow(name, "", estimate, bca, percentile_interval(draws[:, i], level)))
    pairs = []
    for treatment, control in contrasts:
        left, right = place[treatment], place[control]
        estimate = float(blocks[left].mean() - blocks[right].mean())
        values = draws[:, left] - draws[:, right]
        accel = acceleration(difference_influence((influences[left], influences[right]), units))
        bca = bca_interval(values, estimate, accel, level)
        pairs.append(BootstrapRow(treatment, control, estimate, bca, percentile_interval(values, level)))
    return TableBootstrap(tuple(rows), tuple(pairs), int(keep.sum()), int((~keep).sum()))
