"""Does a second round of self-distillation help again, or does the model collapse?

The paper runs one round. Training on one's own outputs again and again is known to lose the tails of a distribution
(Shumailov et al., Nature 2024), less so where earlier data are kept (Gerstgrasser et al., arXiv:2404.01413). So each
round is measured: what it solves, how diverse its programs are, and how far it has moved from the base.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings, could_see
from harness.errors import BadInput
from harness.spec import Arm, Contrast, Derived, Measurement, Model, trend

METRICS = ("pass@5", "entropy", "tail_mass", "distinct_programs", "distinct_ngrams", "no_code", "length", "kl")


@dataclass(frozen=True, slots=True)
class Settings:
    """``rounds`` of at least 2. The last round is also made from accumulated corpora and from the base's weights."""

    rounds: int = 2
    variants: bool = True
    margin: float = 0.05


def _names(settings: Settings) -> tuple[str, ...]:
    if settings.rounds < 2:
        raise BadInput(f"ablation.rounds={settings.rounds}: at least 2, or there is no repetition")
    return ("base@eval", *(f"round {r}" for r in range(1, settings.rounds + 1)))


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    policy = context.decoding.eval
    models: list[Model] = [context.base]
    for _ in range(settings.rounds):
        models.append(context.distil(parent=models[-1]))
    made = [Arm(name, model, policy) for name, model in zip(_names(settings), models, strict=True)]
    if settings.variants:
        before = models[-2]
        fresh = context.distil(parent=before, start=context.base)
        grown = context.distil(parent=before, accumulate=True)
        last = f"round {settings.rounds}"
        made.append(Arm(f"{last}, fresh", fresh, policy, "the last round's corpus, trained from the base's weights"))
        made.append(Arm(f"{last}, accumulated", grown, policy, "trained on the corpora of all rounds"))
    return tuple(made)


def derived(settings: Settings) -> tuple[Derived, ...]:
    return trend("rounds", _names(settings))


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    last = f"round {settings.rounds}"
    variants = (f"{last}, fresh", f"{last}, accumulated") if settings.variants else ()
    return (
        Contrast(last, "round 1"),
        Contrast(last, "round 1", test="equivalence", margin=settings.margin),
        Contrast("rounds, late", "rounds, early", family="exploratory"),
        *(Contrast("rounds, late", "rounds, early", metric, family="exploratory") for metric in METRICS),
        *(Contrast(variant, last, family="exploratory") for variant in variants),
    )


def decide(findings: Findings) -> Decision:
    again = next(v for v in findings.contrasts.values() if v.contrast.control == "round 1" and not v.contrast.margin)
    last = again.contrast.treatment
    same = findings.view(last, "round 1", "equivalence")
    spread = findings.view("rounds, late", "rounds, early", metric="distinct_programs")
    less = f"; the share of distinct programs falls by {-100 * spread.difference:.1f} points" if spread.opposed else ""
    if again.holds:
        return Decision("supported", f"{last} gains {100 * again.difference:.1f} points over round 1{less}")
    if again.opposed:
        return Decision("refuted", f"{last} loses {-100 * again.difference:.1f} points against round 1{less}")
    if same.holds:
        margin = 100 * same.contrast.margin
        return Decision("equivalent", f"{last} does as well as round 1, within {margin:g} points{less}")
    return Decision("inconclusive", f"neither gain nor loss of {last} over round 1 is shown; {could_see(again)}{less}")


def measurement(settings: Settings, context: Context) -> Measurement:
    names = tuple(a.name for a in arms(settings, context))
    return Measurement(names, ("base@eval",), "base@eval", context.decoding.train.stages[0])


ABLATION = Ablation(
    name="iterative_ssd",
    question="Do repeated rounds of self-distillation help again, or does the model collapse?",
    asked_by="ssd.md Q25; discussion of arXiv:2604.01193 ('controlled round against recursive reuse')",
    rule=(
        "Repetition helps if the last round beats round 1 (one-sided 2.5 %), and harms (collapse) if round 1 beats "
        "the last round (one-sided 2.5 %); it changes nothing if the two are equal within the margin (two one-sided "
        "tests at 5 %). Trends over base and rounds of diversity, entropy, tail mass, length and distance from the "
        "base are exploratory and say what moved."
    ),
    outcomes={
        "supported": "one round leaves something to gain; the trends say at what price in diversity",
        "refuted": "the model gets worse when it is trained on itself again",
        "equivalent": "one round is all there is to have",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
    derived=derived,
    measurement=measurement,
)
