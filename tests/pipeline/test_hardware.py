"""Rooflines and memory by hand, and what must hold between them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.models import catalogue
from harness.models.architecture import Architecture
from harness.pipeline import hardware
from harness.pipeline.memory import checkpoint_bytes, trained_parameters, training_memory
from harness.spec import TrainRecipe

H100 = hardware.device("h100")
PAPER = TrainRecipe(
    method="full", batch_size=32, micro_batch_size=1, max_length=65536, dtype="bfloat16", processes=8, sharding="fsdp"
)
GIB = 2**30


def shape(name: str) -> Architecture:
    found = catalogue.architecture(name, "")
    assert found is not None
    return found


def test_decoding_rate_of_a_dense_model_by_hand():
    model = shape("qwen3_4b_instruct")
    found = hardware.decoding(model, H100, "vllm", expected=6000, limit=65536)
    assert found is not None
    cache = 0.9 * 80 - 2 - 8_044_936_192 / GIB  # a share of the memory, less libraries and two bytes a parameter
    assert found.cache_gib == pytest.approx(cache)
    each = 36 * 2 * 8 * 128 * 2  # blocks × (keys, values) × heads × width × bytes
    sequences = int(cache * GIB / (6700 * each))
    assert (found.tensor_parallel, found.sequences) == (1, sequences)
    assert found.sequences_at_limit == int(cache * GIB / (66236 * each))
    moved = 8_044_936_192 + sequences * 3700 * each
    assert found.tokens_per_second == pytest.approx(sequences / (moved / (3.35e12 * 0.6) + 0.005))


def test_a_model_that_leaves_no_room_on_one_device_is_split():
    found = hardware.decoding(shape("qwen3_30b_instruct"), H100, "vllm", expected=6000, limit=65536)
    assert found is not None
    assert found.tensor_parallel == 2  # 61 GB of weights on 80 GiB leave room for two sequences at the limit
    alone = hardware.decoding(shape("qwen3_30b_instruct"), hardware.device("h200"), "vllm", expected=6000, limit=65536)
    assert alone is not None
    assert alone.tensor_parallel == 1
    assert alone.tokens_per_second > found.tokens_per_second_per_device


def test_what_is_not_reckoned_with():
    assert hardware.decoding(shape("qwen3_4b_instruct"), H100, "openai", expected=1, limit=1) is None
    huge = replace(shape("qwen3_4b_instruct"), weight_bytes=8 * 80 * GIB)
    assert hardware.decoding(huge, H100, "vllm", expected=1, limit=1) is None
    with pytest.raises(BadInput, match=r"plan\.gpu=h10: no such device; did you mean 'h100'"):
        hardware.device("h10")


@given(st.integers(64, 30_000), st.integers(64, 30_000))
def test_longer_answers_are_not_faster(one, two):
    short, long = sorted((one, two))
    model = shape("qwen3_4b_instruct")
    rates = [hardware.decoding(model, H100, "vllm", expected=n, limit=32_768) for n in (short, long)]
    assert rates[0] is not None
    assert rates[1] is not None
    assert rates[0].tokens_per_second >= 0.99 * rates[1].tokens_per_second
    assert rates[0].sequences >= rates[1].sequences


def test_training_rate_by_hand():
    model = shape("qwen3_4b_instruct")
    forward = 2 * 4_022_468_096 + 4 * 32 * 128 * 36 * 1500
    rate = hardware.training_tokens_per_second(model, H100, length=3000, method="full")
    assert rate == pytest.approx(0.35 * 989e12 / (4 * forward))
    assert hardware.training_tokens_per_second(model, H100, length=3000, method="lora") == pytest.approx(rate * 4 / 3)
    assert hardware.reading_tokens_per_second(model, H100, length=3000) == pytest.approx(4 * rate)


def test_training_memory_by_hand():
    found = training_memory(shape("qwen3_4b_instruct"), PAPER, H100)
    assert found.states_gib == pytest.approx(16 * 4_022_468_096 / 8 / GIB)  # ZeRO: 16 bytes a parameter, shared out
    borders = 4 * 36 * 65536 * 2560
    block = 2 * 65536 * (2 * (2 * 128 * (32 + 8) + 4 * 9728) + 4 * 2560)
    assert found.activations_gib == pytest.approx((borders + block) / GIB)
    assert found.total_gib == pytest.approx(found.states_gib + found.activations_gib + found.gathered_gib)
    assert found.fits
    assert found.longest == 65536


def test_the_30b_recipe_does_not_fit_and_the_ways_out_do():
    model = shape("qwen3_30b_instruct")
    found = training_memory(model, PAPER, H100)
    assert not found.fits
    assert found.total_gib > found.usable_gib
    assert training_memory(model, replace(PAPER, max_length=found.longest), H100).fits
    assert not training_memory(model, replace(PAPER, max_length=2 * found.longest), H100).fits
    assert training_memory(model, replace(PAPER, processes=found.fewest_devices), H100).fits
    assert training_memory(model, PAPER, hardware.device("h200")).fits
    # With whole copies in every process no number of devices helps.
    copies = training_memory(model, replace(PAPER, sharding="ddp"), H100)
    assert (copies.fits, copies.fewest_devices) == (False, 0)
    assert copies.host_gib == found.host_gib == pytest.approx(8 * 4 * model.parameters / GIB)  # each reads them all


def test_adapters_have_as_many_parameters_as_peft_makes(tiny_model):
    import torch
    from peft import get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    from harness.models.architecture import from_config
    from harness.train.trainer import lora

    recipe = TrainRecipe(lora_rank=4)
    with torch.device("meta"):
        model = get_peft_model(AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tiny_model)), lora(recipe))
    made = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained_parameters(from_config(tiny_model), recipe) == made == 4096
    assert checkpoint_bytes(from_config(tiny_model), recipe) == 12 * made
    assert checkpoint_bytes(from_config(tiny_model), replace(recipe, method="full")) == 12 * 35168
