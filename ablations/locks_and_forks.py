"""Does self-distillation do what its theory says, where it says?

The paper (arXiv:2604.01193, section 4) explains its gain by two kinds of positions. At locks one token is right and a
tail of distractors holds the rest: SSD's truncated samples teach the model to drop the tail. At forks several tokens
lead to different solutions: its tempered samples keep them apart. The paper labels no position of a real model, shows
aggregates without intervals, and those could come from a model that merely became surer of itself everywhere.

Here the positions are labelled by token class and, as a second opinion, by counting the branches of repeated base
samples; neither looks at SSD. Base, SSD and a uniformly sharpened base read the same answers, each as it is: temperature
1 (or the sharpened one) and no truncation, so that decoding cannot pass for training.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, ContrastView, Decision, Findings
from harness.spec import Arm, Contrast, Measurement, Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """``sharp`` is the temperature of the sharpened base; ``margin`` is in nats of entropy a position."""

    sharp: float = 0.7
    margin: float = 0.05


THRESHOLDS = (2, 3, 4)


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    base, whole = context.base, Policy.single(1.0)
    return (
        Arm("base", base, whole, "the base's own distribution"),
        Arm("ssd", context.ssd(), whole, "SSD's own distribution"),
        Arm("base@sharp", base, Policy.single(settings.sharp), "the rival: the base, sharpened uniformly"),
    )


def measurement(settings: Settings, context: Context) -> Measurement:
    return Measurement(
        arms=("base", "ssd", "base@sharp"),
        contexts=("base", "ssd", "reference"),
        reference="base",
        kept=context.decoding.train.stages[0],
        branch_thresholds=THRESHOLDS,
    )


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    where = ("fork-lock", *(f"fork-lock:b{t}" for t in THRESHOLDS))
    return (
        Contrast("base", "ssd", "tail_mass@lock"),
        Contrast("ssd", "base@sharp", "entropy@fork-lock"),
        Contrast("ssd", "base", "tail_mass@fork-lock", family="exploratory"),
        Contrast("ssd", "base@sharp", "tail_mass@fork-lock", family="exploratory"),
        *(Contrast("ssd", "base", f"tail_mass@{w}", family="exploratory") for w in where[1:]),
        *(Contrast("ssd", "base@sharp", f"entropy@{w}", family="exploratory") for w in where[1:]),
    )


def decide(findings: Findings) -> Decision:
    views = [v for v in findings.contrasts.values() if v.contrast.family == "confirmatory"]
    if all(v.holds for v in views):
        return Decision("supported", "tails shrink at locks, and forks keep more than a sharpened base's")
    return Decision("inconclusive", "not shown")


ABLATION = Ablation(
    name="locks_and_forks",
    question="Does self-distillation drop distractors at locks and keep alternatives at forks, or only sharpen?",
    asked_by="ssd.md Q24 and section 3.7; arXiv:2604.01193, section 4",
    rule="draft",
    outcomes={"supported": "x", "inconclusive": "y"},
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
    measurement=measurement,
)
