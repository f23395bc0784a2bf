"""The sampling law, asked of any engine: first tokens against the policy's probabilities on the reference's logits."""

from __future__ import annotations

from typing import Any

import torch
from scipy import stats

from harness.canonical import key64
from harness.generate import policy
from harness.generate.api import Request
from harness.spec import Policy


def assert_first_tokens_follow(engine: Any, reference: Any, decoding: Policy, n: int) -> None:
    """``n`` draws: none outside the kept set; within it a chi-square test over tokens expected five times or more."""
    request = Request("law", tuple(key64(0, "law", i) for i in range(n)), messages=(("user", "law"),))
    drawn = torch.tensor([c.token_ids[0] for c in engine.generate([request], decoding, 1)])
    with torch.inference_mode():
        logits = reference.model(torch.tensor([reference.encode(request)])).logits[:, -1]
    expected = policy.log_probabilities(logits, decoding)[0].double().exp()
    counts = torch.bincount(drawn, minlength=len(expected)).double()
    assert counts[expected == 0].sum() == 0
    assert (counts > 0).sum() > 1
    seen = expected * n >= 5
    observed, predicted = counts[seen], expected[seen] * n
    assert stats.chisquare(observed.numpy(), (predicted * observed.sum() / predicted.sum()).numpy()).pvalue > 1e-5
