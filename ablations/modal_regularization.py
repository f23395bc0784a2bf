"""Is SSD anything but sharpening toward the mode?

A model that is right more often when it is surer gains from anything that makes it surer: greedy decoding, fine-tuning
on its own greedy answers, or minimising its entropy without any answers (Grandvalet & Bengio 2004; Agarwal et al.,
arXiv:2505.15134). If one of those does what SSD does, the story of locks and forks is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings, could_see
from harness.spec import Arm, Contrast, InterpolatedModel, Policy
from harness.stats.multiplicity import holm

SHARPENERS = ("base@greedy", "greedy sft", "entropy")


@dataclass(frozen=True, slots=True)
class Settings:
    """``weight`` is SSD's share in the interpolated model."""

    weight: float = 0.5
    margin: float = 0.05


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    policy, ssd = context.decoding.eval, context.ssd()
    greedy = Policy.single(0.0)
    return (
        Arm("base@eval", context.base, policy, "the base with SSD's evaluation decoding"),
        Arm("base@greedy", context.base, greedy, "the base at temperature 0"),
        Arm("ssd@eval", ssd, policy, "SSD as published"),
        Arm("greedy sft", context.distil(greedy), policy, "fine-tuned on the base's greedy answers"),
        Arm(
            "entropy", context.distil(objective="entropy"), policy, "entropy minimised on SSD's corpus, no labels used"
        ),
        Arm(
            "halfway",
            InterpolatedModel(context.base, ssd, settings.weight),
            policy,
            "between the base's weights and SSD's",
        ),
    )


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    return (
        Contrast("ssd@eval", "base@eval"),
        *(Contrast("ssd@eval", name) for name in SHARPENERS),
        *(Contrast(name, "ssd@eval", test="noninferiority", margin=settings.margin) for name in SHARPENERS),
        *(Contrast(name, "base@eval", family="exploratory") for name in (*SHARPENERS, "halfway")),
        Contrast("ssd@eval", "halfway", family="exploratory"),
    )


def decide(findings: Findings) -> Decision:
    gain = findings.view("ssd@eval", "base@eval")
    beats = [findings.view("ssd@eval", name) for name in SHARPENERS]
    reaches = [findings.view(name, "ssd@eval", "noninferiority") for name in SHARPENERS]
    if gain.holds and all(v.holds for v in beats):
        return Decision("supported", f"SSD beats {', '.join(SHARPENERS)}: it is more than sharpening")
    adjusted = holm([v.p_value for v in beats])
    worse = [v.contrast.control for v, p in zip(beats, adjusted, strict=True) if p <= ALPHA and v.difference < 0]
    if worse:
        return Decision("refuted", f"sharpening does better than SSD: {', '.join(worse)}")
    adjusted = holm([v.declared for v in reaches])
    equal = [v.contrast.treatment for v, p in zip(reaches, adjusted, strict=True) if p <= ALPHA]
    if gain.holds and equal:
        margin = 100 * reaches[0].contrast.margin
        return Decision("equivalent", f"SSD gains, and {', '.join(equal)} comes within {margin:g} points of it")
    lost = [v.contrast.control for v in (gain, *beats) if not v.holds]
    return Decision("inconclusive", f"SSD is not shown to beat {', '.join(lost)}; {could_see(gain, *beats)}")


ALPHA = 0.05
"""Familywise level, over the sharpening controls, of "does better than SSD" and of "comes within the margin of SSD"."""

ABLATION = Ablation(
    name="modal_regularization",
    question="Is SSD anything but sharpening toward the mode?",
    asked_by="ssd.md Q7, Q15; a reading of arXiv:2604.01193 as entropy minimisation (audit)",
    rule=(
        "SSD is more than sharpening if it beats the base at the same decoding and every sharpening control (greedy "
        "decoding, fine-tuning on greedy answers, entropy minimisation), each at one-sided 2.5 % "
        "(intersection–union). Sharpening does better if some control beats SSD after Holm's adjustment over the "
        "three (5 %). Sharpening explains it (equivalent) if SSD beats the base and some control is non-inferior to "
        "SSD within the margin after Holm's adjustment over the three. Interpolated weights are exploratory."
    ),
    outcomes={
        "supported": "being surer does not do what SSD does",
        "refuted": "a control that only sharpens does better than SSD",
        "equivalent": "being surer does what SSD does, and is simpler",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
)
