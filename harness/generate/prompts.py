"""From requests to token ids and back, the same for every engine that runs weights here.

Engines are handed ids and return ids, so that two of them cannot differ in templates, special tokens or decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import BadInput
from harness.generate.api import Request


def check_request(request: Request) -> None:
    """A request has either messages or text.

    Raises:
        BadInput: where both or neither kind of prompt is given.
    """
    if bool(request.messages) == bool(request.text):
        raise BadInput(f"request {request.key}: give either messages or text")


def encode(tokenizer: Any, request: Request) -> tuple[int, ...]:
    """Token ids of a request's prompt.

    Raises:
        BadInput: where messages meet a model without a chat template, or both or neither kind of prompt is given.
    """
    check_request(request)
    if request.text:
        return tuple(tokenizer(request.text)["input_ids"])
    if not tokenizer.chat_template:
        raise BadInput("this model has no chat template: use prompt_format=raw, or an instruct model")
    return tuple(tokenizer(render(tokenizer, request.messages), add_special_tokens=False)["input_ids"])


def render(tokenizer: Any, messages: Sequence[tuple[str, str]]) -> str:
    """The prompt text the chat template makes of (role, content) messages, ready for the assistant's turn."""
    turns = [{"role": role, "content": content} for role, content in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def decode(tokenizer: Any, drawn: Sequence[int], stopped: bool) -> str:
    """The text of drawn tokens, special tokens left out; a last token that stopped the sample is no text."""
    ids = list(drawn[:-1] if stopped else drawn)
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def check_lengths(
    requests: Sequence[Request], prompts: Sequence[Sequence[int]], max_new_tokens: int, context: int | None
) -> None:
    """Every prompt has tokens and fits the context with what may be drawn.

    Args:
        requests: for their keys.
        prompts: token ids of each.
        max_new_tokens: tokens drawn at most.
        context: tokens the model can see, or ``None`` where it does not say.

    Raises:
        BadInput: naming the first request that does not fit.
    """
    if max_new_tokens < 1:
        raise BadInput(f"max_new_tokens={max_new_tokens}: must be at least 1")
    for request, prompt in zip(requests, prompts, strict=True):
        if not prompt:
            raise BadInput(f"request {request.key}: its prompt has no tokens")
        if context is not None and len(prompt) + max_new_tokens > context:
            raise BadInput(
                f"request {request.key}: {len(prompt)} prompt tokens + max_new_tokens={max_new_tokens} exceed the "
                f"model's context of {context}"
            )


def stop_ids(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """The ids that end a sample: those of the generation settings and the tokenizer's own."""
    found: set[int] = set()
    for value in (getattr(generation_config, "eos_token_id", None), tokenizer.eos_token_id):
        if isinstance(value, int):
            found.add(value)
        elif value is not None:
            found.update(int(v) for v in value)
    return frozenset(found)
