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
    """``sharp`` is the temperature of the sharpened base. ``tail_margin`` is a share of probability, ``head_margin``
    nats of entropy within the kept set."""

    sharp: float = 0.7
    tail_margin: float = 0.01
    head_margin: float = 0.05


THRESHOLDS = (2, 3, 4)
TAIL, HEAD = "tail_mass@lock", "head_entropy@fork"


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

    counted = [(f"tail_mass@lock:b{t}", f"head_entropy@fork:b{t}") for t in THRESHOLDS]
    return (
        Contrast("base@matched", "ssd", TAIL),
        Contrast("ssd", "base@matched", HEAD),
        Contrast("ssd", "base@matched", TAIL),
        Contrast("base@matched", "ssd", HEAD),
        Contrast("ssd", "base@matched", TAIL, test="equivalence", margin=settings.tail_margin),
        Contrast("ssd", "base@matched", HEAD, test="equivalence", margin=settings.head_margin),
        exploratory("ssd", "base", "entropy"),
        exploratory("base", "ssd", TAIL),
        exploratory("ssd", "base", HEAD),
        *(exploratory(arm, "base", "tail_mass@fork-lock") for arm in ("ssd", "base@sharp", "base@matched")),
        *(exploratory("base@matched", "ssd", tail) for tail, _ in counted),
        *(exploratory("ssd", "base@matched", head) for _, head in counted),
    )


def decide(findings: Findings) -> Decision:
    drops, grows = findings.view("base@matched", "ssd", metric=TAIL), findings.view("ssd", "base@matched", metric=TAIL)
    opens, closes = findings.view("ssd", "base@matched", metric=HEAD), findings.view("base@matched", "ssd", metric=HEAD)
    same = [findings.view("ssd", "base@matched", "equivalence", metric) for metric in (TAIL, HEAD)]
    overall = findings.view("ssd", "base", metric="entropy")
    changes = (
        f"beside the base at one temperature of the same mean entropy (SSD's is {overall.difference:+.3f} nats from "
        f"the base's), tail mass at locks differs by {100 * grows.difference:+.2f} points and the entropy of what is "
        f"kept at forks by {opens.difference:+.3f} nats"
    )
    if any(v.difference != v.difference for v in (grows, opens)):
        return Decision("inconclusive", "the answers read have too few positions of both kinds to compare")
    if all(v.holds for v in same):
        return Decision("equivalent", f"one temperature of the base does the same, within the margins: {changes}")
    if drops.holds and opens.holds:
        return Decision("supported", f"distractors go at locks and alternatives stay open at forks: {changes}")
    if grows.holds or closes.holds:
        return Decision("refuted", f"not as the theory has it: {changes}")
    tail, head = drops.minimum_detectable_effect, opens.minimum_detectable_effect
    far = f"could have seen {100 * tail:.2f} points and {head:.3f} nats"
    if tail != tail or head != head:
        far = "has too few problems to tell"
    return Decision(
        "inconclusive", f"neither the theory's pattern nor a temperature's is shown: {changes}; the design {far}"
    )


ABLATION = Ablation(
    name="locks_and_forks",
    question="Does self-distillation drop distractors at locks and keep alternatives open at forks, or only sharpen?",
    asked_by="ssd.md Q24 and section 3.7; arXiv:2604.01193, section 4",
    rule=(
        "Positions are locks or forks by token class. Tail mass is what a model puts outside the base's kept set of "
        "training-time sampling, head entropy the entropy within that set. base@matched is the base at the one "
        "temperature that gives it SSD's mean entropy over all positions. 'One temperature does the same' requires "
        "ssd and base@matched to be equivalent in tail mass at locks and in head entropy at forks, each within its "
        "margin (two one-sided tests at 5 %). Otherwise, 'as the theory says' requires ssd to have less tail mass at "
        "locks and more head entropy at forks than base@matched, each at one-sided 2.5 % (intersection–union, so no "
        "adjustment), and 'against the theory' that either goes the other way, each at one-sided 2.5 %. Differences "
        "of tail mass between forks and locks decide nothing: a student as in the theory has no tail anywhere, so "
        "that the difference shrinks to zero under the theory as under sharpening."
    ),
    outcomes={
        "supported": "positions change as the theory says, in a way that no one temperature of the base gives",
        "equivalent": "SSD only sharpens or flattens: its effect at locks and forks is that of a temperature",
        "refuted": "positions change against the theory: whatever SSD gains has another cause",
        "inconclusive": "this design cannot tell; the smallest detectable effects say how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
    measurement=measurement,
)
