"""Everything ``harness compare`` prints about two graded files, from aligned counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import BadInput
from harness.stats._arrays import Interval
from harness.stats.contrast import paired_contrast
from harness.stats.contrast_result import PairedContrast
from harness.stats.crosscheck import McNemar, mcnemar_exact
from harness.stats.interval import Estimate, mean_interval
from harness.stats.passk import pass_at_k, pass_at_k_variance
from harness.stats.variance_split import VarianceSplit, variance_split


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two graded files on the same problems. ``contrast`` is a − b: the first file is the treatment.

    ``mcnemar`` is given for one sample per problem in both files; ``split`` where the samples' variance can be
    estimated (n ≥ 2k for every problem).
    """

    metric: str
    names: tuple[str, str]
    a: Estimate
    b: Estimate
    contrast: PairedContrast
    mcnemar: McNemar | None
    split: VarianceSplit | None
    samples: tuple[int, int]

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain JSON types; undefined numbers are ``None``."""
        c = self.contrast
        document = {
            "metric": self.metric,
            "a": self.a.estimate,
            "b": self.b.estimate,
            "difference": c.difference,
            "interval": list(c.interval),
            "p_value": c.p_value,
            "equivalence": {
                "margin": c.equivalence.margin,
                "p_value": c.equivalence.p_value,
                "interval": list(c.equivalence.interval),
                "smallest_margin": c.equivalence.smallest_margin,
                "equivalent": c.equivalence.equivalent,
            },
            "minimum_detectable_effect": c.minimum_detectable_effect,
            "problems": c.n_problems,
            "names": {"a": self.names[0], "b": self.names[1]},
            "intervals": {"a": list(self.a.interval), "b": list(self.b.interval)},
            "method": c.method,
            "level": c.level,
            "conservative": c.conservative,
            "identical": c.identical,
            "informative_problems": c.n_informative,
            "dropped_problems": c.n_dropped,
            "sensitivity": {
                "interval_bca": list(c.interval_bca),
                "interval_percentile": list(c.interval_percentile),
                "interval_t": list(c.interval_t),
                "p_value_t": c.p_value_t,
                "p_value_mcnemar": self.mcnemar.p_value if self.mcnemar else None,
            },
            "samples": {"a": self.samples[0], "b": self.samples[1]},
            "variance_shares": self.split.shares if self.split else None,
            "notes": list(c.notes),
        }
        plain: dict[str, Any] = _finite(document)
        return plain


def _finite(value: Any) -> Any:
    """``value`` with NaN and infinities, which JSON lacks, as ``None``."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def compare(
    n_a: ArrayLike,
    c_a: ArrayLike,
    n_b: ArrayLike,
    c_b: ArrayLike,
    *,
    k: int = 1,
    margin: float = 0.05,
    names: tuple[str, str] = ("a", "b"),
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    clusters: Sequence[str] | None = None,
) -> Comparison:
    """Compare two files of graded samples.

    Args:
        n_a: samples per problem in the first file.
        c_a: of these, how many pass.
        n_b: samples per problem in the second file, problems in the same order.
        c_b: of these, how many pass.
        k: metric is pass@k; problems with fewer samples than k in either file are dropped and counted.
        margin: equivalence margin in pass@k (0.05 is five points).
        names: what to call the two files.
        level: confidence level.
        resamples: bootstrap resamples and random sign patterns.
        seed: seeds every random draw.
        clusters: cluster label of each problem.

    Raises:
        BadInput: for counts that are impossible or of different length.
    """
    counts = [np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (n_a, c_a, n_b, c_b)]
    if len({x.shape for x in counts}) != 1 or counts[0].ndim != 1:
        raise BadInput("compare needs one count of samples and of passes per problem, the same problems in both files")
    samples_a, passed_a, samples_b, passed_b = counts
    left, right = pass_at_k(samples_a, passed_a, k), pass_at_k(samples_b, passed_b, k)
    single = bool(np.all(samples_a == 1) and np.all(samples_b == 1))
    contrast = paired_contrast(
        left,
        right,
        margin=margin,
        level=level,
        resamples=resamples,
        seed=seed,
        clusters=clusters,
        samples=1 if single else None,
    )
    within = pass_at_k_variance(samples_a, passed_a, k) + pass_at_k_variance(samples_b, passed_b, k)
    splittable = left.size > 1 and not np.isnan(within).any()
    # Each arm's own mean is over the problems of the contrast, so that a − b is the difference printed.
    defined = ~(np.isnan(left) | np.isnan(right))
    groups = None if clusters is None else np.asarray(clusters)[defined]
    return Comparison(
        metric=f"pass@{k}",
        names=names,
        a=mean_interval(left[defined], level=level, clusters=groups),
        b=mean_interval(right[defined], level=level, clusters=groups),
        contrast=contrast,
        mcnemar=mcnemar_exact(left, right, level=level) if single and k == 1 else None,
        split=variance_split(left - right, within) if splittable else None,
        samples=(int(samples_a.sum()), int(samples_b.sum())),
    )


def _percent(x: float) -> str:
    return "undefined" if math.isnan(x) else f"{100 * x:.1f} %"


def _points(x: float) -> str:
    return "undefined" if math.isnan(x) else f"{100 * x:+.1f}"


def _range(interval: Interval, form: str = "+.1f") -> str:
    if any(math.isnan(x) for x in interval):
        return "undefined"
    return f"{100 * interval[0]:{form}} … {100 * interval[1]:{form}}"


def _p(p: float) -> str:
    if math.isnan(p):
        return "undefined"
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def render(result: Comparison) -> str:
    """The comparison for a person: percentages and percentage points."""
    c, percent = result.contrast, f"{100 * result.contrast.level:.0f} %"
    width = max(len(n) for n in result.names)
    lines = [f"{result.metric} over {c.n_problems} problems", ""]
    for tag, name, e, samples in zip(("a", "b"), result.names, (result.a, result.b), result.samples, strict=True):
        lines.append(
            f"  {tag}  {name:{width}}  {_percent(e.estimate):>7}   {percent} interval {_range(e.interval, '.1f')}"
            f"   ({samples} samples; {e.method})"
        )
    rows = [
        ("difference a − b", f"{_points(c.difference)} points"),
        (f"{percent} interval", f"{_range(c.interval)}   ({c.method})"),
        ("p-value (sign flip)", f"{_p(c.p_value)}   (two-sided{', exact' if c.sign_flip_exact else ''})"),
        (
            "equivalence (TOST)",
            f"{'equivalent' if c.equivalence.equivalent else 'not shown'} within ±{100 * c.equivalence.margin:.1f}"
            f"   p = {_p(c.equivalence.p_value)}, {100 * (2 * c.level - 1):.0f} % interval"
            f" {_range(c.equivalence.interval)}",
        ),
        ("smallest detectable", f"{_points(c.minimum_detectable_effect).lstrip('+')} points   (80 % power)"),
        ("bootstrap (BCa)", f"{_range(c.interval_bca)}   (sensitivity)"),
        ("paired t", f"p = {_p(c.p_value_t)}   (sensitivity)"),
    ]
    if result.mcnemar is not None:
        m = result.mcnemar
        rows.append(("McNemar, exact", f"p = {_p(m.p_value)}   ({m.gained} gained, {m.lost} lost)"))
    if result.split is not None:
        shares = result.split.shares
        rows.append(("variance due to", ", ".join(f"{part} {shares[part]:.0%}" for part in ("problems", "samples"))))
    label = max(len(name) for name, _ in rows)
    lines += ["", *(f"  {name:{label}}  {text}" for name, text in rows)]
    if c.notes:
        lines += ["", *(f"  · {note}" for note in c.notes)]
    return "\n".join(lines) + "\n"
