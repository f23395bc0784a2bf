"""Is one checkpoint better than another, when both are decoded alike and tuned alike?

For any claim of the form "training method X improves model A to B": reinforcement learning, preference optimisation,
another lab's fine-tune. Nothing is trained. The base gets every decoding that the treatment gets, and both the same
grid.

    harness run ablation=before_after base=MODEL treatment=MODEL task=[humaneval,mbpp]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings, could_see
from harness.errors import BadInput
from harness.spec import Arm, Contrast, Derived, Policy, Selection
from harness.stats.multiplicity import holm


@dataclass(frozen=True, slots=True)
class Settings:
    """``temperatures`` is the grid that both checkpoints get, with the truncation given."""

    temperatures: tuple[float, ...] = (0.2, 0.6, 1.0)
    top_k: int = 20
    top_p: float = 0.95
    margin: float = 0.05


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    if context.treatment is None or context.treatment_decoding is None:
        raise BadInput("ablation=before_after compares two checkpoints: say base=MODEL treatment=MODEL")
    base, after = context.base, context.treatment
    own, its = context.decoding.base, context.treatment_decoding.base
    grid = [(t, Policy.single(t, settings.top_k, settings.top_p)) for t in settings.temperatures]
    return (
        Arm("base", base, own, "its recommended decoding"),
        Arm("base@treatment", base, its, "the treatment's recommended decoding"),
        Arm("base@two_stage", base, Policy(own.stages + its.stages), "both, one after the other"),
        Arm("treatment", after, its, "its recommended decoding"),
        Arm("treatment@base", after, own, "the base's recommended decoding"),
        *(Arm(f"base T{t:g}", base, policy) for t, policy in grid),
        *(Arm(f"treatment T{t:g}", after, policy) for t, policy in grid),
    )


def derived(settings: Settings) -> tuple[Derived, ...]:
    made: list[Derived] = []
    for side in ("base", "treatment"):
        candidates = tuple(f"{side} T{t:g}" for t in settings.temperatures)
        made.append(Selection(f"{side}, cross-fitted", candidates, "crossfit"))
        made.append(Selection(f"{side}, best on test", candidates, "test"))
    return tuple(made)


CONTROLS = (
    ("treatment", "base"),
    ("treatment", "base@treatment"),
    ("treatment", "base@two_stage"),
    ("treatment, cross-fitted", "base, cross-fitted"),
)


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    tuned, margin = CONTROLS[-1], settings.margin
    return (
        *(Contrast(*pair) for pair in CONTROLS),
        Contrast(*tuned, test="equivalence", margin=margin),
        Contrast(*tuned, test="noninferiority", margin=margin),
        Contrast("treatment@base", "base", family="exploratory"),
        Contrast("treatment, best on test", "base, best on test", family="exploratory"),
        Contrast("treatment", "base@treatment", strata="rate", family="exploratory"),
        Contrast("treatment", "base", "pass@5", family="exploratory"),
        Contrast("treatment", "base", "format_failure", family="exploratory"),
    )


def decide(findings: Findings) -> Decision:
    views = [findings.view(*pair) for pair in CONTROLS]
    tuned = views[-1]
    same = findings.view(*CONTROLS[-1], "equivalence")
    if all(v.holds for v in views):
        return Decision(
            "supported", f"the treatment beats the base however it is decoded ({100 * tuned.difference:+.1f})"
        )
    if tuned.opposed:
        return Decision("refuted", f"tuned alike, the treatment loses {-100 * tuned.difference:.1f} points")
    if same.holds:
        margin = 100 * same.contrast.margin
        return Decision("equivalent", f"tuned alike, the two are equal within {margin:g} points")
    lost = [v.contrast.control for v in views if not v.holds]
    return Decision("inconclusive", f"the treatment is not shown to beat {', '.join(lost)}; {could_see(*views)}")


ALPHA = 0.05
"""Familywise level, over tasks, of "gains" and "loses" (two-sided p-values)."""


def overall(by_task: Mapping[str, Findings]) -> Decision:
    """All tasks together: better somewhere after adjustment, and worse nowhere."""
    tuned = [f.view(*CONTROLS[-1]) for f in by_task.values()]
    adjusted = holm([v.p_value for v in tuned])
    shown = [(task, v.difference) for task, v, p in zip(by_task, tuned, adjusted, strict=True) if p <= ALPHA]
    lost, won = [t for t, d in shown if d < 0], [t for t, d in shown if d > 0]
    if lost:
        return Decision("refuted", f"tuned alike, it costs something on {', '.join(lost)}")
    kept = all(f.view(*CONTROLS[-1], "noninferiority").holds for f in by_task.values())
    if won and kept:
        return Decision("supported", f"tuned alike, it gains on {', '.join(won)} and loses nothing elsewhere")
    return Decision("inconclusive", "tuned alike, no gain is shown, or its absence of cost elsewhere is not")


ABLATION = Ablation(
    name="before_after",
    question="Is the treatment better than its base, when both are decoded alike and tuned alike?",
    asked_by="anyone who is shown two checkpoints; the arms are those of ssd.md Q3, Q4, Q13, Q28, Q31 and Q35",
    rule=(
        "The treatment is better if it beats the base at each one's own decoding, at the treatment's, in two stages, "
        "and with both tuned by cross-fitting over one grid (each at one-sided 2.5 %, intersection–union). It is "
        "worse if the cross-fitted base beats it (one-sided 2.5 %), and no different if the two are equal within the "
        "margin (two one-sided tests at 5 %). Over several tasks: worse if any tuned loss stands after Holm's "
        "adjustment (5 %); better if some tuned gain does and every task is non-inferior within the margin."
    ),
    outcomes={
        "supported": "the weights, not their decoding or its tuning, are better here",
        "refuted": "the training made the model worse, once the base is tuned as well",
        "equivalent": "what was gained is had by decoding the base",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
    overall=overall,
    derived=derived,
)
