"""The parts of the vLLM engine that need no vLLM: policies in its terms, shares of work, processes' environments."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput, MissingCapability
from harness.generate.vllm_engine import VllmEngine, spread
from harness.generate.vllm_policy import STAGES_KEY, is_native, sample_seed, sampling_arguments, stages_of
from harness.generate.vllm_process import environments
from harness.spec import Policy, Stage


def test_one_ordinary_stage_is_left_to_vllms_own_sampler():
    assert sampling_arguments(Policy.single(0.7, 20, 0.8, 0.05)) == {
        "temperature": 0.7,
        "top_k": 20,
        "top_p": 0.8,
        "min_p": 0.05,
    }


@pytest.mark.parametrize("policy", [Policy.single(0.0, 20), Policy((Stage(1.6, 20), Stage(0.0))), Policy.single(1e-6)])
def test_greedy_is_one_parameter(policy):
    assert sampling_arguments(policy) == {"temperature": 0.0}


@pytest.mark.parametrize(
    "policy",
    [
        Policy((Stage(1.6, 20, 0.8), Stage(0.9, 5, 0.9))),
        Policy.single(1.0, entropy_theta=0.5),
        Policy.single(0.005),  # vLLM would raise it to 0.01
        Policy.single(2.5),  # and refuse this
    ],
)
def test_what_vllm_cannot_say_goes_to_the_logits_processor_whole(policy):
    assert not is_native(policy)
    sent = sampling_arguments(policy)
    assert sent["temperature"] == 1.0
    assert set(sent) == {"temperature", "extra_args"}
    assert stages_of(sent["extra_args"]) == policy


def test_requests_without_stages_have_none_and_wrong_ones_are_refused():
    assert stages_of(None) is None
    assert stages_of({"other": 1}) is None
    with pytest.raises(BadInput, match="top_p"):
        stages_of({STAGES_KEY: [{"top_p": 2.0}]})


@given(st.integers(0, 2**64 - 1))
def test_seeds_fit_a_signed_64_bit_number(key):
    assert 0 <= sample_seed(key) < 2**63


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 5))
def test_shares_hold_every_request_once_and_differ_by_one_request_at_most(weights, parts):
    shares = spread(weights, parts)
    assert sorted(i for share in shares for i in share) == list(range(len(weights)))
    loads = [sum(weights[i] for i in share) for share in shares]
    assert max(loads) - min(loads) <= max(weights, default=0)


def test_replicas_see_disjoint_devices(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [e["CUDA_VISIBLE_DEVICES"] for e in environments(2, 2, None)] == ["0,1", "2,3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    assert [e["CUDA_VISIBLE_DEVICES"] for e in environments(3, 1, None)] == ["4", "5", "6"]
    with pytest.raises(MissingCapability, match="has 3 devices"):
        environments(2, 2, None)
    assert environments(1, 8, None)[0]["CUDA_VISIBLE_DEVICES"] == "4,5,6"  # one replica: left as it is


def test_what_the_caller_says_about_vllm_stays_but_for_the_model_runner(monkeypatch):
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    monkeypatch.setenv("VLLM_USE_V2_MODEL_RUNNER", "1")
    (environment,) = environments(1, 1, 3)
    assert environment["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"
    assert environment["VLLM_USE_V2_MODEL_RUNNER"] == "0"
    assert environment["OMP_NUM_THREADS"] == "3"


def test_impossible_settings_and_a_missing_vllm_are_one_clear_line(tiny_model):
    if find_spec("vllm") is None:
        with pytest.raises(MissingCapability, match="environment of its own"):
            VllmEngine.load(tiny_model)
    else:
        with pytest.raises(BadInput, match="data_parallel_size=0"):
            VllmEngine.load(tiny_model, data_parallel_size=0)
