"""Training sequences: where the loss is, where the end token is, and in which order they are used."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from harness.errors import BadInput
from harness.train import tokens
from harness.train.corpus import Example


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


def example(text: str, finished: bool, ids: tuple[int, ...] = ()) -> Example:
    return Example("k", (("user", "hi"),), text, finished, ids)


PROMPT = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def test_loss_on_the_response_alone_and_an_end_only_where_the_sample_ended(tokenizer):
    built = tokens.tokenise([example("ab", True), example("ab", False)], tokenizer, 200)
    for i, text in enumerate(["ab<|im_end|>", "ab"]):
        assert tokenizer.decode(built.input_ids[i]) == PROMPT + text
        targets = [t for t in built.labels(i) if t != tokens.IGNORE]
        assert tokenizer.decode(targets) == text
        assert len(built.labels(i)) == len(built.input_ids[i])
    assert built.ends == (True, False)
    assert built.target_tokens == 3 + 2


def test_sampled_ids_are_trained_as_they_were_drawn(tokenizer):
    eos = tokenizer.eos_token_id
    odd = (*tokenizer("a")["input_ids"], 1, eos)  # a special token in the middle, which the text would not show
    built = tokens.tokenise([example("a", True, odd)], tokenizer, 200)
    assert built.input_ids[0][built.prompt_tokens[0] :] == odd


def test_a_cut_response_loses_its_end_and_a_long_prompt_its_place(tokenizer):
    n = len(tokenizer(PROMPT, add_special_tokens=False)["input_ids"])
    built = tokens.tokenise([example("abcdef", True)], tokenizer, n + 3)
    assert (built.ends, built.truncated) == ((False,), ("k",))
    assert tokenizer.decode(built.input_ids[0]) == PROMPT + "abc"
    exact = tokens.tokenise([example("ab", True)], tokenizer, n + 3)
    assert (exact.ends, exact.truncated) == ((True,), ())
    both = tokens.tokenise([Example("long", (("user", "x" * 50),), "ab", True), example("ab", True)], tokenizer, n + 3)
    assert (both.keys, both.too_long) == (("k",), ("long",))
    with pytest.raises(BadInput, match=f"1 have a prompt of max_length={n}"):
        tokens.tokenise([example("ab", True)], tokenizer, n)


def test_no_chat_template_is_refused(tokenizer, tiny_model):
    bare = AutoTokenizer.from_pretrained(tiny_model)
    bare.chat_template = None
    with pytest.raises(BadInput, match="chat template"):
        tokens.tokenise([example("ab", True)], bare, 200)


def batch(**changes):
    good = {
        "input_ids": torch.tensor([[5, 6, 7, 0], [5, 8, 9, 4]]),
        "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]),
        "labels": torch.tensor([[-100, 6, 7, -100], [-100, 8, 9, 4]]),
    }
    return {**good, **changes}


def test_batches_with_changed_labels_are_caught():
    tokens.check_batch(batch(), 5)
    with pytest.raises(AssertionError, match="5 tokens with loss in a batch, 6 were built"):
        tokens.check_batch(batch(), 6)
    with pytest.raises(AssertionError, match="loss on padding"):
        tokens.check_batch(batch(labels=torch.tensor([[-100, 6, 7, 0], [-100, 8, 9, 4]])), 6)
    with pytest.raises(AssertionError, match="own tokens"):
        tokens.check_batch(batch(labels=torch.tensor([[-100, 7, 7, -100], [-100, 8, 9, 4]])), 5)


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=30),
    steps=st.integers(1, 20),
    size=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_examples_are_used_evenly_in_full_batches_sorted_by_length(lengths, steps, size, seed):
    n = len(lengths)
    order = tokens.schedule(n, lengths, steps, size, seed)
    assert len(order) == steps * size
    counts = Counter(order)
    assert max(counts[i] for i in range(n)) - min(counts[i] for i in range(n)) <= 1
    for start in range(0, len(order), size):
        used = [lengths[i] for i in order[start : start + size]]
        assert used == sorted(used)
    assert order == tokens.schedule(n, lengths, steps, size, seed)


def test_a_longer_schedule_begins_like_a_shorter_one():
    assert tokens.schedule(7, [1] * 7, 9, 4, 3)[:20] == tokens.schedule(7, [1] * 7, 5, 4, 3)
