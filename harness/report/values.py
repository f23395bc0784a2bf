"""Per-problem values of every arm of one task, and contrasts of them: arms that were run and arms derived from those.

Nothing is stored: everything follows from a record's counts, verdicts and measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.ledger.record import Record, Row
from harness.measure.metrics import is_measured, measured_matrix
from harness.report.matrices import metric_matrix, problems_of
from harness.report.numbers import is_rate
from harness.spec import Contrast, Derived, Mixture, Selection
from harness.stats import PairedContrast, make_folds, paired_contrast
from harness.stats.selection import cross_fitted_spread
from harness.stats.stratum_difference import difference_contributions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

ANALYSIS_SEED = 20260401
"""Seed of every resampling, fixed so that tables are the same bytes wherever they are rebuilt."""

RESAMPLES = 10_000
"""Bootstrap resamples and sign patterns of a contrast."""

FOLDS = 5
"""Folds of cross-fitted selections, fewer where there are fewer problems."""

LABELS = ("easy", "introductory", "medium", "interview", "hard", "competition")
"""Benchmarks' difficulty labels, easiest first."""


class UndefinedHere(Exception):
    """An arm has no meaning on this task: a setting chosen on a task is not scored on it."""


class Values:
    """The values of one task of a record."""

    def __init__(self, record: Record, task: str, counts: Sequence[Row] | None = None) -> None:
        self.record = record
        self.task = task
        self._all = list(counts) if counts is not None else record.counts()
        self.rows = [r for r in self._all if r["task"] == task]
        self.problems = problems_of(self.rows)
        self.derived: dict[str, Derived] = {d.name: d for d in derived_of(record)}

    def known(self, arm: str) -> bool:
        """Whether the record has the arm, or makes it from arms that it has."""
        return arm in self.derived or any(r["arm"] == arm for r in self.rows)

    def matrix(self, arm: str, metric: str) -> Matrix:
        """``[seeds, problems]`` of an arm, problems in sorted order.

        Raises:
            UndefinedHere: for a setting that was chosen on this very task by ``heldout``.
        """
        made = self.derived.get(arm)
        if made is None:
            return self.sampled(arm, metric)
        if isinstance(made, Mixture):
            parts = [weight * self.matrix(name, metric) for name, weight in made.weights]
            seeds = max(p.shape[0] for p in parts)
            total: Matrix = np.sum([np.broadcast_to(p, (seeds, p.shape[1])) for p in parts], axis=0)
            return total
        chosen = self.chosen(made)
        values = np.stack([self.matrix(name, metric) for name in made.candidates])
        picked: Matrix = np.take_along_axis(values, chosen[None, None, :], axis=0)[0]
        return picked

    def sampled(self, arm: str, metric: str) -> Matrix:
        """``[seeds, problems]`` of an arm with samples of its own."""
        if is_measured(metric):
            return measured_matrix(self._measures, arm, metric, self.problems)
        return metric_matrix(self.rows, arm, metric)

    def measured_arms(self) -> list[str]:
        """The arms whose distributions or texts were measured, in the record's order."""
        return list(dict.fromkeys(m["arm"] for m in self._measures))

    def on(self, task: str) -> Values:
        """The values of another task of the record."""
        return Values(self.record, task, self._all)

    def chosen(self, selection: Selection) -> NDArray[np.int64]:
        """Which candidate a selection takes for each problem, as indices ``[problems]``."""
        if selection.by == "heldout":
            if selection.heldout == self.task:
                raise UndefinedHere(f"{selection.name} was chosen on {self.task}")
            scores = self._scores(selection, self.on(selection.heldout))
            return np.full(len(self.problems), int(np.argmax(scores.mean(axis=1))), dtype=np.int64)
        scores = self._scores(selection, self)
        if selection.by == "test" or len(self.problems) < 2:
            return np.full(scores.shape[1], int(np.argmax(scores.mean(axis=1))), dtype=np.int64)
        folds = self.folds()
        out = np.empty(scores.shape[1], dtype=np.int64)
        for fold in range(int(folds.max()) + 1):
            out[folds == fold] = int(np.argmax(scores[:, folds != fold].mean(axis=1)))
        return out

    def folds(self) -> NDArray[np.int64]:
        """The fold of each problem, from a hash of its id."""
        return np.asarray(make_folds(self.problems, min(FOLDS, len(self.problems))))

    def scores(self, selection: Selection) -> Matrix:
        """pass@1 of a selection's candidates here, ``[candidates, problems]``, mean over training seeds."""
        return self._scores(selection, self)

    @staticmethod
    def _scores(selection: Selection, of: Values) -> Matrix:
        return np.stack([np.nanmean(of.matrix(name, "pass@1"), axis=0) for name in selection.candidates])

    def contrast(
        self,
        contrast: Contrast,
        keep: NDArray[np.bool_] | None = None,
        resamples: int = RESAMPLES,
        flips: int | None = None,
    ) -> PairedContrast:
        """A contrast on this task, on the problems of ``keep`` where that is given.

        Raises:
            UndefinedHere: where an arm has no meaning on this task.
        """
        stretched = False
        if contrast.strata:
            treatment = self._between_strata(contrast)
            control: Matrix = np.where(np.isnan(treatment), np.nan, 0.0)
        else:
            treatment, control = (self.matrix(a, contrast.metric) for a in (contrast.treatment, contrast.control))
            treatment, stretched = self._with_choosing(contrast, treatment, control)
        if keep is not None:
            treatment, control = treatment[:, keep], control[:, keep]
        return paired_contrast(
            treatment,
            control,
            test=contrast.test,
            margin=contrast.margin,
            seed=ANALYSIS_SEED,
            resamples=resamples,
            flips=flips,
            bounded=(-1.0, 1.0) if _in_unit_range(contrast) and not stretched else None,
        )

    def _with_choosing(self, contrast: Contrast, treatment: Matrix, control: Matrix) -> tuple[Matrix, bool]:
        """The treatment's values with the difference spread out by what cross-fitted choices add to its variance.

        The mean stays. Without this the standard error would be that of the settings chosen, not of choosing.
        """
        sides = [self.derived.get(contrast.treatment), self.derived.get(contrast.control)]
        tuned = [s for s in sides if isinstance(s, Selection) and s.by == "crossfit"]
        if not tuned or len(self.problems) < 2:
            return treatment, False
        scores = [
            np.nan_to_num(np.stack([self.matrix(c, contrast.metric).mean(axis=0) for c in s.candidates])) for s in tuned
        ]
        choosing, chosen = cross_fitted_spread(scores, self.folds(), seed=ANALYSIS_SEED)
        factor = choosing / chosen if chosen > 0 else 1.0
        if factor <= 1:
            return treatment, False
        difference = treatment - control
        middle = difference.mean(axis=1, keepdims=True)
        return control + middle + factor * (difference - middle), True

    def _between_strata(self, contrast: Contrast) -> Matrix:
        """Contributions to the difference of the gain between two groups of problems (``Contrast.strata``)."""
        if contrast.strata == "rate":
            halves = [self.halves(contrast, parity) for parity in (0, 1)]
            # Cross-fitted: the control's samples of one half make the groups, both arms' of the other are compared.
            groups = [_hard(control.mean(axis=0)) for _, control in reversed(halves)]
            return difference_contributions([t - c for t, c in halves], groups)
        treatment, control = (self.matrix(a, contrast.metric) for a in (contrast.treatment, contrast.control))
        group, chosen = self._groups(contrast.strata)
        gain = np.where(chosen, treatment - control, np.nan)
        return difference_contributions([gain], [group])

    def _groups(self, strata: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which problems are in the first group (hardest label, later date), and which are compared at all."""
        if strata == "label":
            label_of = {r["problem"]: r["stratum"] for r in self.rows}
            ranks = np.array([LABELS.index(x) if (x := label_of[p]) in LABELS else -1 for p in self.problems])
            known = ranks[ranks >= 0]
            ends = (known.min(), known.max()) if known.size else (0, 0)
            return ranks == ends[1], (ranks == ends[0]) ^ (ranks == ends[1])
        head = next(t for t in self.record.head["tasks"] if t["name"] == self.task)
        dates = np.array([head.get("dates", {}).get(p, "") for p in self.problems])
        known_dates = sorted(d for d in dates if d)
        middle = known_dates[len(known_dates) // 2] if known_dates else ""
        return dates >= middle if middle else np.zeros(len(dates), dtype=bool), dates != ""

    def halves(self, contrast: Contrast, parity: int) -> tuple[Matrix, Matrix]:
        """pass@1 of both arms from the samples with even or odd index."""
        pair = []
        for arm in (contrast.treatment, contrast.control):
            made = self.derived.get(arm)
            if made is not None:
                raise ValueError(f"{arm}: strata by solve rate need arms with samples of their own")
            seeds = sorted({r["seed"] for r in self.rows if r["arm"] == arm})
            passed = np.zeros((len(seeds), len(self.problems)))
            counted = np.zeros_like(passed)
            for v in self._verdicts:
                if v["arm"] == arm and v["index"] % 2 == parity and v["outcome"] != "infra_error":
                    at = seeds.index(v["seed"]), self._position[v["problem"]]
                    passed[at] += bool(v["passed"])
                    counted[at] += 1
            with np.errstate(invalid="ignore", divide="ignore"):
                pair.append(passed / counted)
        return pair[0], pair[1]

    @cached_property
    def _verdicts(self) -> list[Row]:
        return [v for v in self.record.verdicts() if v["task"] == self.task]

    @cached_property
    def _position(self) -> dict[str, int]:
        return {p: i for i, p in enumerate(self.problems)}

    @cached_property
    def _measures(self) -> list[Row]:
        return [m for m in self.record.measures() if m["task"] == self.task]


def derived_of(record: Record) -> list[Derived]:
    """The derived arms of a record's design."""
    made: list[Derived] = []
    for row in record.head.get("derived", ()):
        plain = {k: v for k, v in row.items() if k != "kind"}
        if row["kind"] == "Mixture":
            weights = tuple((str(a), float(w)) for a, w in plain.pop("weights"))
            made.append(Mixture(weights=weights, **plain))
        else:
            made.append(Selection(candidates=tuple(plain.pop("candidates")), **plain))
    return made


def contrasts_of(record: Record) -> list[Contrast]:
    """The contrasts of a record's design."""
    known = {f.name for f in fields(Contrast)}
    return [Contrast(**{k: v for k, v in c.items() if k in known}) for c in record.head["contrasts"]]


def _in_unit_range(contrast: Contrast) -> bool:
    return is_rate(contrast.metric) and "@fork-lock" not in contrast.metric and not contrast.strata


def _hard(rates: Matrix) -> NDArray[np.bool_]:
    """Problems at or below the median solve rate; undefined ones are not."""
    return np.asarray(rates <= np.nanmedian(rates)) if not np.isnan(rates).all() else np.zeros(rates.shape, dtype=bool)
