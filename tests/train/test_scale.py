"""The fitted logit scale: recovered from data whose truth is known, and written into a model's weights."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import BadInput
from harness.models import digests
from harness.train import scale, tokens
from harness.train.corpus import Example, NothingToTrainOn
from harness.train.scale import HIGHEST, LOWEST, Loss, fit_scale, losses

EXAMPLES = [
    Example(f"e{i}", (("user", f"task {i}"),), "x = 1\n" * (1 + i % 4) + f"# {i}", finished=True) for i in range(9)
]


def plain(logits: np.ndarray, targets: np.ndarray, factor: float) -> float:
    """Mean loss in float64 by definition."""
    scaled = factor * logits
    top = scaled.max(-1, keepdims=True)
    log_z = np.log(np.exp(scaled - top).sum(-1)) + top[:, 0]
    return float((log_z - scaled[np.arange(len(targets)), targets]).mean())


def fitted(logits: torch.Tensor, targets: torch.Tensor) -> scale.Fit:
    return fit_scale(lambda factors: losses(logits, targets, lambda h: h, factors))


@pytest.mark.parametrize("truth", [0.3, 0.7, 1.0, 1.6, 3.0])
def test_the_factor_behind_sampled_tokens_is_recovered(truth):
    # 40,000 tokens drawn from softmax(truth · z): within five standard errors, 1/√(n · mean Var), of the truth.
    rng = torch.Generator().manual_seed(int(10 * truth))
    logits = 1.5 * torch.randn(40_000, 30, generator=rng)
    targets = torch.multinomial((truth * logits).softmax(-1), 1, generator=rng)[:, 0]
    found = fitted(logits, targets)
    (at_truth,) = losses(logits, targets, lambda h: h, (truth,))
    assert abs(found.scale - truth) < 5 / (40_000 * at_truth.curvature) ** 0.5
    assert not found.at_bound
    assert found.after <= found.before + 1e-9


@given(seed=st.integers(0, 10**6), spread=st.floats(0.2, 4), positions=st.integers(5, 60))
@settings(max_examples=40, deadline=None)
def test_the_fit_is_the_minimum_that_scipy_finds(seed, spread, positions):
    rng = np.random.default_rng(seed)
    logits = (spread * rng.standard_normal((positions, 12))).astype(np.float32)
    targets = rng.integers(12, size=positions)
    found = fitted(torch.from_numpy(logits), torch.from_numpy(targets))
    wide = logits.astype(np.float64)
    assert found.before == pytest.approx(plain(wide, targets, 1.0), rel=1e-5)
    best = optimize.minimize_scalar(
        lambda s: plain(wide, targets, s), bounds=(LOWEST, HIGHEST), method="bounded", options={"xatol": 1e-9}
    )
    assert found.after <= best.fun + 1e-6 * max(1, abs(best.fun))
    if not found.at_bound and best.x > 2 * LOWEST:
        assert found.scale == pytest.approx(best.x, rel=1e-2, abs=1e-3)


def test_derivatives_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((300, 20)), rng.integers(20, size=300)
    found = losses(torch.from_numpy(logits), torch.from_numpy(targets), lambda h: h, (0.6, 1.7))
    for factor, loss in zip((0.6, 1.7), found, strict=True):
        low, middle, high = (plain(logits, targets, factor + d) for d in (-1e-3, 0, 1e-3))
        assert loss.value == pytest.approx(middle, rel=1e-6)
        assert loss.slope == pytest.approx((high - low) / 2e-3, rel=1e-3, abs=1e-5)
        assert loss.curvature == pytest.approx((high - 2 * middle + low) / 1e-6, rel=1e-2)


def test_a_corpus_of_arg_max_tokens_or_of_least_likely_ones_has_no_best_factor():
    logits = torch.randn(50, 10, generator=torch.Generator().manual_seed(0))
    sharp, flat = fitted(logits, logits.argmax(-1)), fitted(logits, logits.argmin(-1))
    assert (sharp.scale, sharp.at_bound) == (HIGHEST, True)
    assert (flat.scale, flat.at_bound) == (LOWEST, True)


def test_equal_logits_leave_the_model_alone():
    found = fitted(torch.zeros(4, 5), torch.arange(4))
    assert (found.scale, found.at_bound) == (1.0, False)
    assert found.before == pytest.approx(np.log(5))


def test_newton_that_leaves_the_bracket_is_brought_back():
    # |s − 0.9|^1.5 has an infinite second derivative at its minimum; far from it Newton's steps overshoot.
    def evaluate(factors):
        def at(s):
            d = s - 0.9
            return Loss(abs(d) ** 1.5, 1.5 * abs(d) ** 0.5 * np.sign(d), 1e-3)

        return [at(s) for s in factors]

    assert fit_scale(evaluate).scale == pytest.approx(0.9, rel=1e-4)


def test_a_scaled_models_logits_are_the_parents_times_the_factor(tiny_model, tmp_path):
    out = tmp_path / "scaled"
    result = scale.scale_model(tiny_model, EXAMPLES, out, device="cpu")
    parent, child = (AutoModelForCausalLM.from_pretrained(p) for p in (tiny_model, out))
    ids = torch.tensor([[5, 9, 40, 77, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(child(ids).logits, result.fit.scale * parent(ids).logits, rtol=1e-4, atol=1e-4)
    assert result.fit.scale < 0.9  # a random model's own opinions are of no use on text
    assert result.weight_digest == digests.weight_digest(out) != digests.weight_digest(tiny_model)
    assert digests.config_digest(out) == digests.config_digest(tiny_model)
    assert (out / "tokenizer.json").read_bytes() == (tiny_model / "tokenizer.json").read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["scaled"]


def test_the_losses_recorded_are_those_of_training_on_the_corpus(tiny_model, tmp_path):
    result = scale.scale_model(tiny_model, EXAMPLES, tmp_path / "scaled", device="cpu")
    built = tokens.tokenise(EXAMPLES, AutoTokenizer.from_pretrained(tiny_model), 2048)
    assert (result.sequences, result.positions) == (9, built.target_tokens) == (9, result.all_positions)
    for folder, expected in ((tiny_model, result.fit.before), (tmp_path / "scaled", result.fit.after)):
        model = AutoModelForCausalLM.from_pretrained(folder)
        with torch.inference_mode():
            parts = [
                torch.nn.functional.cross_entropy(
                    model(torch.tensor([ids])).logits[0, n - 1 : -1], torch.tensor(ids[n:]), reduction="sum"
                )
                for ids, n in zip(built.input_ids, built.prompt_tokens, strict=True)
            ]
        assert float(sum(parts)) / built.target_tokens == pytest.approx(expected, rel=1e-5)


def test_a_large_corpus_is_thinned_evenly(tiny_model, monkeypatch, tmp_path):
    monkeypatch.setattr(scale, "MOST_POSITIONS", 80)
    result = scale.scale_model(tiny_model, EXAMPLES, tmp_path / "scaled", device="cpu")
    assert result.sequences < 9
    assert result.positions < result.all_positions


@pytest.mark.parametrize("change", ["offset", "cap"])
def test_an_architecture_without_linear_logits_is_refused(tiny_model, change):
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    if change == "offset":
        norm = model.model.norm
        norm.forward = lambda x: x * (1 + norm.weight)  # as in Gemma
    else:
        head = model.lm_head.forward
        model.lm_head.forward = lambda h: 30 * torch.tanh(head(h) / 30)
    before = model.model.norm.weight.clone()
    with torch.inference_mode(), pytest.raises(BadInput, match="not linear"):
        scale.check_linear(model, (5, 6, 7))
    assert torch.equal(model.model.norm.weight, before)


def test_a_folder_without_the_norm_is_refused(tiny_model, tmp_path):
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    tensors = load_file(other / "model.safetensors")
    tensors["transformer.ln_f.weight"] = tensors.pop("model.norm.weight")
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"no tensor model\.norm\.weight"):
        scale.write_scaled(other, 2.0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_to_fit_on_is_said_as_such(tiny_model, tmp_path):
    with pytest.raises(NothingToTrainOn):
        scale.scale_model(tiny_model, [], tmp_path / "out", device="cpu")
