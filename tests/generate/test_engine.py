"""The transformers engine against ``model.generate``, and its own promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from harness.canonical import key64
from harness.errors import BadInput, MissingCapability
from harness.generate import kv_cache
from harness.generate.api import Request
from harness.generate.engine import TransformersEngine, cache_bytes_per_token
from harness.spec import Policy, Stage

PROMPTS = ["short", "a somewhat longer prompt", "def f(x):", "x", "the longest of all the prompts here, by far"]
SAMPLED = Policy.single(1.5, 20, 0.95)


@pytest.fixture(scope="module")
def engine(tiny_model):
    return TransformersEngine.load(tiny_model, device="cpu")


def requests(samples: int = 3, prompts=PROMPTS) -> list[Request]:
    return [
        Request(key=p, noise_keys=tuple(key64(0, p, j) for j in range(samples)), messages=(("user", p),))
        for p in prompts
    ]


def bare_generate(engine, request, max_new_tokens, **kwargs):
    ids = torch.tensor([engine.encode(request)])
    out = engine.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens, do_sample=False, **kwargs
    )
    return out[0, ids.shape[1] :].tolist()


def test_greedy_equals_model_generate_token_for_token(engine):
    batch = requests(samples=2)
    completions = engine.generate(batch, Policy.single(0.0), 60)
    for request in batch:
        first, second = (c for c in completions if c.key == request.key)
        assert list(first.token_ids) == bare_generate(engine, request, 60)
        assert first.token_ids == second.token_ids
        assert first.finish == ("stop" if first.token_ids[-1] in engine.stop_ids else "length")


def test_some_samples_stop_and_some_are_cut(engine):
    # Otherwise the tests below would not exercise rows leaving the batch.
    finishes = [c.finish for c in engine.generate(requests(20), SAMPLED, 60)]
    assert {"stop", "length"} == set(finishes)


def test_a_sample_is_the_same_alone_and_in_any_batch(engine):
    together = engine.generate(requests(12), SAMPLED, 60)
    for request in requests(12):
        alone = engine.generate([request], SAMPLED, 60)
        assert alone == [c for c in together if c.key == request.key]
    reversed_batch = engine.generate(requests(12)[::-1], SAMPLED, 60)
    assert sorted(reversed_batch, key=lambda c: (c.key, c.index)) == sorted(together, key=lambda c: (c.key, c.index))


def test_passes_over_one_batch_do_not_change_samples(engine, tiny_model):
    small = TransformersEngine.load(tiny_model, device="cpu", max_batch_rows=4)
    assert small.generate(requests(6), SAMPLED, 40) == engine.generate(requests(6), SAMPLED, 40)


def test_samples_of_one_prompt_differ_and_keys_decide_them(engine):
    (request,) = requests(8, prompts=["x"])
    drawn = engine.generate([request], SAMPLED, 40)
    assert len({c.token_ids for c in drawn}) == 8
    swapped = engine.generate([replace(request, noise_keys=request.noise_keys[::-1])], SAMPLED, 40)
    assert [c.token_ids for c in swapped] == [c.token_ids for c in drawn[::-1]]


def test_completions_come_in_order_with_text_and_lengths(engine):
    batch = requests(2)
    completions = engine.generate(batch, SAMPLED, 40)
    assert [(c.key, c.index) for c in completions] == [(r.key, i) for r in batch for i in range(2)]
    for completion, request in zip(completions, [r for r in batch for _ in range(2)], strict=True):
        assert completion.prompt_tokens == len(engine.encode(request))
        assert 1 <= len(completion.token_ids) <= 40
        assert "<|im_end|>" not in completion.text
        assert engine.stop_ids.isdisjoint(completion.token_ids[:-1])


def test_prompt_is_the_chat_template_with_the_turn_opened(engine):
    request = Request("k", (1,), messages=(("system", "be brief"), ("user", "hi")))
    assert engine.tokenizer.decode(engine.encode(request)) == (
        "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert engine.tokenizer.decode(engine.encode(Request("k", (1,), text="raw"))) == "raw"


def test_a_resumed_run_repeats_the_plan(engine, tiny_model):
    batch = requests(5)
    again = TransformersEngine.load(tiny_model, device="cpu")
    assert engine.plan(batch, 64) == again.plan(batch, 64)
    small = TransformersEngine.load(tiny_model, device="cpu", max_batch_rows=10)
    assert [len(b) for b in small.plan(batch, 64)] == [2, 2, 1]


@pytest.mark.parametrize("decoding", [SAMPLED, Policy((Stage(1.6, 20, 0.8), Stage(0.9, 5, 0.9)))])
def test_first_tokens_follow_the_policy_law(engine, decoding):
    from scipy import stats

    from harness.generate import policy

    request = Request("law", tuple(range(4000)), messages=(("user", "law"),))
    drawn = torch.tensor([c.token_ids[0] for c in engine.generate([request], decoding, 1)])
    with torch.inference_mode():
        logits = engine.model(torch.tensor([engine.encode(request)])).logits[:, -1]
    expected = policy.log_probabilities(logits, decoding)[0].double().exp()
    counts = torch.bincount(drawn, minlength=len(expected)).double()
    assert counts[expected == 0].sum() == 0
    seen = expected * 4000 >= 5
    observed, predicted = counts[seen], expected[seen] * 4000
    assert stats.chisquare(observed.numpy(), (predicted * observed.sum() / predicted.sum()).numpy()).pvalue > 1e-5


def test_progress_counts_every_token(engine):
    seen: list[int] = []
    engine.on_tokens = seen.append
    completions = engine.generate(requests(4), SAMPLED, 30)
    engine.on_tokens = None
    assert sum(seen) == sum(len(c.token_ids) for c in completions)


def test_bfloat16_runs(tiny_model):
    engine = TransformersEngine.load(tiny_model, device="cpu", dtype="bfloat16")
    assert engine.describe()["dtype"] == "bfloat16"
    assert len(engine.generate(requests(2), SAMPLED, 8)) == 10


def test_description_says_what_a_record_needs(engine):
    described = engine.describe()
    assert described["device"] == "cpu"
    assert described["threads"] == str(torch.get_num_threads())
    assert described["torch"] == torch.__version__
    assert len(described["chat_template_digest"]) == 64


def test_cache_bytes_by_hand(engine):
    # 2 (keys, values) · 2 layers · 2 key-value heads · head size 32/4 · 4 bytes
    assert cache_bytes_per_token(engine.model) == 2 * 2 * 2 * 8 * 4


def test_rows_leaving_keep_the_others():
    assert kv_cache.survivors(5, [1, 4]) == ([3], [1], [0, 3, 2])
    assert kv_cache.survivors(4, [0, 1, 2]) == ([3], [0], [3])
    assert kv_cache.survivors(3, [2]) == ([], [], [0, 1])


def test_sliding_window_layers_decode_as_the_library_does(engine):
    # Layers other than full attention keep the library's own cache. Mixed here; the window is shorter than the prompts.
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(engine.tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        use_sliding_window=True,
        sliding_window=16,
        layer_types=["full_attention", "sliding_attention"],
        initializer_range=0.2,
        eos_token_id=engine.tokenizer.eos_token_id,
        bos_token_id=None,
    )
    mixed = TransformersEngine(Qwen2ForCausalLM(config).eval(), engine.tokenizer)
    batch = requests(1)
    for completion, request in zip(mixed.generate(batch, Policy.single(0.0), 40), batch, strict=True):
        assert list(completion.token_ids) == bare_generate(mixed, request, 40)
    together = mixed.generate(requests(12), SAMPLED, 40)
    assert mixed.generate(requests(12)[2:3], SAMPLED, 40) == together[24:36]


def test_bad_requests_get_one_clear_line(engine, tmp_path):
    with pytest.raises(BadInput, match="messages or text"):
        engine.encode(Request("k", (1,)))
    with pytest.raises(BadInput, match="max_new_tokens=0"):
        engine.generate(requests(1), SAMPLED, 0)
    with pytest.raises(BadInput, match="context of 2048"):
        engine.generate(requests(1), SAMPLED, 2040)
    with pytest.raises(BadInput, match="cannot be loaded"):
        TransformersEngine.load(tmp_path, device="cpu")
    with pytest.raises(BadInput, match="device=tpu"):
        TransformersEngine.load(tmp_path, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(MissingCapability, match="no CUDA device"):
            TransformersEngine.load(tmp_path, device="cuda")


def test_no_requests_no_completions(engine):
    assert engine.generate([], SAMPLED, 5) == []
