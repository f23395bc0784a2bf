"""The catalogue against the paper's tables, the published configurations and each other's entries."""

from __future__ import annotations

import re
from functools import cache

import pytest

from harness.config import options, resolve
from harness.errors import BadInput
from harness.models import catalogue
from harness.models.architecture import Architecture, from_config
from harness.spec import Policy

PAPERS = sorted(n for n in catalogue.names() if n not in ("smollm2_135m", "custom"))
RELEASED = {
    "simplesd_4b_instruct": "qwen3_4b_instruct",
    "simplesd_4b_thinking": "qwen3_4b_thinking",
    "simplesd_30b_instruct": "qwen3_30b_instruct",
}

# arXiv:2604.01193, Tables 3 and 4: (T, top-k, top-p) of the corpus, of SSD's evaluation and of the base.
TABLES = {
    "llama31_8b_instruct": ((0.8, 20, 0.8), (0.7, 20, 0.8), (0.9, 0, 0.8)),
    "qwen3_4b_instruct": ((1.6, 20, 0.8), (1.1, 20, 0.8), (0.7, 20, 0.8)),
    "qwen3_4b_thinking": ((1.1, 20, 0.95), (0.7, 20, 0.95), (0.6, 20, 0.95)),
    "qwen3_30b_instruct": ((1.6, 20, 0.8), (0.9, 20, 0.8), (0.7, 20, 0.8)),
    "qwen3_30b_thinking": ((1.2, 20, 0.95), (0.7, 20, 0.95), (0.6, 20, 0.95)),
    "gpt_oss_20b": ((1.2, 0, 1.0), (1.0, 20, 0.95), (1.0, 0, 1.0)),
}


@cache
def config(name: str, *more: str):
    return resolve(["ablation=matched_decoding", f"model={name}", "task=starter", "scale=full", *more])


@pytest.mark.parametrize("name", sorted(TABLES))
def test_decoding_is_the_papers(name):
    decoding = config(name).model.decoding
    train, evaluation, base = (Policy.single(*row) for row in TABLES[name])
    assert (decoding.train, decoding.eval, decoding.base) == (train, evaluation, base)
    assert decoding.two_stage == Policy(train.stages + evaluation.stages)


@pytest.mark.parametrize("name", PAPERS)
def test_the_schedule_is_the_papers(name):
    thinking = config(name).model.answer != "plain"
    train = config(name).train
    assert (train.steps, train.save_steps) == ((300, 50) if thinking else (2500, 250))
    assert round(train.warmup_ratio * train.steps) == (50 if thinking else 250)
    assert train.learning_rate == 5e-6
    assert train.learning_rate * train.min_lr_ratio == pytest.approx(1e-6)
    assert (train.batch_size, train.max_length, train.betas, train.weight_decay) == (32, 65536, (0.9, 0.95), 0.1)
    assert (train.method, train.checkpoint) == ("full", "last")


@pytest.mark.parametrize("name", PAPERS)
def test_one_command_chooses_engine_recipe_limits_and_pool(name):
    chosen = config(name)
    assert chosen.engine.name == "vllm"
    assert chosen.tasks[0].max_new_tokens == chosen.scale.train_max_new_tokens == 65536
    assert chosen.scale.pool == "rstar_coder"


def test_what_the_user_says_goes_before_the_catalogue():
    chosen = config("qwen3_4b_instruct", "train=lora", "scale.train_steps=7", "scale.max_new_tokens.default=99")
    assert (chosen.train.method, chosen.train.steps, chosen.tasks[0].max_new_tokens) == ("lora", 7, 99)
    chosen = resolve(["ablation=matched_decoding", "model=qwen3_4b_instruct", "scale=smoke", "engine=transformers"])
    assert (chosen.engine.name, chosen.train.steps, chosen.scale.pool) == ("transformers", 2, "starter_pool")


def test_models_without_a_schedule_keep_the_scales():
    chosen = config("smollm2_135m", "train=paper")
    assert (chosen.train.steps, chosen.scale.pool, chosen.tasks[0].max_new_tokens) == (256, "starter_pool", 1024)


def test_revisions_are_commits_or_said_to_be_missing():
    revisions = {name: catalogue.published(name).revision for name in PAPERS}
    unpinned = {name for name, revision in revisions.items() if not revision}
    assert unpinned == set(RELEASED)
    assert all(re.fullmatch("[0-9a-f]{40}", r) for r in revisions.values() if r)
    assert len(set(revisions.values()) - {""}) == len(PAPERS) - len(unpinned)


def test_every_entry_has_both_files():
    assert set(catalogue.names()) == set(options("model")) - {"custom"}


@pytest.mark.parametrize(("released", "base"), sorted(RELEASED.items()))
def test_released_weights_are_paired_with_their_base(released, base):
    from_base = catalogue.released_pair(catalogue.published(base).source)
    assert from_base == catalogue.released_pair(catalogue.published(released).source)
    assert (from_base.base, from_base.released) == (catalogue.published(base), catalogue.published(released))
    assert from_base.decoding == config(base).model.decoding == config(released).model.decoding


def test_models_without_released_weights_say_which_have_some():
    with pytest.raises(BadInput, match=r"qwen3_30b_instruct or qwen3_4b_instruct or qwen3_4b_thinking"):
        catalogue.released_pair("meta-llama/Llama-3.1-8B-Instruct")
    with pytest.raises(BadInput, match="did you mean 'gpt_oss_20b'"):
        catalogue.published("gpt_oss_20")


def count(configuration) -> int:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return sum(p.numel() for p in AutoModelForCausalLM.from_config(configuration).parameters())


def published_configuration(name: str):
    """What the model's config.json says of shape, by the library that builds it."""
    import transformers as hf

    shape = catalogue.architecture(name, "")
    assert shape is not None
    shared = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "tie_word_embeddings": shape.tied,
    }
    if name.startswith("qwen3_30b"):
        experts = {"num_experts": shape.experts, "num_experts_per_tok": shape.experts_chosen}
        width = shape.intermediate // shape.experts_chosen
        return hf.Qwen3MoeConfig(**shared, **experts, moe_intermediate_size=width)
    if name == "gpt_oss_20b":
        width = shape.intermediate // shape.experts_chosen
        experts = {"num_local_experts": shape.experts, "num_experts_per_tok": shape.experts_chosen}
        return hf.GptOssConfig(**shared, **experts, intermediate_size=width)
    kind = hf.Qwen3Config if name.startswith("qwen3") else hf.LlamaConfig
    return kind(**shared, intermediate_size=shape.intermediate)


@pytest.mark.parametrize(
    "name", ["smollm2_135m", "qwen3_4b_instruct", "qwen3_30b_instruct", "llama31_8b_instruct", "gpt_oss_20b"]
)
def test_parameters_are_those_of_the_model_built_from_the_shape(name):
    shape = catalogue.architecture(name, "")
    configuration = published_configuration(name)
    assert count(configuration) == shape.parameters
    if shape.experts:
        # All experts are alike, so a model with one expert less a block tells what one has.
        field = "num_experts" if hasattr(configuration, "moe_intermediate_size") else "num_local_experts"
        setattr(configuration, field, shape.experts - 1)
        one = shape.parameters - count(configuration)  # with its row of the router
        spared = (shape.experts - shape.experts_chosen) * one
        assert shape.active_parameters == pytest.approx(shape.parameters - spared, rel=5e-3)


def test_numbers_that_others_print():
    # An independent calculator gives 384 MiB and 3 GiB for 4,096 and 32,768 tokens of Qwen3-30B-A3B in bfloat16.
    moe = catalogue.architecture("qwen3_30b_instruct", "")
    assert moe.cache_bytes(4096) == 384 * 2**20
    assert moe.cache_bytes(32768) == 3 * 2**30
    assert moe.weight_bytes == 61_064_245_248
    # gpt-oss: half of the blocks look back on 128 tokens only.
    windowed = catalogue.architecture("gpt_oss_20b", "")
    assert windowed.cache_bytes(128) == 24 * 2048 * 128
    assert windowed.cache_bytes(1024) == 12 * 2048 * (1024 + 128)


def test_a_batch_of_one_reads_the_active_weights_and_a_large_one_all():
    moe = catalogue.architecture("qwen3_30b_instruct", "")
    assert moe.read_bytes(1) == pytest.approx(2 * moe.active_parameters)
    assert moe.read_bytes(10_000) == pytest.approx(moe.weight_bytes)
    assert moe.read_bytes(1) < moe.read_bytes(8) < moe.read_bytes(64) < moe.weight_bytes
    dense = catalogue.architecture("qwen3_4b_instruct", "")
    assert dense.read_bytes(1) == dense.read_bytes(100) == dense.weight_bytes


def test_forward_flops_of_a_dense_model_by_hand():
    shape = Architecture(
        parameters=100, layers=2, hidden=3, intermediate=4, heads=5, kv_heads=5, head_dim=7, vocabulary=10
    )
    assert shape.forward_flops(11) == 2 * (100 - 30) + 4 * 5 * 7 * 2 * 11


def test_a_folder_of_weights_has_an_architecture(tiny_model):
    shape = catalogue.architecture("custom", str(tiny_model))
    assert shape == from_config(tiny_model)
    assert shape.parameters == 35168
    assert shape.weight_bytes == (tiny_model / "model.safetensors").stat().st_size
    assert catalogue.architecture("custom", "someone/some-model") is None
    with pytest.raises(BadInput, match="no architecture"):
        from_config(tiny_model.parent)
