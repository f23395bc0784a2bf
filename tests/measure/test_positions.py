"""Per-position values against the theory's own arithmetic, closed forms and each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness import theory
from harness.errors import BadInput
from harness.generate.policy import log_probabilities
from harness.measure.positions import Values, law, measure, reference_view
from harness.spec import Policy, Stage

ROWS, VOCABULARY = 40, 300
STAGES = [
    Stage(1.3, 20, 0.8),
    Stage(0.7, 0, 0.9),
    Stage(1.0, 5, 1.0),
    Stage(1.6, 0, 1.0),
    Stage(1.0, 0, 1.0),
]


def random_logits(seed: int, spread: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(ROWS, VOCABULARY, generator=generator)


def tokens(seed: int = 5) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (ROWS,), generator=torch.Generator().manual_seed(seed))


def look(student: torch.Tensor, teacher: torch.Tensor, stage: Stage, temperature: float = 1.0) -> Values:
    return measure(student, tokens(), Policy.single(temperature), reference_view(teacher, 1.0, stage))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_equation_4_is_the_theorys(stage: Stage, temperature: float) -> None:
    student, teacher = random_logits(1), random_logits(2)
    found = look(student, teacher, stage, temperature)
    wanted = theory.decompose(
        student.double().numpy() / temperature, teacher.double().numpy(), stage.temperature, stage.top_k, stage.top_p
    )
    for name in ("cross_entropy", "support_compression", "reshaping", "alignment", "constant"):
        np.testing.assert_allclose(getattr(found, name).numpy(), getattr(wanted, name), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(1 - found.tail_mass.numpy(), wanted.kept_mass, rtol=1e-9, atol=1e-12)


def test_the_terms_sum_to_the_cross_entropy_where_the_student_is_far_away() -> None:
    student, teacher = random_logits(3, spread=60.0), random_logits(4, spread=60.0)
    v = look(student, teacher, Stage(1.3, 20, 0.8))
    total = v.support_compression + v.reshaping + v.alignment + v.constant
    np.testing.assert_allclose(total.numpy(), v.cross_entropy.numpy(), rtol=1e-9, atol=1e-9)


def test_a_sum_that_misses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.positions.TOLERANCE", -1.0)
    with pytest.raises(AssertionError, match="Equation 4"):
        look(random_logits(1), random_logits(2), STAGES[0])


def test_entropies_and_divergences_are_the_theorys() -> None:
    student, teacher = random_logits(6), random_logits(7)
    v = measure(student, tokens(), Policy.single(0.8), reference_view(teacher, 1.2, STAGES[0]))
    p, r = theory.temper(student.numpy(), 0.8), theory.temper(teacher.numpy(), 1.2)
    np.testing.assert_allclose(v.entropy.numpy(), theory.entropy(p), rtol=1e-9)
    np.testing.assert_allclose(v.kl.numpy(), theory.kl_divergence(r, p), rtol=1e-9)
    np.testing.assert_allclose(v.reverse_kl.numpy(), theory.kl_divergence(p, r), rtol=1e-9)
    picked = np.exp(p)[np.arange(ROWS), tokens().numpy()]
    np.testing.assert_allclose(v.probability.numpy(), picked, rtol=1e-9)
    order = np.argsort(np.argsort(-student.numpy(), axis=1), axis=1) + 1
    np.testing.assert_array_equal(v.rank.numpy(), order[np.arange(ROWS), tokens().numpy()])


def test_a_model_beside_itself_differs_in_nothing() -> None:
    logits = random_logits(8)
    v = look(logits, logits, Stage(1.0, 0, 1.0))
    for name in ("kl", "reverse_kl", "tail_mass", "support_compression", "reshaping", "alignment"):
        np.testing.assert_allclose(getattr(v, name).numpy(), 0, atol=1e-12)
    np.testing.assert_allclose(v.cross_entropy.numpy(), v.entropy.numpy(), rtol=1e-12)


def test_entropy_splits_into_gate_head_and_tail() -> None:
    """Equation 30: H(p) = h2(kept) + kept·H(head) + (1 − kept)·H(tail)."""
    student, teacher = random_logits(9), random_logits(10)
    stage = STAGES[0]
    v = look(student, teacher, stage)
    support = theory.retained_set(teacher.numpy(), stage.temperature, stage.top_k, stage.top_p)
    kept = 1 - v.tail_mass.numpy()
    gate = -(kept * np.log(kept) + (1 - kept) * np.log(1 - kept))
    head = theory.entropy(theory.restrict(student.numpy(), support))
    np.testing.assert_allclose(v.head_entropy.numpy(), head, rtol=1e-9, atol=1e-12)
    tail = theory.entropy(theory.restrict(student.numpy(), ~support))
    np.testing.assert_allclose(v.entropy.numpy(), gate + kept * head + (1 - kept) * tail, rtol=1e-9)


@pytest.mark.parametrize(
    "policy",
    [
        Policy.single(0.3, 20, 0.8),
        Policy.single(1.0),
        Policy.single(1.0, 0, 0.9),
        Policy.single(1.0, 10, 1.0, 0.1),
        Policy((Stage(1.3, 20, 0.8), Stage(0.3, 20, 0.8))),
        Policy((Stage(1.0, 0, 0.9), Stage(0.5, 5))),
        Policy((Stage(0.9, 20, 0.9, entropy_theta=0.3),)),
    ],
)
def test_a_sparse_law_is_the_policys(policy: Policy) -> None:
    logits = random_logits(11)
    sparse = law(logits, policy)
    dense = torch.full((ROWS, VOCABULARY), -torch.inf).scatter(-1, sparse.ids, sparse.log_p.float())
    torch.testing.assert_close(dense, log_probabilities(logits, policy))


def test_a_sparse_law_sees_ties_at_the_border_of_top_k() -> None:
    logits = torch.zeros(3, VOCABULARY)
    logits[1, 7] = 5.0
    sparse = law(logits, Policy.single(1.0, 20))
    assert torch.isfinite(sparse.log_p).all(), "equal tokens all stay"
    assert sparse.ids.shape == logits.shape


def test_total_variation_from_the_predicted_two_stage_law() -> None:
    teacher = random_logits(12)
    two = Policy((Stage(1.3, 20, 0.8), Stage(0.5, 20, 0.8)))
    view = reference_view(teacher, 1.0, STAGES[0], two)
    predicted = log_probabilities(teacher, two).exp().double()
    student = random_logits(13)
    v = measure(student, tokens(), Policy.single(0.5, 20, 0.8), view)
    free = torch.log_softmax(student.double() / 0.5, dim=-1).exp()
    cut = log_probabilities(student, Policy.single(0.5, 20, 0.8)).exp().double()
    torch.testing.assert_close(v.tv_predicted, 0.5 * (free - predicted).abs().sum(-1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(v.tv_decoded, 0.5 * (cut - predicted).abs().sum(-1), rtol=1e-5, atol=1e-6)
    # The ideal student is the teacher tempered and truncated: decoded at the second stage it is as predicted.
    ideal = log_probabilities(teacher, Policy((Stage(1.3, 20, 0.8),)))
    v = measure(ideal.clamp(min=-1e4), tokens(), Policy.single(0.5, 20, 0.8), view)
    assert float(v.tv_decoded.max()) < 1e-6


def test_nothing_predicted_is_undefined() -> None:
    v = look(random_logits(1), random_logits(2), STAGES[0])
    assert v.tv_predicted.isnan().all()


def test_greedy_arms_and_kept_sets_of_other_kinds_are_refused() -> None:
    view = reference_view(random_logits(1), 1.0, STAGES[0])
    with pytest.raises(BadInput, match="greedily"):
        measure(random_logits(1), tokens(), Policy.single(0.0), view)
    with pytest.raises(BadInput, match="kept set"):
        reference_view(random_logits(1), 1.0, Stage(1.0, 0, 1.0, 0.1))
