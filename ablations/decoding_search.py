"""Which temperatures suit a model? The search behind a model's own entry in the catalogue, on held-out problems.

The paper tunes temperatures for each model and shows no validation split (ssd.md, key point 3). Here base and SSD get
the same number of evaluated settings, on a task that no other ablation reports, and the search is itself a record.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ablation import Ablation, Context, Decision, Findings
from harness.spec import Arm, Contrast, Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """Grids. ``base`` has as many entries as ``train`` × ``eval``, so that neither side is tuned harder."""

    base: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    train: tuple[float, ...] = (1.0, 1.3)
    eval: tuple[float, ...] = (0.3, 0.6)
    top_k: int = 20
    top_p: float = 0.8


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    def policy(temperature: float) -> Policy:
        return Policy.single(temperature, settings.top_k, settings.top_p)

    base = [Arm(f"base T{t:g}", context.base, policy(t)) for t in settings.base]
    ssd = [Arm(f"ssd T{t:g}·{e:g}", context.ssd(policy(t)), policy(e)) for t in settings.train for e in settings.eval]
    return (*base, *ssd)


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    """None: a search picks settings for later runs and tests nothing itself."""
    return ()


def decide(findings: Findings) -> Decision:
    base = _best({a: v for a, v in findings.pass_at_1.items() if a.startswith("base ")})
    ssd = _best({a: v for a, v in findings.pass_at_1.items() if a.startswith("ssd ")})
    return Decision("untested", f"best of the base's settings: {base}; best of SSD's: {ssd}; a search makes no claim")


def _best(scores: dict[str, float]) -> str:
    if not scores:
        return "none tried"

    def preference(arm: str) -> tuple[float, float, float]:
        temperatures = [float(t) for t in arm.split(" T")[1].split("·")]
        return (-scores[arm], temperatures[-1], abs(temperatures[0] - 1))

    best = min(scores, key=preference)
    return f"{best} ({100 * scores[best]:.1f} %)"


ABLATION = Ablation(
    name="decoding_search",
    question="Which decoding and training temperatures suit this model, on problems no other ablation reports?",
    asked_by="ssd.md Q4: equal tuning on held-out problems",
    rule=(
        "T_base is the base temperature with the highest pass@1, (T_train, T_eval) the pair with the highest pass@1; "
        "ties go to the lower evaluation temperature, then to the training temperature nearer 1."
    ),
    outcomes={"untested": "always: the search picks settings for later runs and is not itself evidence"},
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
)
