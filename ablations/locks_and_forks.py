"""Does self-distillation do what its theory says, where it says?

The paper (arXiv:2604.01193, section 4) explains its gain by two kinds of positions. At locks one token is right and a
tail of distractors holds the rest: SSD's truncated samples teach the model to drop the tail. At forks several tokens
lead to different solutions: its tempered samples keep them apart. The paper labels no position of a real model, shows
aggregates without intervals, and those could come from a model that merely became surer of itself everywhere.

Here positions are labelled by token class (:data:`harness.measure.classes.ROLES`) and, as a second opinion, by counting
the branches of repeated base samples; neither looks at SSD. Base and SSD read the same answers, each at temperature 1
and without truncation, so that decoding cannot pass for training. The rival explanation is the base at one other
temperature, chosen so that its mean entropy is SSD's: what SSD does beyond it is not sharpening.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings
from harness.spec import Arm, Contrast, Measurement, Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """``sharp`` is the temperature of the sharpened base; ``margin`` is in nats of entropy."""

    sharp: float = 0.7
    margin: float = 0.1


THRESHOLDS = (2, 3, 4)
GAP = "entropy@fork-lock"


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    base, whole = context.base, Policy.single(1.0)
    return (
        Arm("base", base, whole, "the base's own distribution"),
        Arm("ssd", context.ssd(), whole, "SSD's own distribution"),
        Arm("base@sharp", base, Policy.single(settings.sharp), "the base, sharpened uniformly"),
    )


def measurement(settings: Settings, context: Context) -> Measurement:
    return Measurement(
        arms=("base", "ssd", "base@sharp"),
        contexts=("base", "ssd", "reference"),
        reference="base",
        kept=context.decoding.train.stages[0],
        branch_thresholds=THRESHOLDS,
        matched=(("base@matched", "ssd"),),
    )


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    def exploratory(treatment: str, control: str, metric: str) -> Contrast:
        return Contrast(treatment, control, metric, family="exploratory")

    return (
        Contrast("base", "ssd", "tail_mass@lock"),
        Contrast("ssd", "base", "tail_mass@lock"),
        Contrast("ssd", "base@matched", GAP),
        Contrast("base@matched", "ssd", GAP),
        Contrast("ssd", "base@matched", GAP, test="equivalence", margin=settings.margin),
        exploratory("ssd", "base", "entropy"),
        exploratory("ssd", "base", "entropy@fork"),
        *(exploratory(arm, "base", "tail_mass@fork-lock") for arm in ("ssd", "base@sharp", "base@matched")),
        exploratory("ssd", "base@matched", "tail_mass"),
        *(exploratory("ssd", "base", f"tail_mass@fork-lock:b{t}") for t in THRESHOLDS),
        *(exploratory("ssd", "base@matched", f"{GAP}:b{t}") for t in THRESHOLDS),
    )


def decide(findings: Findings) -> Decision:
    drops = findings.view("base", "ssd", metric="tail_mass@lock")
    grows = findings.view("ssd", "base", metric="tail_mass@lock")
    keeps = findings.view("ssd", "base@matched", metric=GAP)
    closes = findings.view("base@matched", "ssd", metric=GAP)
    same = findings.view("ssd", "base@matched", "equivalence", GAP)
    tail = f"tail mass at locks changes by {100 * grows.difference:+.2f} points"
    gap = (
        f"forks keep {keeps.difference:+.3f} nats over locks against the base at one temperature with the same entropy"
    )
    if same.holds:
        within = same.contrast.margin
        return Decision(
            "equivalent",
            f"one temperature of the base does the same at forks and locks, within {within:g} nats ({tail})",
        )
    if drops.holds and keeps.holds:
        return Decision("supported", f"distractors go at locks and alternatives stay at forks: {tail}; {gap}")
    if grows.holds or closes.holds:
        return Decision("refuted", f"the opposite of the theory: {tail}; {gap}")
    seen = keeps.minimum_detectable_effect
    return Decision(
        "inconclusive", f"neither pattern is shown: {tail}; {gap}; the design could have seen {seen:.2f} nats"
    )


ABLATION = Ablation(
    name="locks_and_forks",
    question="Does self-distillation drop distractors at locks and keep alternatives at forks, or only sharpen?",
    asked_by="ssd.md Q24 and section 3.7; arXiv:2604.01193, section 4",
    rule=(
        "Positions are locks or forks by token class. base@matched is the base at the one temperature that gives it "
        "SSD's mean entropy over all positions. 'One temperature does the same' requires the fork-minus-lock entropy "
        "of ssd and base@matched to be equivalent within the margin (two one-sided tests at 5 %). Otherwise, 'as the "
        "theory says' requires SSD to have less tail mass at locks than the base and a larger fork-minus-lock entropy "
        "than base@matched, each at one-sided 2.5 % (intersection–union, so no adjustment), and 'against the theory' "
        "that either goes the other way, each at one-sided 2.5 %. Tail mass is what a model puts outside the base's "
        "kept set of training-time sampling. Differences of tail mass between forks and locks decide nothing: a "
        "student as in the theory has no tail anywhere, so the difference shrinks to zero under the theory too."
    ),
    outcomes={
        "supported": "the two kinds of positions change as the theory says, and not as under any one temperature",
        "equivalent": "SSD only sharpens or flattens: its effect on entropy is that of a temperature",
        "refuted": "the positions change against the theory: whatever SSD gains has another cause",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
    measurement=measurement,
)
