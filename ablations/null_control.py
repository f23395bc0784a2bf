"""Does fine-tuning itself help where the theory says that nothing should happen?

At T_train = 1 without truncation the expected gradient at the start is zero (arXiv:2604.01193, Eq. 9): a gain there is
one of format, of more tokens or of chance, not of SSD's mechanism. The same goes for responses shuffled across prompts
and for training on nothing but the form of an answer. Truncation alone and cooling alone are shown beside them: those
the theory does expect to act.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.ablation import Ablation, Context, Decision, Findings, could_see
from harness.spec import Arm, Contrast, Policy
from harness.stats.multiplicity import holm

NULLS = ("plain", "shuffled", "format only")
OTHERS = ("truncation only", "cooled")


@dataclass(frozen=True, slots=True)
class Settings:
    """``cooled`` is a T_train below 1, without truncation."""

    cooled: float = 0.7
    margin: float = 0.05


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    decoding = context.decoding
    truncated = replace(decoding, t_train=1.0).train
    models = {
        "ssd": (context.ssd(), "SSD as published"),
        "plain": (context.distil(Policy.single(1.0)), "T_train 1 without truncation: the fixed point"),
        "shuffled": (context.distil(transforms=("shuffle_responses",)), "SSD's responses under other prompts"),
        "format only": (context.distil(transforms=("format_only",)), "SSD's prompts, answered by an empty code block"),
        "truncation only": (context.distil(truncated), "T_train 1 with SSD's truncation"),
        "cooled": (context.distil(Policy.single(settings.cooled)), "T_train below 1 without truncation"),
    }
    base = Arm("base@eval", context.base, decoding.eval, "the base with SSD's evaluation decoding")
    return (base, *(Arm(name, model, decoding.eval, note) for name, (model, note) in models.items()))


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    return (
        *(Contrast(name, "base@eval") for name in NULLS),
        *(Contrast(name, "base@eval", test="equivalence", margin=settings.margin) for name in NULLS),
        Contrast("ssd", "base@eval", family="exploratory"),
        *(Contrast("ssd", name, family="exploratory") for name in NULLS),
        *(Contrast(name, "base@eval", family="exploratory") for name in OTHERS),
    )


def decide(findings: Findings) -> Decision:
    gains = [findings.view(name, "base@eval") for name in NULLS]
    same = [findings.view(name, "base@eval", "equivalence") for name in NULLS]
    adjusted = holm([v.p_value if v.difference > 0 else 1.0 for v in gains])
    won = [
        f"{v.contrast.treatment} ({100 * v.difference:+.1f})"
        for v, p in zip(gains, adjusted, strict=True)
        if p <= ALPHA
    ]
    if won:
        return Decision("supported", f"fine-tuning helps where the theory expects nothing: {', '.join(won)} points")
    if all(v.holds for v in same):
        margin = 100 * same[0].contrast.margin
        return Decision("equivalent", f"every null control equals the base within {margin:g} points")
    open_ = [v.contrast.treatment for v in same if not v.holds]
    return Decision("inconclusive", f"not shown to help or to change nothing: {', '.join(open_)}; {could_see(*gains)}")


ALPHA = 0.05
"""Familywise level, over the null controls, of "a null control helps" (two-sided p-values, counted only as gains)."""

ABLATION = Ablation(
    name="null_control",
    question="Does fine-tuning itself help, where the theory says that nothing should happen?",
    asked_by="ssd.md Q6, Q7, Q10, Q11 and key point 4; arXiv:2604.01193, Eq. 9, Fig. 10; flf.dev",
    rule=(
        "Fine-tuning itself helps if some null control (T_train 1 without truncation, shuffled responses, format "
        "only) beats the base at the same decoding after Holm's adjustment over the three (5 %, two-sided p-values "
        "counted only as gains). It does nothing if every one of them equals the base within the margin (two "
        "one-sided tests at 5 % each, intersection–union). Truncation only, cooling only and SSD itself are "
        "exploratory."
    ),
    outcomes={
        "supported": "part of what SSD gains may be had without its mechanism: by format, length or more training",
        "equivalent": "one's own unaltered, mismatched or empty answers change nothing, as the theory says",
        "inconclusive": "this design cannot tell; a control that harms shows here too, by a negative difference",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
)
