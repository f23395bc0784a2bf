"""A decoding policy in the terms of OpenAI's HTTP interface, and which arms of a design it can serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import BadInput
from harness.generate.policy import is_greedy
from harness.spec import Arm, BaseModel, Policy

MOST_TEMPERATURE = 2.0
"""The interface's upper limit."""

SEED_BITS = 31
"""Seeds that every kind of server takes."""

ELSEWHERE = "use engine=vllm or engine=transformers"


def call_arguments(policy: Policy, *, extended: bool) -> dict[str, Any]:
    """Keyword arguments of a call that make a server draw by the policy.

    What is off is sent as off, because servers otherwise fill in the model's own defaults (vLLM does).

    Args:
        policy: one stage.
        extended: whether the server takes ``top_k``, ``min_p`` and ``repetition_penalty`` in the body (vLLM, SGLang and
            llama.cpp's server do; OpenAI's own does not).

    Raises:
        BadInput: where the interface cannot express the policy.
    """
    reason = refusal(policy, extended=extended)
    if reason:
        raise BadInput(f"engine=openai: {reason}")
    greedy = is_greedy(policy)
    stage = policy.stages[0]
    chosen: dict[str, Any] = {
        "temperature": 0.0 if greedy else stage.temperature,
        "top_p": 1.0 if greedy else stage.top_p,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
    if extended:
        chosen["extra_body"] = {
            "top_k": -1 if greedy or not stage.top_k else stage.top_k,
            "min_p": 0.0 if greedy else stage.min_p,
            "repetition_penalty": 1.0,
            "return_token_ids": True,  # known to vLLM, ignored elsewhere
        }
    return chosen


def refusal(policy: Policy, *, extended: bool) -> str:
    """Why a server cannot decode by the policy; empty where it can."""
    if is_greedy(policy):
        return ""
    if len(policy.stages) > 1:
        return (
            f"decoding in {len(policy.stages)} stages cannot be asked of a server, which takes one temperature and one "
            f"of each filter; {ELSEWHERE}"
        )
    (stage,) = policy.stages
    if stage.entropy_theta:
        return f"a temperature that adapts to entropy cannot be asked of a server; {ELSEWHERE}"
    if stage.temperature > MOST_TEMPERATURE:
        return f"temperature={stage.temperature:g} is above the {MOST_TEMPERATURE:g} a server takes; {ELSEWHERE}"
    sent = [f"{k}={v:g}" for k, v in (("top_k", stage.top_k), ("min_p", stage.min_p)) if v]
    if sent and not extended:
        return (
            f"{' and '.join(sent)} is no parameter of OpenAI's interface; "
            "say engine.extended=true where the server takes it in the body"
        )
    return ""


def check_arms(arms: Sequence[Arm], *, extended: bool) -> None:
    """See that every arm can be sampled from a server.

    Raises:
        BadInput: naming each arm that cannot, with the reason.
    """
    refused: dict[str, list[str]] = {}
    for arm in arms:
        reason = refusal(arm.policy, extended=extended)
        if not isinstance(arm.model, BaseModel):
            reason = f"weights made here cannot be asked of a server; {ELSEWHERE}"
        if reason:
            refused.setdefault(reason, []).append(arm.name)
    if refused:
        parts = (f"{', '.join(names)} ({reason})" for reason, names in refused.items())
        raise BadInput(f"engine=openai cannot serve {'; '.join(parts)}")


def call_seed(noise_key: int) -> int:
    """The seed of one sample: the low bits of its noise key."""
    return noise_key & ((1 << SEED_BITS) - 1)
