"""From records to the status of a claim.

One *result* is one test on one task of one record. How a result reads, with the contrast's interval [lower, upper]:

- superiority, a published gain g > 0 (or none, g = 0): *supported* if the contrast holds and upper ≥ g; *refuted* if
  upper < g (the whole interval is below what was claimed); *equivalent* if the record's own design shows the two arms
  equivalent within its margin; otherwise *inconclusive*. A published loss is read the same way, mirrored.
- equivalence or non-inferiority within a margin: *supported* if the contrast holds, *refuted* if the interval lies
  wholly outside the margin, otherwise *inconclusive*.
- an ablation's verdict: as the claim says that each status reads; one it does not name is *inconclusive*.

A claim takes the status on which its results agree; *inconclusive* results do not count against decided ones, and
decided ones that disagree make it *inconclusive*. Without a result it is *untested*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.claims.catalogue import Claim, ContrastTest, Test, VerdictTest
from harness.ledger.record import Record
from harness.ledger.standing import confirmatory
from harness.spec import Contrast

if TYPE_CHECKING:
    from harness.ablation import Status
    from harness.report.analysis import Analyse, TaskAnalysis
    from harness.report.values import Values
    from harness.stats import PairedContrast


@dataclass(frozen=True, slots=True)
class Result:
    """What one record says about a claim on one task. ``planned``: the contrast was part of the run's own design."""

    run: str
    model: str
    task: str
    status: Status
    text: str
    planned: bool


@dataclass(frozen=True, slots=True)
class ClaimStatus:
    """A claim with its computed status and what that rests on."""

    claim: Claim
    status: Status
    results: tuple[Result, ...]

    @property
    def disagree(self) -> bool:
        """Whether decided results contradict each other."""
        return len({r.status for r in self.results} - {"inconclusive"}) > 1


def all_statuses(
    claims: Sequence[Claim], records: Sequence[Record], analysed: Analyse | None = None
) -> list[ClaimStatus]:
    """The status of each claim. Records that are no evidence are passed over."""
    from harness.report.analysis import analyse

    evidence = [_Evidence(r, analysed or analyse) for r in records if confirmatory(r)]
    return [_status(c, evidence) for c in claims]


def status(claim: Claim, records: Sequence[Record]) -> ClaimStatus:
    """:func:`all_statuses` of one claim."""
    return all_statuses([claim], records)[0]


def combine(found: Iterable[Status]) -> Status:
    """One status from those of several results, by the rule in the module's docstring."""
    every = set(found)
    decided = every - {"inconclusive", "untested"}
    if len(decided) == 1:
        return next(iter(decided))
    return "inconclusive" if decided or "inconclusive" in every else "untested"


def read_contrast(result: PairedContrast, contrast: Contrast, quoted: float | None, equivalent: bool) -> Status:
    """How a contrast reads for a claim; ``equivalent`` is what the record's design says of the same two arms."""
    lower, upper = result.interval
    if contrast.test == "superiority":
        gain, holds = quoted or 0.0, result.supported
        if gain < 0:
            lower, upper, gain = -upper, -lower, -gain
            holds = result.difference < 0 and result.p_value <= 1.0 - result.level
        if holds and upper >= gain:
            return "supported"
        if upper < gain and not equivalent:
            return "refuted"
        return "equivalent" if equivalent else "inconclusive"
    if result.supported:
        return "supported"
    outside = upper < -contrast.margin or (contrast.test == "equivalence" and lower > contrast.margin)
    return "refuted" if outside else "inconclusive"


class _Evidence:
    """A record, with what was computed of it kept: many claims ask for the same contrast."""

    def __init__(self, record: Record, analysed: Analyse) -> None:
        self.record = record
        self.analysed = analysed
        self.model = str(record.head["config"]["model"]["name"])
        self.tasks = [str(t["name"]) for t in record.head["tasks"]]
        self._values: dict[str, Values] = {}
        self._verdicts: dict[str, TaskAnalysis] | None = None
        self._contrasts: dict[tuple[str, str, Contrast], PairedContrast | None] = {}

    def verdict(self, task: str) -> TaskAnalysis:
        if self._verdicts is None:
            self._verdicts = {t.task: t for t in self.analysed(self.record)}
        return self._verdicts[task]

    def contrast(self, task: str, stratum: str, contrast: Contrast) -> PairedContrast | None:
        """The contrast on a task, or ``None`` where an arm is missing or the metric is undefined for every problem."""
        key = (task, stratum, contrast)
        if key not in self._contrasts:
            self._contrasts[key] = self._compute(*key)
        return self._contrasts[key]

    def designed(self, contrast: Contrast) -> bool:
        """Whether the run's own design has the contrast as confirmatory."""
        from harness.report.values import contrasts_of

        return contrast in contrasts_of(self.record)

    def equivalent(self, task: str, stratum: str, contrast: Contrast) -> bool:
        """Whether the design has an equivalence contrast of the same arms and metric that holds."""
        from harness.report.values import contrasts_of

        for c in contrasts_of(self.record):
            same = (c.treatment, c.control, c.metric) == (contrast.treatment, contrast.control, contrast.metric)
            if same and c.test == "equivalence":
                result = self.contrast(task, stratum, c)
                return result is not None and result.supported
        return False

    def _compute(self, task: str, stratum: str, contrast: Contrast) -> PairedContrast | None:
        import numpy as np

        from harness.report.values import UndefinedHere, Values

        if task not in self._values:
            self._values[task] = Values(self.record, task)
        values = self._values[task]
        if not (values.known(contrast.treatment) and values.known(contrast.control)):
            return None
        keep = None
        if stratum:
            label_of = {r["problem"]: r["stratum"] for r in values.rows}
            keep = np.array([label_of[p] == stratum for p in values.problems])
            if not keep.any():
                return None
        try:
            result = values.contrast(contrast, keep)
        except UndefinedHere:
            return None
        return None if np.isnan(result.difference) else result


def _status(claim: Claim, evidence: Sequence[_Evidence]) -> ClaimStatus:
    results = tuple(r for test in claim.tests for e in evidence for r in _results(test, e))
    return ClaimStatus(claim, combine(r.status for r in results), results)


def _results(test: Test, evidence: _Evidence) -> list[Result]:
    if evidence.record.ablation != test.ablation or (test.models and evidence.model not in test.models):
        return []
    tasks = [t for t in evidence.tasks if not test.tasks or t in test.tasks]
    made = (
        _verdict(test, evidence, t) if isinstance(test, VerdictTest) else _contrast(test, evidence, t) for t in tasks
    )
    return [r for r in made if r is not None]


def _verdict(test: VerdictTest, evidence: _Evidence, task: str) -> Result | None:
    decision = evidence.verdict(task).decision
    if decision.status == "untested":
        return None
    read: Status = test.reads.get(decision.status, "inconclusive")  # type: ignore[assignment]
    text = f"{test.ablation}: {decision.status} — {decision.sentence}"
    return Result(evidence.record.run_id, evidence.model, task, read, text, True)


def _contrast(test: ContrastTest, evidence: _Evidence, task: str) -> Result | None:
    result = evidence.contrast(task, test.stratum, test.contrast)
    if result is None:
        return None
    equivalent = evidence.equivalent(task, test.stratum, test.contrast)
    read = read_contrast(result, test.contrast, test.quoted, equivalent)
    scale = 1.0 if test.contrast.metric == "tokens" else 100.0
    low, high = (scale * v for v in result.interval)
    where = f" ({test.stratum})" if test.stratum else ""
    text = f"{test.contrast.name}{where}: {scale * result.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
    planned = not test.stratum and evidence.designed(test.contrast)
    return Result(evidence.record.run_id, evidence.model, task, read, text, planned)
