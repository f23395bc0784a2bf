"""The entropy objective against torch.distributions, and what training on it does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import BadInput
from harness.spec import TrainRecipe
from harness.train import sft, tokens
from harness.train.corpus import Example
from harness.train.objective import mean_entropy

TEXTS = ["def f(x):\n    return x", "for i in range(3):\n    print(i)", "a = [1, 2]\nb = a\n# twice"]
EXAMPLES = [
    Example(f"e{i}", (("user", f"task {i}"),), TEXTS[i % 3] + f"\n# {i}" * (1 + i % 3), finished=i % 3 != 0)
    for i in range(8)
]
ENTROPY = TrainRecipe(
    steps=6,
    batch_size=4,
    micro_batch_size=2,
    learning_rate=1e-2,
    lora_rank=4,
    lora_alpha=8,
    max_length=128,
    objective="entropy",
)


def sequences(tiny_model) -> tokens.Sequences:
    return tokens.tokenise(EXAMPLES, AutoTokenizer.from_pretrained(tiny_model), ENTROPY.max_length)


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    return sft.train(tiny_model, EXAMPLES, ENTROPY, 7, tmp_path_factory.mktemp("entropy") / "model", device="cpu")


def response_entropy(model, built: tokens.Sequences, indices) -> torch.Tensor:
    """Mean entropy per response position by torch.distributions, one sequence at a time, without padding."""
    found = []
    for i in indices:
        logits = model(torch.tensor([built.input_ids[i]])).logits[0, built.prompt_tokens[i] - 1 : -1]
        found.append(torch.distributions.Categorical(logits=logits).entropy())
    return torch.cat(found).mean()


def test_first_loss_is_the_mean_entropy_over_the_batchs_response_positions(trained, tiny_model):
    built = sequences(tiny_model)
    lengths = [len(ids) for ids in built.input_ids]
    first = tokens.schedule(len(lengths), lengths, ENTROPY.steps, ENTROPY.batch_size, 7)[: ENTROPY.batch_size]
    with torch.inference_mode():
        expected = response_entropy(AutoModelForCausalLM.from_pretrained(tiny_model), built, first)
    assert trained.losses[0] == pytest.approx(float(expected), rel=1e-5)


def test_gradients_are_those_of_torch_distributions(tiny_model):
    # What OrderedTrainer differentiates: TRL's tiled head. A padded batch against plain sequences.
    from trl.trainer.utils import add_fused_lm_head

    built = sequences(tiny_model)
    plain = AutoModelForCausalLM.from_pretrained(tiny_model)
    response_entropy(plain, built, range(4)).backward()
    tiled = AutoModelForCausalLM.from_pretrained(tiny_model)
    add_fused_lm_head(tiled, outputs=("log_probs", "entropy"))
    longest = max(len(ids) for ids in built.input_ids[:4])

    def padded(rows, fill):
        return torch.tensor([list(r) + [fill] * (longest - len(r)) for r in rows])

    rows = built.input_ids[:4]
    labels = padded([built.labels(i) for i in range(4)], tokens.IGNORE)
    mask = padded([[1] * len(r) for r in rows], 0)
    out = tiled(input_ids=padded(rows, 0), attention_mask=mask, labels=labels, fused_lm_head=True)
    mean_entropy(out.entropy, out.label_mask, None).backward()
    for name, parameter in plain.named_parameters():
        other = tiled.get_parameter(name).grad
        torch.testing.assert_close(other, parameter.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_a_batchs_mean_is_the_sum_of_its_micro_batches_shares():
    entropy, mask = torch.rand(4, 9), torch.rand(4, 9) > 0.4
    whole = mean_entropy(entropy, mask, None)
    count = int(mask.sum())
    shares = [mean_entropy(entropy[i : i + 2], mask[i : i + 2], count) for i in (0, 2)]
    torch.testing.assert_close(sum(shares), whole)
    torch.testing.assert_close(whole, entropy[mask].mean())
    assert float(mean_entropy(entropy, torch.zeros_like(mask), None)) == 0.0


def test_training_lowers_the_entropy_and_cares_for_no_token(trained, tiny_model):
    built = sequences(tiny_model)
    with torch.inference_mode():
        before, after = (
            float(response_entropy(AutoModelForCausalLM.from_pretrained(path), built, range(len(built.keys))))
            for path in (tiny_model, trained.path)
        )
    assert after < before - 0.2


def test_interrupted_and_resumed_training_gives_the_same_weights(trained, tiny_model, tmp_path):
    def interrupt(step, total, loss):
        if step == 4:
            raise KeyboardInterrupt

    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        sft.train(tiny_model, EXAMPLES, ENTROPY, 7, out, interrupt, device="cpu")
    seen = []
    resumed = sft.train(tiny_model, EXAMPLES, ENTROPY, 7, out, lambda *a: seen.append(a[0]), device="cpu")
    assert seen[0] > 1
    assert (resumed.weight_digest, resumed.losses) == (trained.weight_digest, trained.losses)


def test_cross_entropy_trains_another_model(trained, tiny_model, tmp_path):
    recipe = replace(ENTROPY, objective="cross_entropy")
    other = sft.train(tiny_model, EXAMPLES, recipe, 7, tmp_path / "model", device="cpu")
    assert other.losses[0] > trained.losses[0]
    assert other.weight_digest != trained.weight_digest


def test_an_unknown_objective_is_refused(tiny_model, tmp_path):
    with pytest.raises(BadInput, match=r"train\.objective=accuracy"):
        sft.train(tiny_model, EXAMPLES, replace(ENTROPY, objective="accuracy"), 0, tmp_path / "out", device="cpu")
