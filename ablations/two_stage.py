"""Is training needed at all, if the base decoded in two stages is what training aims at?

Under the paper's ideal-fit assumption (arXiv:2604.01193, Prop. B.2) the student decoded at T_eval is the base decoded
at T_train with SSD's truncation, renormalised, then at T_eval. That decoder needs no training and was not run. Here it
meets SSD over a grid of both temperatures, and the student's real next-token distribution meets the predicted one.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings, could_see
from harness.spec import Arm, Contrast, Derived, Measurement, Mixture, Policy, Stage


@dataclass(frozen=True, slots=True)
class Settings:
    """The grid of temperatures; truncation is that of the model's own entry."""

    train: tuple[float, ...] = (1.0, 1.3)
    eval: tuple[float, ...] = (0.3, 0.7)
    margin: float = 0.05


def _grid(settings: Settings) -> list[tuple[float, float]]:
    return [(t, e) for t in settings.train for e in settings.eval]


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    def stage(temperature: float) -> Stage:
        return Stage(temperature, context.decoding.top_k, context.decoding.top_p)

    models = {t: context.ssd(Policy((stage(t),))) for t in settings.train}
    first = settings.eval[0]
    return (
        Arm(f"base T{first:g}", context.base, Policy((stage(first),)), "one stage: what the prediction departs from"),
        *(Arm(f"base T{t:g}→{e:g}", context.base, Policy((stage(t), stage(e)))) for t, e in _grid(settings)),
        *(Arm(f"ssd T{t:g}·{e:g}", models[t], Policy((stage(e),))) for t, e in _grid(settings)),
    )


def derived(settings: Settings) -> tuple[Derived, ...]:
    grid = _grid(settings)
    return (
        Mixture("two-stage, mean", tuple((f"base T{t:g}→{e:g}", 1 / len(grid)) for t, e in grid)),
        Mixture("ssd, mean", tuple((f"ssd T{t:g}·{e:g}", 1 / len(grid)) for t, e in grid)),
    )


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    predicted = f"ssd T{settings.train[-1]:g}·{settings.eval[0]:g}"
    return (
        Contrast("ssd, mean", "two-stage, mean"),
        Contrast("ssd, mean", "two-stage, mean", test="equivalence", margin=settings.margin),
        *(Contrast(f"ssd T{t:g}·{e:g}", f"base T{t:g}→{e:g}", family="exploratory") for t, e in _grid(settings)),
        Contrast(f"base T{settings.eval[0]:g}", predicted, "tv_predicted", family="exploratory"),
    )


def decide(findings: Findings) -> Decision:
    more = findings.view("ssd, mean", "two-stage, mean")
    same = findings.view("ssd, mean", "two-stage, mean", "equivalence")
    nearer = next(v for v in findings.contrasts.values() if v.contrast.metric == "tv_predicted")
    moved = "; the student's distribution is nearer to the predicted one than the base's is" if nearer.holds else ""
    if more.holds:
        return Decision("supported", f"training adds {100 * more.difference:.1f} points to two-stage decoding{moved}")
    if more.opposed:
        return Decision("refuted", f"SSD is {-100 * more.difference:.1f} points worse than two-stage decoding{moved}")
    if same.holds:
        margin = 100 * same.contrast.margin
        return Decision("equivalent", f"two-stage decoding of the base does as well, within {margin:g} points{moved}")
    return Decision("inconclusive", f"SSD and two-stage decoding are not told apart; {could_see(more)}{moved}")


def measurement(settings: Settings, context: Context) -> Measurement:
    train, first = settings.train[-1], settings.eval[0]
    kept = Stage(train, context.decoding.top_k, context.decoding.top_p)
    base, student = f"base T{first:g}", f"ssd T{train:g}·{first:g}"
    # The evaluation truncation is left out of the prediction because measured distributions are taken without it too.
    return Measurement((base, student), (base, student), base, kept, Policy((kept, Stage(first))))


ABLATION = Ablation(
    name="two_stage",
    question="Is training needed at all: does two-stage decoding of the base do what SSD does?",
    asked_by="ssd.md Q13 and section 3.5; discussion of arXiv:2604.01193 ('sampler truncation folded into weights')",
    rule=(
        "Averaged over the grid of (T_train, T_eval): training adds something if SSD beats two-stage decoding of the "
        "base (one-sided 2.5 %), costs something if two-stage decoding beats SSD (one-sided 2.5 %), and is not needed "
        "if the two are equal within the margin (two one-sided tests at 5 %). Single points of the grid are "
        "exploratory. So is whether the student's distribution is nearer to the predicted one (total variation) than "
        "the base's is."
    ),
    outcomes={
        "supported": "the fine-tuning adds something that the theory's own decoder does not give",
        "refuted": "the theory's decoder does better than the training it explains",
        "equivalent": "the theory holds as far as pass@1 goes, and training is not needed",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
    derived=derived,
    measurement=measurement,
)
