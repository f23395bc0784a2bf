"""A decoding policy in vLLM's terms.

One ordinary stage goes to vLLM's own sampler, whose order and filter rules are those of
:mod:`harness.generate.policy`. Everything else goes to :mod:`harness.generate.vllm_stages`, a logits processor of ours
that vLLM runs before it draws.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.generate.policy import is_greedy
from harness.spec import Policy, Stage

STAGES_KEY = "harness_stages"
"""Where a request's ``SamplingParams.extra_args`` hold the stages for the logits processor."""

VLLM_TEMPERATURES = (0.01, 2.0)
"""vLLM raises smaller temperatures to the first, with a warning, and refuses those above the second; so neither is left
to it."""

SEED_BITS = 63
"""vLLM takes a signed 64-bit seed."""


def is_native(policy: Policy) -> bool:
    """Whether vLLM's own sampling parameters express the policy."""
    if is_greedy(policy):
        return True
    (stage, *others) = policy.stages
    least, most = VLLM_TEMPERATURES
    return not others and not stage.entropy_theta and least <= stage.temperature <= most


def sampling_arguments(policy: Policy) -> dict[str, Any]:
    """Keyword arguments of ``vllm.SamplingParams`` that make it draw by the policy."""
    if is_greedy(policy):
        return {"temperature": 0.0}
    if is_native(policy):
        stage = policy.stages[0]
        return {"temperature": stage.temperature, "top_k": stage.top_k, "top_p": stage.top_p, "min_p": stage.min_p}
    return {"temperature": 1.0, "extra_args": {STAGES_KEY: [asdict(stage) for stage in policy.stages]}}


def stages_of(extra_args: dict[str, Any] | None) -> Policy | None:
    """The policy that :func:`sampling_arguments` left for the logits processor, if any.

    Raises:
        BadInput: for values that are no stage.
    """
    stages = (extra_args or {}).get(STAGES_KEY)
    return None if stages is None else Policy(tuple(Stage(**stage) for stage in stages))


def sample_seed(noise_key: int) -> int:
    """The seed of one sample: the low bits of its noise key."""
    return noise_key & ((1 << SEED_BITS) - 1)
