"""What does self-distillation on code cost elsewhere?

The paper's table of other domains (arXiv:2604.01193, Table 5) calls most changes small, without intervals: AIME24 falls
from 61.3 to 55.0 and HumanEval-Shell from 47.5 to 31.7 for one model, and the loss of another on AIME is put down to
code blocks given where a number was due. Two questions are kept apart here: is each other task still done as well,
within a margin fixed beforehand, and are losses wrong answers or answers in the wrong form?

    harness run ablation=out_of_domain task=[gsm8k,cruxeval_o,mbpp] task.gsm8k.path=… task.mbpp.path=…
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.ablation import Ablation, Context, ContrastView, Decision, Findings
from harness.spec import Arm, Contrast
from harness.stats.multiplicity import holm

ALPHA = 0.05
"""Familywise level, over tasks, of "worse on some task" (two-sided p-values, counted only as losses)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Margins, as shares: ``margin`` of pass@1 that may be lost, ``format_margin`` of answers that lose their form."""

    margin: float = 0.05
    format_margin: float = 0.05


def arms(settings: Settings, context: Context) -> tuple[Arm, ...]:
    base, ssd, decoding = context.base, context.ssd(), context.decoding
    return (
        Arm("base", base, decoding.base, "the model's recommended decoding"),
        Arm("ssd@eval", ssd, decoding.eval, "SSD as published"),
        Arm("ssd@base", ssd, decoding.base, "SSD with the base's decoding: what the weights alone cost"),
    )


def contrasts(settings: Settings) -> tuple[Contrast, ...]:
    form, loss = "format_failure", settings.format_margin
    return (
        Contrast("ssd@eval", "base", test="noninferiority", margin=settings.margin),
        Contrast("base", "ssd@eval"),
        Contrast("ssd@base", "base", test="noninferiority", margin=settings.margin, family="exploratory"),
        Contrast("ssd@eval", "base", form, family="exploratory"),
        Contrast("base", "ssd@eval", form, test="noninferiority", margin=loss, family="exploratory"),
    )


def decide(findings: Findings) -> Decision:
    keeps, loses = _view(findings, "noninferiority"), _view(findings, "superiority")
    margin = 100 * keeps.contrast.margin
    if keeps.holds:
        seen = f", although it loses something ({100 * loses.difference:.1f} points)" if loses.holds else ""
        return Decision("supported", f"SSD loses less than {margin:g} points here{seen}{_form(findings)}")
    if loses.holds:
        return Decision("refuted", f"SSD loses {100 * loses.difference:.1f} points here{_form(findings)}")
    return Decision(
        "inconclusive",
        f"neither a loss nor its absence (within {margin:g} points) is shown; the design could have seen "
        f"{100 * loses.minimum_detectable_effect:.1f} points{_form(findings)}",
    )


def overall(by_task: Mapping[str, Findings]) -> Decision:
    """All tasks together. "Harmless" needs every task (intersection–union); "some loss" is adjusted over the tasks."""
    kept = {task: _view(f, "noninferiority").holds for task, f in by_task.items()}
    if all(kept.values()):
        return Decision("supported", f"harmless: non-inferior on every task ({', '.join(kept)})")
    losses = [_view(f, "superiority") for f in by_task.values()]
    adjusted = holm([v.p_value if v.difference > 0 else 1.0 for v in losses])
    lost = [task for task, p in zip(by_task, adjusted, strict=True) if p <= ALPHA and not kept[task]]
    if lost:
        return Decision("refuted", f"it costs something on {', '.join(lost)} (adjusted over {len(kept)} tasks)")
    unknown = [task for task, holds in kept.items() if not holds]
    return Decision("inconclusive", f"no loss is shown, nor its absence on {', '.join(unknown)}")


def _view(findings: Findings, test: str) -> ContrastView:
    return next(
        v for v in findings.contrasts.values() if v.contrast.test == test and v.contrast.family == "confirmatory"
    )


def _form(findings: Findings) -> str:
    """What to add where more answers of SSD have the wrong form."""
    more = next(
        v
        for v in findings.contrasts.values()
        if v.contrast.metric == "format_failure" and v.contrast.test == "superiority"
    )
    return f"; {100 * more.difference:.1f} points more of its answers have not the form asked for" if more.holds else ""


ABLATION = Ablation(
    name="out_of_domain",
    question="What does self-distillation on code cost on other tasks?",
    asked_by="ssd.md Q31; arXiv:2604.01193, Table 5 and C.3; discussion of the paper; arXiv:2605.22675",
    rule=(
        "A task is unharmed if ssd@eval is non-inferior to base within the margin (one-sided 2.5 %), and harmed if it "
        "is not and base beats ssd@eval (one-sided 2.5 %). Over all tasks: harmless if every task is unharmed "
        "(intersection–union, so no adjustment); it costs something if some task is not unharmed and its loss stands "
        "after Holm's adjustment over the tasks; otherwise inconclusive. The share of answers without the form asked "
        "for is an exploratory contrast: it says where a loss comes from and decides nothing."
    ),
    outcomes={
        "supported": "the gain on code is not paid for on this task, up to the margin",
        "refuted": "the gain on code is paid for here; the contrast of format failures says whether by form or content",
        "inconclusive": "this design cannot tell; the smallest detectable effect says how far it could see",
    },
    settings=Settings,
    arms=arms,
    contrasts=contrasts,
    decide=decide,
    overall=overall,
    tasks=("starter", "shell", "instructions"),
)
