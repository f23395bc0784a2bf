"""Fine-tuning a tiny random model: the loss against a plain computation, determinism, and resuming after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from harness.errors import BadInput
from harness.models import digests
from harness.spec import TrainRecipe
from harness.train import sft, tokens
from harness.train.corpus import Example

WORDS = ["def f(x):\n    return x", "for i in range(3):\n    print(i)", "a = [1, 2]\nb = a", "while True:\n    pass"]
EXAMPLES = [
    Example(f"e{i}", (("user", f"task {i}"),), WORDS[i % 4] + f"\n# {i}" * (1 + i % 3), finished=i % 3 != 0)
    for i in range(10)
]
RECIPE = TrainRecipe(
    steps=6, batch_size=4, micro_batch_size=2, learning_rate=1e-2, lora_rank=4, lora_alpha=8, max_length=128
)


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    seen = []
    out = tmp_path_factory.mktemp("trained") / "model"
    result = sft.train(tiny_model, EXAMPLES, RECIPE, 7, out, lambda *a: seen.append(a), device="cpu")
    return result, seen


def sequences(tiny_model) -> tokens.Sequences:
    from transformers import AutoTokenizer

    return tokens.tokenise(EXAMPLES, AutoTokenizer.from_pretrained(tiny_model), RECIPE.max_length)


def response_loss(model, built: tokens.Sequences, indices) -> float:
    """Mean cross-entropy per response token, one sequence at a time, without padding, batching or a trainer."""
    total = count = 0.0
    with torch.inference_mode():
        for i in indices:
            ids = torch.tensor([built.input_ids[i]])
            log_probs = model(ids).logits[0, :-1].double().log_softmax(-1)
            targets = ids[0, 1:]
            per_token = -log_probs.gather(-1, targets[:, None])[:, 0]
            response = per_token[built.prompt_tokens[i] - 1 :]
            total += float(response.sum())
            count += len(response)
    return total / count


def test_first_loss_is_the_mean_over_the_batchs_response_tokens(trained, tiny_model):
    # Catches prompt tokens in the loss, end tokens that were not sampled, and averages over micro-batches.
    result, _ = trained
    built = sequences(tiny_model)
    lengths = [len(ids) for ids in built.input_ids]
    first = tokens.schedule(len(lengths), lengths, RECIPE.steps, RECIPE.batch_size, 7)[: RECIPE.batch_size]
    parent = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert result.losses[0] == pytest.approx(response_loss(parent, built, first), rel=1e-5)


def test_training_lowers_the_loss_of_the_saved_model(trained, tiny_model):
    result, _ = trained
    built = sequences(tiny_model)
    before = response_loss(AutoModelForCausalLM.from_pretrained(tiny_model), built, range(len(built.keys)))
    after = response_loss(AutoModelForCausalLM.from_pretrained(result.path), built, range(len(built.keys)))
    assert after < before - 0.2


def test_result_counts_and_files(trained, tiny_model):
    result, seen = trained
    built = sequences(tiny_model)
    assert [s[:2] for s in seen] == [(i, 6) for i in range(1, 7)]
    assert [s[2] for s in seen] == list(result.losses)
    assert result.sequences == 10
    assert result.ended == sum(e.finished for e in EXAMPLES)
    lengths = [len(ids) for ids in built.input_ids]
    order = tokens.schedule(10, lengths, 6, 4, 7)
    assert result.sequence_tokens == sum(lengths[i] for i in order)
    assert result.target_tokens == sum(lengths[i] - built.prompt_tokens[i] for i in order)
    # rank 4 adapters on the 7 linear maps of 2 blocks: r·(in + out); q, o 32→32, k, v 32→16, gate, up 32→64, down 64→32
    per_block = 2 * (32 + 32) + 2 * (32 + 16) + 2 * (32 + 64) + (64 + 32)
    assert result.trainable_parameters == 4 * 2 * per_block
    assert result.weight_digest == digests.weight_digest(result.path) != digests.weight_digest(tiny_model)
    for same in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (result.path / same).read_bytes() == (tiny_model / same).read_bytes()
    assert not list(result.path.glob("adapter*"))
    assert [p.name for p in result.path.parent.iterdir()] == [result.path.name]


def test_a_second_call_returns_what_is_there(trained, tiny_model):
    result, _ = trained
    stamp = (result.path / "model.safetensors").stat().st_mtime_ns
    assert sft.train(tiny_model, EXAMPLES, RECIPE, 7, result.path) == result
    assert (result.path / "model.safetensors").stat().st_mtime_ns == stamp


def test_same_inputs_same_weights_and_other_seed_others(trained, tiny_model, tmp_path):
    result, _ = trained
    again = sft.train(tiny_model, EXAMPLES, RECIPE, 7, tmp_path / "again", device="cpu")
    assert (again.weight_digest, again.losses) == (result.weight_digest, result.losses)
    other = sft.train(tiny_model, EXAMPLES, RECIPE, 8, tmp_path / "other", device="cpu")
    assert other.weight_digest != result.weight_digest


def test_micro_batches_do_not_change_the_loss_curve(trained, tiny_model, tmp_path):
    # Gradient accumulation must average over tokens, not over micro-batches.
    result, _ = trained
    whole = sft.train(tiny_model, EXAMPLES, replace(RECIPE, micro_batch_size=4), 7, tmp_path / "whole", device="cpu")
    assert whole.losses == pytest.approx(result.losses, rel=1e-4)


def test_recomputing_activations_changes_no_bit(trained, tiny_model, tmp_path, monkeypatch):
    from harness.train import trainer

    result, _ = trained
    assert not trainer.arguments(RECIPE, 0, tmp_path, "cpu", 100).gradient_checkpointing
    monkeypatch.setattr(trainer, "CPU_ACTIVATION_TOKENS", 1)
    assert trainer.arguments(RECIPE, 0, tmp_path, "cpu", 100).gradient_checkpointing
    again = sft.train(tiny_model, EXAMPLES, RECIPE, 7, tmp_path / "again", device="cpu")
    assert again.weight_digest == result.weight_digest


def test_full_fine_tuning_reaches_every_parameter(tiny_model, tmp_path):
    recipe = replace(RECIPE, method="full", steps=2)
    result = sft.train(tiny_model, EXAMPLES, recipe, 0, tmp_path / "full", device="cpu")
    parent = AutoModelForCausalLM.from_pretrained(tiny_model)
    child = AutoModelForCausalLM.from_pretrained(result.path)
    assert result.trainable_parameters == sum(p.numel() for p in parent.parameters())
    changed = {name: not torch.equal(p, dict(child.named_parameters())[name]) for name, p in parent.named_parameters()}
    assert all(changed.values()), changed


def test_learning_rate_follows_warm_up_then_cosine_to_its_floor(tiny_model, tmp_path):
    # One weight without decay and a constant gradient would show it directly; the scheduler itself is asked instead.
    from transformers import get_scheduler

    from harness.train import trainer

    recipe = TrainRecipe(steps=100, learning_rate=1.0, warmup_ratio=0.1, min_lr_ratio=0.2)
    args = trainer.arguments(recipe, 0, tmp_path, "cpu", 100)
    assert (args.adam_beta1, args.adam_beta2, args.weight_decay) == (0.9, 0.95, 0.1)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=args.learning_rate)
    scheduler = get_scheduler(
        args.lr_scheduler_type,
        optimiser,
        args.get_warmup_steps(100),
        100,
        scheduler_specific_kwargs=args.lr_scheduler_kwargs,
    )
    rates = []
    for _ in range(100):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    rates.append(optimiser.param_groups[0]["lr"])
    assert rates[5] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx((1 + 0.2) / 2)  # half of the cosine's way
    assert rates[100] == pytest.approx(0.2)


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[4])
import test_sft as t
delay = float(sys.argv[3])
t.sft.train(Path(sys.argv[1]), t.EXAMPLES, t.LONG, 7, Path(sys.argv[2]),
            lambda step, total, loss: (print(step, flush=True), time.sleep(delay)), device="cpu")
"""

LONG = replace(RECIPE, steps=16, lora_dropout=0.1)


def start(tiny_model: Path, out: Path, delay: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(tiny_model), str(out), str(delay), str(Path(__file__).parent)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_killed_and_resumed_training_gives_the_same_weights(tiny_model, tmp_path):
    whole = start(tiny_model, tmp_path / "whole", 0)
    assert whole.wait() == 0
    whole_steps = whole.stdout.read().split()

    broken = start(tiny_model, tmp_path / "broken", 0.2)
    for line in broken.stdout:
        if line.strip() == "7":
            break
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    assert not (tmp_path / "broken").exists()
    partial = tmp_path / "broken.partial"
    (partial / "checkpoints" / "checkpoint-7").mkdir()  # a checkpoint cut while being written: no mark, must be ignored
    (partial / "checkpoints" / "checkpoint-7" / "trainer_state.json").write_text("{")

    resumed = start(tiny_model, tmp_path / "broken", 0)
    assert resumed.wait() == 0
    steps = resumed.stdout.read().split()
    assert steps[0] == "7"  # checkpoints are every two steps: nothing before the sixth is done again
    assert whole_steps == [str(i) for i in range(1, 17)]
    assert not partial.exists()
    one, two = (sft.load_result(tmp_path / name) for name in ("whole", "broken"))
    assert (one.weight_digest, one.losses) == (two.weight_digest, two.losses)
    files = {
        name: (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()
        for name in os.listdir(tmp_path / "whole")
    }
    assert all(files.values()), files


def test_remains_of_other_inputs_are_not_used(tiny_model, tmp_path):
    out = tmp_path / "model"
    partial = tmp_path / "model.partial"
    (partial / "checkpoints" / "checkpoint-2").mkdir(parents=True)
    (partial / "checkpoints" / "checkpoint-2" / sft.WHOLE).touch()
    (partial / "inputs.json").write_text(json.dumps({"seed": 1}))
    result = sft.train(tiny_model, EXAMPLES, replace(RECIPE, steps=1), 7, out, device="cpu")
    assert len(result.losses) == 1


def test_a_diverging_run_says_so(tiny_model, tmp_path):
    recipe = replace(RECIPE, learning_rate=1e30, warmup_ratio=0.0, max_grad_norm=1e30, method="full")
    with pytest.raises(sft.TrainingDiverged, match="learning_rate=1e"):
        sft.train(tiny_model, EXAMPLES, recipe, 7, tmp_path / "model", device="cpu")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "bad",
    [{"steps": 0}, {"micro_batch_size": 3}, {"learning_rate": 0.0}, {"warmup_ratio": 1.0}, {"min_lr_ratio": -0.1}],
)
def test_recipes_that_cannot_run_are_refused_by_name(bad, tiny_model, tmp_path):
    (key,) = bad
    with pytest.raises(BadInput, match=f"train.{key}="):
        sft.train(tiny_model, EXAMPLES, replace(RECIPE, **bad), 7, tmp_path / "model")
