"""Training sequences: prompt ids without loss, response ids with it.

Built here, not by a trainer's own preprocessing, because silent changes there (prompt tokens in the loss, an end token
added to a sample that never ended) change what is being tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.canonical import text_digest
from harness.errors import BadInput
from harness.train.corpus import Example, NothingToTrainOn

IGNORE = -100
"""The label that torch's cross-entropy leaves out."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """Tokenised examples.

    ``input_ids[i]`` is prompt then response; the first ``prompt_tokens[i]`` labels are :data:`IGNORE`. ``truncated``
    holds keys cut at the length limit, ``too_long`` keys left out because their prompt alone reaches it.
    """

    keys: tuple[str, ...]
    input_ids: tuple[tuple[int, ...], ...]
    prompt_tokens: tuple[int, ...]
    ends: tuple[bool, ...]
    truncated: tuple[str, ...]
    too_long: tuple[str, ...]

    def labels(self, i: int) -> list[int]:
        """Labels of sequence ``i``, as long as its ids."""
        n = self.prompt_tokens[i]
        return [IGNORE] * n + list(self.input_ids[i][n:])

    @property
    def target_tokens(self) -> int:
        """Tokens with loss in one pass over the sequences."""
        return sum(len(ids) - n for ids, n in zip(self.input_ids, self.prompt_tokens, strict=True))


def tokenise(examples: Sequence[Example], tokenizer: Any, max_length: int) -> Sequences:
    """Tokenise examples for supervised fine-tuning.

    The prompt is the chat template with the assistant's turn opened, as in sampling. The response is the sampled ids,
    or its text tokenised, with the end token where the sample finished by itself and was not cut here.

    Args:
        examples: the corpus.
        tokenizer: the parent's tokenizer.
        max_length: tokens of a sequence at most; the response's tail is cut.

    Raises:
        BadInput: where there is no chat template.
        NothingToTrainOn: where nothing is left to train on.
    """
    if not tokenizer.chat_template:
        raise BadInput("this model has no chat template to train responses in: use an instruct model")
    keys: list[str] = []
    input_ids: list[tuple[int, ...]] = []
    prompt_tokens: list[int] = []
    ends: list[bool] = []
    truncated: list[str] = []
    too_long: list[str] = []
    for example in examples:
        prompt = _prompt_ids(example, tokenizer)
        response = _response_ids(example, tokenizer)
        if len(prompt) >= max_length:
            too_long.append(example.key)
            continue
        if not response:
            continue
        room = max_length - len(prompt)
        if len(response) > room:
            truncated.append(example.key)
        keys.append(example.key)
        input_ids.append((*prompt, *response[:room]))
        prompt_tokens.append(len(prompt))
        ends.append(example.finished and len(response) <= room)
    if not keys:
        raise NothingToTrainOn(
            f"nothing to train on: of {len(examples)} examples {len(too_long)} have a prompt of "
            f"max_length={max_length} tokens or more, and the rest have no response"
        )
    return Sequences(
        tuple(keys), tuple(input_ids), tuple(prompt_tokens), tuple(ends), tuple(truncated), tuple(too_long)
    )


def _prompt_ids(example: Example, tokenizer: Any) -> list[int]:
    turns = [{"role": role, "content": content} for role, content in example.messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _response_ids(example: Example, tokenizer: Any) -> list[int]:
    if example.token_ids:
        return list(example.token_ids)
    ids = list(tokenizer(example.text, add_special_tokens=False)["input_ids"])
    return [*ids, tokenizer.eos_token_id] if example.finished and ids else ids


def check_batch(batch: dict[str, Any], expected_targets: int) -> None:
    """Assert on a collated batch what training relies on: no loss on padding, and as many targets as were built.

    Args:
        batch: ``input_ids``, ``attention_mask`` and ``labels``, each ``[rows, length]``.
        expected_targets: tokens with loss over the batch.

    Raises:
        AssertionError: where the collator changed the labels.
    """
    labels, mask, ids = batch["labels"], batch["attention_mask"], batch["input_ids"]
    targets = labels != IGNORE
    if int((targets & (mask == 0)).sum()):
        raise AssertionError("loss on padding")
    if int(targets.sum()) != expected_targets:
        raise AssertionError(f"{int(targets.sum())} tokens with loss in a batch, {expected_targets} were built")
    if bool((labels[targets] != ids[targets]).any()):
        raise AssertionError("labels are not the sequence's own tokens")


def schedule(n: int, lengths: Sequence[int], steps: int, batch_size: int, seed: int) -> list[int]:
    """Which example is used when: ``steps`` × ``batch_size`` indices below ``n``.

    Every epoch is a fresh permutation; batches run over epoch borders, so all are full. Within a batch, examples are in
    order of length, which leaves the batch's gradient as it is and wastes less padding in micro-batches.
    """
    import random

    rng = random.Random(seed)
    stream: list[int] = []
    while len(stream) < steps * batch_size:
        epoch = list(range(n))
        rng.shuffle(epoch)
        stream.extend(epoch)
    result: list[int] = []
    for start in range(0, steps * batch_size, batch_size):
        result.extend(sorted(stream[start : start + batch_size], key=lambda i: (lengths[i], i)))
    return result


def hold_out(sequences: Sequences, count: int) -> tuple[list[int], list[int]]:
    """Indices to train on and ``count`` indices to keep out, chosen by a hash of the keys: the same for every seed.

    Raises:
        BadInput: where nothing would be left to train on.
    """
    if count >= len(sequences.keys):
        raise BadInput(f"train.heldout={count}: of {len(sequences.keys)} examples none would be left to train on")
    ranked = sorted(range(len(sequences.keys)), key=lambda i: text_digest(sequences.keys[i]))
    return sorted(ranked[count:]), sorted(ranked[:count])
