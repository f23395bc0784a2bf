"""What ``harness compare`` prints."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import BadInput
from harness.stats import paired_contrast, pass_at_k
from harness.stats.compare import compare, render

RNG = np.random.default_rng(31)
RATES = RNG.beta(0.6, 0.9, 80)
N = np.full(80, 10)
A, B = RNG.binomial(10, np.clip(RATES + 0.1, 0, 1)), RNG.binomial(10, RATES)


def test_document_has_the_promised_keys_and_the_contrast_s_numbers():
    result = compare(N, A, N, B, k=5, margin=0.04, names=("new", "old"))
    document = json.loads(json.dumps(result.as_json(), allow_nan=False))
    c = paired_contrast(pass_at_k(N, A, 5), pass_at_k(N, B, 5), margin=0.04)
    assert document["metric"] == "pass@5"
    assert document["difference"] == c.difference == pytest.approx(document["a"] - document["b"])
    assert document["interval"] == list(c.interval)
    assert document["p_value"] == c.p_value
    assert document["equivalence"]["p_value"] == c.equivalence.p_value
    assert document["equivalence"]["margin"] == 0.04
    assert document["minimum_detectable_effect"] == c.minimum_detectable_effect
    assert document["problems"] == 80


def test_text_shows_the_same_numbers():
    result = compare(N, A, N, B, names=("new", "old"))
    text = render(result)
    assert f"{100 * result.contrast.difference:+.1f} points" in text
    assert "new" in text
    assert "one training seed" in text
    assert "variance due to" in text


def test_single_samples_add_mcnemar():
    one = np.ones(80, dtype=int)
    result = compare(one, RNG.integers(0, 2, 80), one, RNG.integers(0, 2, 80))
    assert result.mcnemar is not None
    assert result.split is None
    assert "McNemar" in render(result)


def test_problems_without_enough_samples_are_dropped_from_both_means():
    n = N.copy()
    n[:3] = 4
    result = compare(n, np.minimum(A, n), N, B, k=5)
    assert result.contrast.n_problems == 77
    assert result.contrast.n_dropped == 3
    assert result.a.estimate - result.b.estimate == pytest.approx(result.contrast.difference)


def test_undefined_is_null_in_json_and_a_word_in_text():
    result = compare([1, 1], [0, 1], [1, 1], [1, 1], k=5)
    document = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert document["difference"] is None
    assert document["interval"] == [None, None]
    assert "undefined" in render(result)


def test_identical_files_say_so():
    assert "identical" in render(compare(N, A, N, A))


def test_files_of_different_length_are_refused():
    with pytest.raises(BadInput):
        compare([1, 1], [0, 1], [1], [1])
