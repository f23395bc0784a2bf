"""Every rule, over 400 experiments whose truth is known.

Wrong in at most 5 %; right in at least 80 % where the effect is the smallest that the contrasts it must show detect
together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import ablations
from ablations.matched_decoding import ALTERNATIVES, DECODED
from ablations.modal_regularization import SHARPENERS
from ablations.noise_data import PARTS
from ablations.null_control import NULLS
from tests.ablations.planting import CONTEXT, RATES, RUNS, Floats, Truth, detectable, findings, shifted, statuses

WRONG = 0.05 * RUNS
RIGHT = 0.80 * RUNS - 2 * (0.8 * 0.2 * RUNS) ** 0.5
"""80 % is what the smallest detectable effect means; a share of 400 experiments has a standard error of 2 points."""

Effect = Callable[[], float]
DECIDED = ("supported", "refuted", "equivalent")


@dataclass(frozen=True)
class Case:
    """``arms`` (exact names, or prefixes that end in ``*``) differ from the base by ``sign`` · ``effect()``.

    ``right`` is what must be found, and the statuses in ``wrong`` must be rare. Inconclusive is never wrong; nor is
    "equal within the margin" where the effect is real but smaller than the margin.
    """

    ablation: str
    story: str
    arms: tuple[str, ...]
    effect: Effect
    right: str
    wrong: tuple[str, ...]
    sign: int = 1

    def truth(self) -> Truth:
        load = ablations.load(self.ablation)
        known = [a.name for a in load.arms(load.settings(), CONTEXT)]
        named = [k for k in known for a in self.arms if k == a or (a.endswith("*") and k.startswith(a[:-1]))]
        assert len(named) >= len(self.arms), "every name must be an arm's"
        return Truth(dict.fromkeys(named, self.sign * self.effect()))


def no_effect() -> float:
    return 0.0


def for_(name: str, *pairs: tuple[str, str], share: int = 1) -> Effect:
    return lambda: detectable(name, *pairs, share=share)


MATCHED = for_("matched_decoding", *(("ssd@eval", c) for c in ("base", *DECODED, *ALTERNATIVES)))
GAIN = for_("matched_decoding", *(("ssd@eval", "base"),) * 2)
"""Two things must show: the gain over the base, and equality with two-stage decoding."""
TUNED = for_("heldout_temperature", *((f"ssd, {how}", f"base, {how}") for how in ("held out", "cross-fitted")))
HELDOUT = for_("heldout_temperature", ("ssd, held out", "base, held out"))
ROUND = for_("iterative_ssd", ("round 2", "round 1"))
GRID = for_("two_stage", ("ssd, mean", "two-stage, mean"))
NULL = for_("null_control", ("plain", "base@eval"), share=len(NULLS))
SHARP = for_("modal_regularization", *(("ssd@eval", c) for c in ("base@eval", *SHARPENERS)))
SHARPER = for_("modal_regularization", ("ssd@eval", "base@greedy"), share=len(SHARPENERS))
ABOVE = for_("modal_regularization", ("ssd@eval", "base@eval"))
NOISE = for_("noise_data", ("noise", "base@eval"))
TREATED = for_(
    "before_after",
    *(("treatment", c) for c in ("base", "base@treatment", "base@two_stage")),
    ("treatment, cross-fitted", "base, cross-fitted"),
)
CROSSFIT = for_("before_after", ("treatment, cross-fitted", "base, cross-fitted"))

CASES = [
    Case("matched_decoding", "real gain", ("ssd*",), MATCHED, "supported", ("refuted",)),
    Case("matched_decoding", "decoding alone", ("ssd@eval", "base@two_stage"), GAIN, "equivalent", ("supported",)),
    Case("matched_decoding", "nothing", (), no_effect, "inconclusive", DECIDED),
    Case("heldout_temperature", "real gain", ("ssd*",), TUNED, "supported", ("refuted",)),
    Case("heldout_temperature", "tuning alone", ("ssd T1·0.3", "base T0.3"), lambda: 0.1, "equivalent", DECIDED[:2]),
    Case("heldout_temperature", "loss", ("ssd*",), HELDOUT, "refuted", ("supported",), -1),
    Case("iterative_ssd", "helps again", ("round 2*",), ROUND, "supported", ("refuted",)),
    Case("iterative_ssd", "collapse", ("round 2*",), ROUND, "refuted", ("supported",), -1),
    Case("iterative_ssd", "one round is all", ("round*",), ROUND, "equivalent", DECIDED[:2]),
    Case("two_stage", "training gains", ("ssd*",), GRID, "supported", ("refuted",)),
    Case("two_stage", "decoding alone", ("ssd*", "base T1→*", "base T1.3→*"), GRID, "equivalent", DECIDED[:2]),
    Case("two_stage", "training costs", ("ssd*",), GRID, "refuted", ("supported",), -1),
    Case("null_control", "format alone", ("ssd", *NULLS), NULL, "supported", ("refuted",)),
    Case("null_control", "real gain of SSD", ("ssd",), NULL, "equivalent", DECIDED[:2]),
    Case("modal_regularization", "sharpening alone", ("ssd@eval", *SHARPENERS), ABOVE, "equivalent", DECIDED[:2]),
    Case("modal_regularization", "real gain", ("ssd@eval",), SHARP, "supported", ("refuted",)),
    Case("modal_regularization", "sharpening is better", SHARPENERS, SHARPER, "refuted", ("supported",)),
    Case("noise_data", "noise helps", ("noise", "ssd"), NOISE, "supported", ("refuted",)),
    Case("noise_data", "noise harms", ("noise", *PARTS), NOISE, "refuted", ("supported",), -1),
    Case("noise_data", "noise does nothing", ("ssd",), NOISE, "equivalent", DECIDED[:2]),
    Case("before_after", "real gain", ("treatment*",), TREATED, "supported", ("refuted",)),
    Case("before_after", "decoding alone", ("treatment*", "base@*", "base T*"), CROSSFIT, "equivalent", DECIDED[:2]),
    Case("before_after", "loss", ("treatment*",), CROSSFIT, "refuted", ("supported",), -1),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.ablation}: {c.story}")
def test_a_planted_truth_is_found_and_seldom_mistaken(case: Case) -> None:
    found = statuses(case.ablation, case.story, case.truth())
    assert sum(found[s] for s in case.wrong) <= WRONG, found
    assert found[case.right] >= RIGHT, found


def half(hard: bool, by: float) -> Callable[[Floats], Floats]:
    """A gain on the half of the problems that is hard, or easy, by its true rates, and none on the other."""

    def rates(base: Floats) -> Floats:
        chosen = (base <= np.median(base)) == hard
        return np.where(chosen, np.clip(base + by, 0, 1), base)

    return rates


SEEN = ("ssd@eval", "base@eval")


def concentrated(hard: bool) -> float:
    """The gain on one half of the problems whose observed difference between groups is the smallest detectable one.

    Groups by observed rates mix hard and easy problems, so less is seen than is there: by how much, 40 experiments say.
    """
    ablation = ablations.load("difficulty")
    trials = [
        findings("difficulty", Truth({"ssd@eval": half(hard, 0.2)}), 20_000 + i, ablation.settings()) for i in range(40)
    ]
    seen = abs(np.mean([f.view(*SEEN, strata="rate").difference for f in trials]))
    return 0.2 * detectable("difficulty", SEEN, strata="rate") / float(seen)


@pytest.mark.slow
@pytest.mark.parametrize(("hard", "right", "wrong"), [(True, "supported", "refuted"), (False, "refuted", "supported")])
def test_difficulty_says_where_a_gain_lies(hard: bool, right: str, wrong: str) -> None:
    found = statuses("difficulty", f"hard: {hard}", Truth({"ssd@eval": half(hard, concentrated(hard))}))
    assert found[wrong] <= WRONG, found
    assert found[right] >= RIGHT, found


@pytest.mark.slow
def test_a_gain_that_is_the_same_everywhere_is_not_called_concentrated() -> None:
    found = statuses("difficulty", "all alike", Truth({"ssd@eval": lambda base: np.clip(base + 0.04, 0, 1)}))
    assert found["supported"] + found["refuted"] <= WRONG, found
    assert found["equivalent"] >= RIGHT, found


def test_the_planted_effect_is_what_it_says() -> None:
    assert np.mean(shifted(0.05) - RATES) == pytest.approx(0.05)
