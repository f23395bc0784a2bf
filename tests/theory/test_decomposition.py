"""Equation 4 as an identity, and the lemmas of appendix B, on random distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.errors import BadInput
from harness.theory import (
    decompose,
    entropy,
    kept_mass,
    kl_divergence,
    logit_gradient,
    renyi_entropy,
    restrict,
    retained_set,
    temper,
    truncate,
)

settings_of_a_case = st.tuples(
    st.integers(0, 2**32 - 1), st.floats(0.3, 3.0), st.integers(0, 12), st.floats(0.05, 1.0), st.floats(0.1, 6.0)
)


def pair(seed, spread, shape=(4, 17)):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=spread, size=shape), rng.normal(scale=spread, size=shape)


@given(settings_of_a_case)
@settings(max_examples=300)
def test_equation_4_is_an_identity(case):
    seed, temperature, top_k, top_p, spread = case
    student, teacher = pair(seed, spread)
    parts = decompose(student, teacher, temperature, top_k, top_p)
    np.testing.assert_allclose(parts.total, parts.cross_entropy, rtol=1e-12, atol=1e-12)
    assert (parts.support_compression >= -1e-12).all()
    assert (parts.alignment >= -1e-12).all()


def test_identity_on_two_thousand_random_distributions():
    rng = np.random.default_rng(4)
    worst = 0.0
    for _ in range(2000):
        student, teacher = rng.normal(scale=2.0, size=(2, 32))
        parts = decompose(student, teacher, rng.uniform(0.3, 3), int(rng.integers(0, 20)), rng.uniform(0.3, 1))
        worst = max(worst, abs(float(parts.total - parts.cross_entropy)) / float(parts.cross_entropy))
    assert worst < 1e-12


def test_terms_vanish_where_the_paper_says():
    student, teacher = pair(7, 2.0)
    assert np.allclose(decompose(student, teacher, 1.6).support_compression, 0)
    assert not decompose(student, teacher, 1.0, 5, 0.8).reshaping.any()
    # A student whose head is the teacher's is aligned; with T = 1 and no truncation its gradient is zero (Eq. 9).
    assert np.allclose(decompose(teacher, teacher, 1.6, 5, 0.8).alignment, 0, atol=1e-13)
    assert np.allclose(logit_gradient(teacher, teacher, 1.0), 0, atol=1e-15)


def test_gradient_matches_finite_differences():
    student, teacher = pair(11, 1.5, (9,))
    step = 1e-6
    numeric = [
        (
            decompose(student + step * unit, teacher, 1.4, 6, 0.9).cross_entropy
            - decompose(student - step * unit, teacher, 1.4, 6, 0.9).cross_entropy
        )
        / (2 * step)
        for unit in np.eye(9)
    ]
    np.testing.assert_allclose(logit_gradient(student, teacher, 1.4, 6, 0.9), numeric, atol=1e-8)


@given(settings_of_a_case)
def test_temperatures_compose(case):
    """Lemma B.1 (Eq. 24), also on a fixed support."""
    seed, first, top_k, top_p, spread = case
    logp, _ = pair(seed, spread)
    np.testing.assert_allclose(temper(temper(logp, first), 0.7), temper(logp, 0.7 * first), atol=1e-10)
    support = retained_set(logp, first, top_k, top_p)
    twice = np.exp(temper(restrict(temper(logp, first), support), 0.7))
    np.testing.assert_allclose(twice, np.exp(temper(restrict(logp, support), 0.7 * first)), atol=1e-12)


@given(settings_of_a_case, st.floats(0.3, 3.0))
def test_student_against_teacher_on_a_useful_set(case, decode):
    """Propositions B.2 and B.3 (Eq. 27): what the ideal student gains is support compression times reshaping."""
    seed, train, top_k, top_p, spread = case
    teacher, _ = pair(seed, spread)
    support = retained_set(teacher, train, top_k, top_p)
    useful = support & (np.arange(17) % 2 == 0)

    def head_mass(power):
        return np.where(useful, np.exp(restrict(power * teacher, support)), 0.0).sum(axis=-1)

    student = np.where(useful, np.exp(temper(truncate(teacher, train, top_k, top_p), decode)), 0.0).sum(axis=-1)
    at_decode = temper(teacher, decode)
    before = np.where(useful, np.exp(at_decode), 0.0).sum(axis=-1)
    predicted = before * head_mass(1 / (train * decode))
    np.testing.assert_allclose(
        student * kept_mass(at_decode, support) * head_mass(1 / decode), predicted, rtol=1e-9, atol=1e-12
    )


@given(settings_of_a_case)
def test_entropy_identity(case):
    """Eq. 30: H = h2(kept) + kept·H(head) + (1 − kept)·H(tail)."""
    seed, temperature, _, top_p, spread = case
    logp, _ = pair(seed, spread)
    support = retained_set(logp, temperature, 0, top_p)
    kept = kept_mass(logp, support)
    tail = np.where(support.all(axis=-1), 0.0, 1.0)
    tail_entropy = np.array(
        [entropy(row[~mask]) if not mask.all() else 0.0 for row, mask in zip(logp, support, strict=True)]
    )
    # The tail's mass is summed itself: 1 − kept cancels when nearly everything is kept.
    out = np.array(
        [np.exp(row - np.logaddexp.reduce(row))[~mask].sum() for row, mask in zip(logp, support, strict=True)]
    )
    h2 = -kept * np.log(kept) - np.where(tail > 0, out * np.log(np.where(out > 0, out, 1.0)), 0.0)
    np.testing.assert_allclose(
        entropy(logp), h2 + kept * entropy(restrict(logp, support)) + out * tail_entropy, atol=1e-9
    )


@given(settings_of_a_case)
def test_shannon_and_kl_agree_with_scipy(case):
    seed, _, _, _, spread = case
    student, teacher = pair(seed, spread)
    p, q = (np.exp(temper(x, 1.0)) for x in (student, teacher))
    np.testing.assert_allclose(entropy(student), stats.entropy(p, axis=-1), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(kl_divergence(teacher, student), stats.entropy(q, p, axis=-1), rtol=1e-9, atol=1e-10)


def test_renyi_entropy_of_known_distributions():
    uniform = np.zeros(8)
    assert all(renyi_entropy(uniform, order) == pytest.approx(np.log(8)) for order in (0.5, 1.0, 2.0))
    # Collision entropy of (3/4, 1/4): −log(10/16).
    assert renyi_entropy(np.log([0.75, 0.25]), 2.0) == pytest.approx(np.log(1.6))
    near_one = renyi_entropy(np.log([0.75, 0.25]), 1 + 1e-7)
    assert near_one == pytest.approx(float(entropy(np.log([0.75, 0.25]))), abs=1e-6)


def test_retained_set_by_hand():
    p = np.log([0.1, 0.4, 0.3, 0.2])
    assert retained_set(p, top_p=0.7).tolist() == [False, True, True, False]
    assert retained_set(p, top_p=0.7001).tolist() == [False, True, True, True]
    assert retained_set(p, top_k=3, top_p=0.99).tolist() == [False, True, True, True]
    # Top-p applies to what top-k left, renormalised: 0.4/0.7 = 0.571 reaches 0.57 alone.
    assert retained_set(p, top_k=2, top_p=0.57).tolist() == [False, True, False, False]
    assert np.exp(truncate(p, top_k=2)).tolist() == pytest.approx([0, 4 / 7, 3 / 7, 0])


def test_a_distribution_outside_the_support_diverges():
    assert kl_divergence([0.0, 0.0], [0.0, -np.inf]) == np.inf


@pytest.mark.parametrize("call", [lambda: temper([0.0, 1.0], 0.0), lambda: renyi_entropy([0.0, 1.0], 0.0)])
def test_settings_outside_the_theory_are_refused(call):
    with pytest.raises(BadInput):
        call()
