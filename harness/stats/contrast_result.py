"""What a paired contrast returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.stats._arrays import Interval

Test = Literal["superiority", "equivalence", "noninferiority"]

_NAN2: Interval = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests (TOST; Schuirmann 1987) of "the difference lies within ± ``margin``".

    ``interval`` is the 1 − 2α interval: equivalence holds at α exactly when it lies inside the margin.
    ``smallest_margin`` is the smallest margin the data would have supported.
    """

    p_value: float
    margin: float
    interval: Interval
    smallest_margin: float
    equivalent: bool


@dataclass(frozen=True, slots=True)
class PairedContrast:
    """``treatment − control`` over the problems both arms have.

    ``interval`` is the recommended one and ``method`` names it; ``conservative`` says that it covers at least, not
    about, the stated level. With two or more training seeds it is about the training *procedure* (new seeds, new
    problems); ``interval_models`` is about these trained models on new problems. ``interval_bca`` and
    ``interval_percentile`` are bootstraps over problems, or clusters, and over seeds where there are five or more.

    ``p_value`` is two-sided against "no difference", by sign flips; ``p_value_t`` is the one that agrees with
    ``interval`` (Student's t, or the betting bound where that is the interval). ``p_value_declared`` is for the test
    that was declared, to be compared with 1 − ``level`` (and adjusted by Holm): for superiority the two-sided p-value,
    counted only in the treatment's favour; for non-inferiority twice the one-sided p-value (so that α = 5 % is the
    usual one-sided 2.5 %); for equivalence the TOST p-value.

    ``minimum_detectable_effect`` is the difference a two-sided test would have found with 80 % probability.
    ``n_informative`` counts problems on which the arms differ at all, ``n_effective`` how many make up the spread, and
    ``n_dropped`` those undefined in some arm.
    """

    difference: float
    treatment_mean: float
    control_mean: float
    interval: Interval
    method: str
    conservative: bool
    interval_models: Interval
    interval_t: Interval
    interval_bca: Interval
    interval_percentile: Interval
    p_value: float
    p_value_declared: float
    p_value_sign_flip: float
    p_value_t: float
    sign_flip_exact: bool
    equivalence: Equivalence
    identical: bool
    minimum_detectable_effect: float
    standard_error: float
    sd_difference: float
    test: Test
    margin: float
    level: float
    n_problems: int
    n_dropped: int
    n_informative: int
    n_effective: float
    n_clusters: int
    n_seeds: tuple[int, int]
    notes: tuple[str, ...]

    @property
    def supported(self) -> bool:
        """Whether the declared test rejects at 1 − ``level``, before any adjustment for several tests."""
        return bool(self.p_value_declared <= 1.0 - self.level)


def undefined_contrast(
    test: Test, margin: float, level: float, total: int, seeds: tuple[int, int], notes: tuple[str, ...]
) -> PairedContrast:
    """The contrast when no problem is defined in both arms: every number NaN."""
    nan = float("nan")
    return PairedContrast(
        difference=nan,
        treatment_mean=nan,
        control_mean=nan,
        interval=_NAN2,
        method="undefined",
        conservative=False,
        interval_models=_NAN2,
        interval_t=_NAN2,
        interval_bca=_NAN2,
        interval_percentile=_NAN2,
        p_value=nan,
        p_value_declared=nan,
        p_value_sign_flip=nan,
        p_value_t=nan,
        sign_flip_exact=False,
        equivalence=Equivalence(nan, margin, _NAN2, nan, False),
        identical=False,
        minimum_detectable_effect=nan,
        standard_error=nan,
        sd_difference=nan,
        test=test,
        margin=margin,
        level=level,
        n_problems=0,
        n_dropped=total,
        n_informative=0,
        n_effective=0.0,
        n_clusters=0,
        n_seeds=seeds,
        notes=notes,
    )
