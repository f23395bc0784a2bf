"""Finding the temperature that gives a model another's mean entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import theory
from harness.measure.matching import GRID, entropy_curve, matching_temperature


def logits(seed: int = 0, spread: float = 3.0) -> torch.Tensor:
    return spread * torch.randn(30, 200, generator=torch.Generator().manual_seed(seed))


def mean_curve(of: torch.Tensor) -> list[float]:
    return [x / len(of) for x in entropy_curve(of)]


def test_the_curve_is_the_theorys() -> None:
    x = logits()
    wanted = [float(theory.entropy(theory.temper(x.numpy(), t)).sum()) for t in GRID]
    np.testing.assert_allclose(entropy_curve(x), wanted, rtol=1e-5, atol=1e-4)
    assert entropy_curve(x) == sorted(entropy_curve(x)), "entropy never falls as temperature rises"


@settings(max_examples=30, deadline=None)
@given(st.floats(0.06, 6.0), st.integers(0, 5))
def test_a_tempered_model_is_recognised(temperature: float, seed: int) -> None:
    x = logits(seed)
    tempered = float(theory.entropy(theory.temper(x.numpy(), temperature)).mean())
    found = matching_temperature(mean_curve(x), tempered)
    again = float(theory.entropy(theory.temper(x.numpy(), found)).mean())
    assert again == pytest.approx(tempered, abs=0.02)
    assert found == pytest.approx(temperature, rel=0.06)


def test_what_no_temperature_gives_takes_the_nearest_end() -> None:
    curve = mean_curve(logits())
    assert matching_temperature(curve, -1.0) == pytest.approx(GRID[0])
    assert matching_temperature(curve, 99.0) == pytest.approx(GRID[-1])
