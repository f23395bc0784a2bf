"""Kept sets on equal logits: vLLM's own filters, and the logits processor of several stages, against our policies."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality
from vllm.v1.sample.logits_processor.builtin import MinPLogitsProcessor
from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p

from harness.generate import policy
from harness.generate.vllm_policy import is_native, sampling_arguments
from harness.generate.vllm_stages import StagesProcessor, filtered
from harness.spec import Policy, Stage

pytestmark = pytest.mark.vllm

SETTINGS = settings(max_examples=60, deadline=None)
STAGES = st.builds(
    Stage,
    temperature=st.floats(0.05, 3),
    top_k=st.sampled_from([0, 1, 5, 20, 5000]),
    top_p=st.sampled_from([1.0, 0.95, 0.8, 0.3]),
    min_p=st.sampled_from([0.0, 0.01, 0.2]),
)
LOGITS = st.tuples(st.integers(0, 10**6), st.sampled_from([7, 300, 2000]), st.sampled_from([0.5, 3.0, 8.0]))


def logits_of(drawn: tuple[int, int, float], rows: int = 4) -> torch.Tensor:
    seed, vocabulary, spread = drawn
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed)) * spread


def by_vllm(logits: torch.Tensor, stage: Stage) -> torch.Tensor:
    """vLLM's own sampler up to the draw: temperature, the min-p processor, then top-k and top-p."""
    rows, vocabulary = logits.shape
    sent = SamplingParams(**sampling_arguments(Policy((stage,))))
    scores = logits.clone().div_(sent.temperature)
    config = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=rows))
    min_p = MinPLogitsProcessor(config, torch.device("cpu"), False)
    min_p.update_state(BatchUpdate(rows, [], [(i, sent, None, []) for i in range(rows)], []))
    scores = min_p.apply(scores)
    k = torch.full((rows,), min(sent.top_k, vocabulary) if sent.top_k > 0 else vocabulary, dtype=torch.int32)
    p = torch.full((rows,), sent.top_p)
    return apply_top_k_top_p(scores, k if sent.top_k > 0 else None, p if sent.top_p < 1 else None)


@SETTINGS
@given(stage=STAGES, drawn=LOGITS)
def test_vllms_own_filters_keep_what_the_policy_keeps(stage, drawn):
    stage = replace(stage, temperature=min(stage.temperature, 2.0))  # vLLM's own sampler takes no more
    logits = logits_of(drawn)
    assert is_native(Policy((stage,)))
    kept = by_vllm(logits, stage)
    law = policy.log_probabilities(logits, Policy((stage,)))
    assert torch.equal(kept > -math.inf, law > -math.inf)
    torch.testing.assert_close(kept.softmax(-1), law.exp(), rtol=1e-4, atol=1e-6)


@SETTINGS
@given(stages=st.lists(STAGES, min_size=1, max_size=3).map(tuple), drawn=LOGITS, theta=st.sampled_from([0.0, 0.5]))
def test_the_processor_keeps_what_the_policy_keeps(stages, drawn, theta):
    logits = logits_of(drawn)
    first = Stage(stages[0].temperature, stages[0].top_k, stages[0].top_p, stages[0].min_p, theta)
    decoding = Policy((first, *stages[1:]))
    scores = filtered(logits.clone(), decoding)
    law = policy.log_probabilities(logits, decoding)
    assert torch.equal(scores > -math.inf, law > -math.inf)
    torch.testing.assert_close(scores.softmax(-1), law.exp(), rtol=1e-4, atol=1e-6)


ROWS = 6
PLAIN = SamplingParams(temperature=1.0)
POLICIES = [Policy((Stage(1.0, top_k=k), Stage(0.5, top_p=0.9))) for k in (2, 3, 5)]
KINDS = [PLAIN, *(SamplingParams(**sampling_arguments(p)) for p in POLICIES)]
EXPECTED = [None, *POLICIES]


@SETTINGS
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.integers(0, ROWS - 1), max_size=2, unique=True),
            st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, 3)), max_size=3, unique_by=lambda x: x[0]),
            st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1), st.booleans()), max_size=2),
        ),
        max_size=6,
    )
)
def test_policies_follow_their_requests_through_the_batch(steps):
    # The reference is a plain list of rows, changed in vLLM's order: removed, added, moved.
    processor = StagesProcessor(None, torch.device("cpu"), False)
    rows: list[Policy | None] = [None] * ROWS
    for removed, added, moved in steps:
        moved = [(a, b, swap) for a, b, swap in moved if a != b]
        for row in removed:
            rows[row] = None
        for row, kind in added:
            rows[row] = EXPECTED[kind]
        for a, b, swap in moved:
            rows[a], rows[b] = (rows[b], rows[a]) if swap else (None, rows[a])
        directions = [
            (a, b, MoveDirectionality.SWAP if swap else MoveDirectionality.UNIDIRECTIONAL) for a, b, swap in moved
        ]
        processor.update_state(
            BatchUpdate(ROWS, removed, [(row, KINDS[kind], None, []) for row, kind in added], directions)
        )
        logits = logits_of((len(steps), 50, 2.0), ROWS)
        left = processor.apply(logits.clone())
        for row, decoding in enumerate(rows):
            expected = logits[row : row + 1] if decoding is None else filtered(logits[row : row + 1], decoding)
            assert torch.equal(left[row : row + 1], expected)


def test_wrong_stages_are_refused_when_a_request_arrives():
    with pytest.raises(ValueError, match="top_k"):
        StagesProcessor.validate_params(SamplingParams(extra_args={"harness_stages": [{"top_k": -1}]}))
    StagesProcessor.validate_params(PLAIN)
    assert StagesProcessor(None, torch.device("cpu"), False).is_argmax_invariant()
