"""Do SSD's gains concentrate on hard problems?

The paper's largest gains are on problems labelled medium and hard (arXiv:2604.01193, Table 2), without an interval for
the difference. Groups made from results regress to the mean: a problem called hard because the base's samples failed
looks improved at a second look. So groups by solve rate come from one half of the base's samples, gains from the other
half of both models' samples, and the halves change places (cross-fitting).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings, could_see
from harness.spec import Arm, Contrast


@dataclass(frozen=True, slots=True)
class Settings:
    """``margin`` within which the gains of two groups count as the same."""

    margin: float = 0.10


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    decoding, ssd = context.decoding, context.ssd()
    return (
        Arm("base", context.base, decoding.base, "the model's recommended decoding"),
        Arm("base@eval", context.base, decoding.eval, "the base with SSD's evaluation decoding"),
        Arm("ssd@eval", ssd, decoding.eval, "SSD as published"),
    )


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    return (
        Contrast("ssd@eval", "base@eval", strata="rate"),
        Contrast("ssd@eval", "base@eval", test="equivalence", margin=settings.margin, strata="rate"),
        Contrast("ssd@eval", "base@eval", family="exploratory"),
        Contrast("ssd@eval", "base", strata="rate", family="exploratory"),
        Contrast("ssd@eval", "base@eval", strata="label", family="exploratory"),
        Contrast("ssd@eval", "base@eval", strata="date", family="exploratory"),
    )


def decide(findings: Findings) -> Decision:
    more = findings.view("ssd@eval", "base@eval", strata="rate")
    same = findings.view("ssd@eval", "base@eval", "equivalence", strata="rate")
    if more.holds:
        return Decision(
            "supported", f"SSD gains {100 * more.difference:.1f} points more on hard problems than on easy ones"
        )
    if more.opposed:
        return Decision(
            "refuted", f"SSD gains {-100 * more.difference:.1f} points more on easy problems than on hard ones"
        )
    if same.holds:
        margin = 100 * same.contrast.margin
        return Decision("equivalent", f"gains on hard and easy problems are the same within {margin:g} points")
    return Decision("inconclusive", f"gains on hard and easy problems are not told apart; {could_see(more)}")


ABLATION = Ablation(
    name="difficulty",
    question="Do SSD's gains concentrate on hard problems?",
    asked_by="ssd.md Q35 and section 1; arXiv:2604.01193, section 3.2 ('medium and hard problems')",
    rule=(
        "Gains concentrate on hard problems if the gain over the base at the same decoding is larger on problems at "
        "or below the median of the base's solve rate than on the others (one-sided 2.5 %), and on easy ones if it is "
        "smaller (one-sided 2.5 %); they do neither if the difference lies within the margin (two one-sided tests at "
        "5 %). Groups are cross-fitted: made from samples that are not compared. Differences between the benchmark's "
        "own labels and between early and late contest dates are exploratory."
    ),
    outcomes={
        "supported": "SSD helps where the base fails most",
        "refuted": "SSD makes solved problems surer rather than unsolved ones solvable",
        "equivalent": "the gain, if there is one, does not depend on difficulty",
        "inconclusive": "this design cannot tell; it needs two samples a problem or more, and ten problems a group",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
)
