"""Does SSD survive gibberish?

The paper's stress test samples at T_train = 2 without truncation: about 62 % of the responses hold no code at all, and
the gain is said to stay at +5.7 points (arXiv:2604.01193, section 4.4). If so, which part of that corpus carries it:
the share with code, the share without, or nothing that depends on what the tokens say?
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings, could_see
from harness.spec import Arm, Contrast, Policy

PARTS = ("noise, code only", "noise, no code only", "noise, tokens shuffled")


@dataclass(frozen=True, slots=True)
class Settings:
    """``temperature`` of the noisy corpus, sampled without truncation."""

    temperature: float = 2.0
    margin: float = 0.05


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    policy, noisy = context.decoding.eval, Policy.single(settings.temperature)
    usual = context.corpus.filters
    return (
        Arm("base@eval", context.base, policy, "the base with SSD's evaluation decoding"),
        Arm("ssd", context.ssd(), policy, "SSD as published"),
        Arm("noise", context.distil(noisy), policy, "hot, untruncated corpus"),
        Arm(PARTS[0], context.distil(noisy, filters=(*usual, "codeless")), policy, "its responses with code"),
        Arm(PARTS[1], context.distil(noisy, filters=(*usual, "coded")), policy, "its responses without code"),
        Arm(PARTS[2], context.distil(noisy, transforms=("shuffle_tokens",)), policy, "its tokens in random order"),
    )


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    return (
        Contrast("noise", "base@eval"),
        Contrast("noise", "base@eval", test="equivalence", margin=settings.margin),
        *(Contrast(part, "base@eval", family="exploratory") for part in PARTS),
        *(Contrast("noise", part, family="exploratory") for part in PARTS),
        Contrast("ssd", "noise", family="exploratory"),
        Contrast("ssd", "base@eval", family="exploratory"),
    )


def decide(findings: Findings) -> Decision:
    gain = findings.view("noise", "base@eval")
    same = findings.view("noise", "base@eval", "equivalence")
    helped = [part for part in PARTS if findings.view(part, "base@eval").holds]
    parts = f"; of its parts, {', '.join(helped)} gains by itself" if helped else ""
    if gain.holds:
        return Decision("supported", f"training on noise gains {100 * gain.difference:.1f} points{parts}")
    if gain.opposed:
        return Decision("refuted", f"training on noise loses {-100 * gain.difference:.1f} points{parts}")
    if same.holds:
        margin = 100 * same.contrast.margin
        return Decision("equivalent", f"training on noise changes nothing, within {margin:g} points{parts}")
    return Decision("inconclusive", f"neither gain nor loss from noise is shown; {could_see(gain)}{parts}")


ABLATION = Ablation(
    name="noise_data",
    question="Does SSD survive a corpus of gibberish, and which part of it carries what remains?",
    asked_by="ssd.md Q17 and Q18; arXiv:2604.01193, section 4.4; tekai.dev on the stress test",
    rule=(
        "Noise helps if a model trained on samples at T_train 2 without truncation beats the base at the same "
        "decoding (one-sided 2.5 %), harms if the base beats it (one-sided 2.5 %), and changes nothing if the two are "
        "equal within the margin (two one-sided tests at 5 %). Its share with code, its share without and its "
        "shuffled tokens are exploratory and say what carries the effect."
    ),
    outcomes={
        "supported": "the stress test replicates: what the samples say is not needed for the gain",
        "refuted": "gibberish harms: the samples' content matters",
        "equivalent": "gibberish neither helps nor harms",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
)
