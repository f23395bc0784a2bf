"""Do the weights that SSD's authors released beat their base, once the base is decoded as they are?

Nothing is trained: the cheapest decisive experiment on the claim, since a gain that the released weights do not show
needs no reproduction of the training. One independent attempt scored the released 4B-Thinking weights below their base.
The base gets every decoding that SSD used, and the two-stage decoding that the paper's theory says SSD amounts to.

    harness run ablation=released_checkpoints model=qwen3_4b_instruct task=livecodebench_v6 scale=full

The catalogue says which weights belong to which base; ``treatment=MODEL`` names others.
"""

from __future__ import annotations

from dataclasses import dataclass

from ablations.matched_decoding import DECODED, decoded
from harness.ablation import Ablation, Context, Decision, Decoding, Findings, could_see
from harness.models.catalogue import released_pair
from harness.spec import Arm, BaseModel, Contrast


@dataclass(frozen=True, slots=True)
class Settings:
    """``margin`` is in pass@1: 0.05 is five points."""

    margin: float = 0.05


CONTROLS = ("base", *DECODED)


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    base, released, decoding = _pair(context)
    return (
        *decoded(base, decoding),
        Arm("released@eval", released, decoding.eval, "the released weights as published"),
        Arm("released@base", released, decoding.base, "the released weights with the base's decoding"),
    )


def _pair(context: Context) -> tuple[BaseModel, BaseModel, Decoding]:
    """Base, released weights and SSD's decoding of both; ``model=`` may name either of the two."""
    if context.treatment is not None:
        return context.base, context.treatment, context.decoding
    pair = released_pair(context.base.source)
    if context.base.source == pair.released.source:
        return pair.base, context.base, context.decoding
    return context.base, pair.released, context.decoding


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    return (
        *(Contrast("released@eval", control) for control in CONTROLS),
        Contrast("released@eval", "base@two_stage", test="equivalence", margin=settings.margin),
        Contrast("released@eval", "base", "pass@5", family="exploratory"),
        Contrast("released@base", "base", family="exploratory"),
        Contrast("released@eval", "base", "tokens", family="exploratory"),
    )


def decide(findings: Findings) -> Decision:
    gains = [findings.view("released@eval", control) for control in CONTROLS]
    published, same = gains[0], findings.view("released@eval", "base@two_stage", "equivalence")
    if all(v.holds for v in gains):
        return Decision(
            "supported",
            f"the released weights beat their base under every decoding ({100 * published.difference:+.1f} points as "
            "published)",
        )
    if published.opposed:
        return Decision("refuted", f"the released weights lose {-100 * published.difference:.1f} points to their base")
    if published.holds and same.holds:
        margin = 100 * same.contrast.margin
        return Decision("equivalent", f"two-stage decoding of the base explains the gain (within {margin:g} points)")
    lost = [v.contrast.control for v in gains if not v.holds]
    return Decision(
        "inconclusive", f"the released weights are not shown to beat {', '.join(lost)}; {could_see(*gains)}"
    )


ABLATION = Ablation(
    name="released_checkpoints",
    question="Do the released SSD weights beat their base, once the base is decoded as they are?",
    asked_by="ssd.md Q1, Q3 and Q13; ml-ssd issue 14 (released 4B-Thinking weights scored below their base)",
    rule=(
        "The claim holds for the released weights if released@eval beats base and every base@X, each at one-sided "
        "2.5 % (intersection–union, so no adjustment); it is refuted if base beats released@eval (one-sided 2.5 %). "
        "'Two-stage decoding explains it' requires released@eval > base and equivalence of released@eval and "
        "base@two_stage within the margin (two one-sided tests at 5 %). A difference that is shown goes before "
        "equality within a margin. Anything else is inconclusive, with the smallest effect the design could have seen."
    ),
    outcomes={
        "supported": "the weights, not their decoding, are better; whether the recipe makes such weights is open",
        "refuted": "the published gain is not in the released weights, whatever training gave",
        "equivalent": "what the weights gain is had for free by decoding the base in two stages",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
)
