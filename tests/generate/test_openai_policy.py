"""What can be asked of a server of OpenAI's interface, and what is refused with a reason."""

from __future__ import annotations

import pytest

from harness.config import resolve
from harness.errors import BadInput, MissingCapability
from harness.generate.engines import served, server
from harness.generate.openai_engine import Server
from harness.generate.openai_policy import call_arguments, check_arms, refusal
from harness.pipeline.plan import make_plan
from harness.spec import Arm, BaseModel, InterpolatedModel, Policy, Stage

BASE = BaseModel("some/model")
TWO_STAGES = Policy((Stage(1.6, 20, 0.8), Stage(0.9)))


def test_a_plain_policy_is_sent_with_everything_else_switched_off():
    assert call_arguments(Policy.single(0.7, top_p=0.9), extended=False) == {
        "temperature": 0.7,
        "top_p": 0.9,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }


def test_an_extended_server_is_told_that_filters_are_off_lest_it_takes_the_models_own():
    body = call_arguments(Policy.single(0.7), extended=True)["extra_body"]
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (-1, 0.0, 1.0)
    body = call_arguments(Policy.single(0.7, top_k=20, min_p=0.1), extended=True)["extra_body"]
    assert (body["top_k"], body["min_p"]) == (20, 0.1)


def test_greedy_needs_no_filter_and_so_no_extended_server():
    sent = call_arguments(Policy.single(0.0, top_k=20, min_p=0.1), extended=False)
    assert (sent["temperature"], sent["top_p"]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (TWO_STAGES, "2 stages"),
        (Policy.single(1.0, entropy_theta=1.0), "entropy"),
        (Policy.single(2.5), "above the 2 a server takes"),
        (Policy.single(1.0, top_k=20), "top_k=20 is no parameter"),
        (Policy.single(1.0, top_k=20, min_p=0.1), "top_k=20 and min_p=0.1"),
    ],
)
def test_what_cannot_be_expressed_is_refused_with_the_reason(policy, reason):
    with pytest.raises(BadInput, match=reason):
        call_arguments(policy, extended=False)


def test_top_k_is_taken_where_the_server_is_said_to_know_it_but_two_stages_never():
    assert refusal(Policy.single(1.0, top_k=20), extended=True) == ""
    assert "2 stages" in refusal(TWO_STAGES, extended=True)


def test_arms_that_need_weights_are_refused_by_name_each_reason_once():
    mixed = InterpolatedModel(BASE, BASE, 0.5)
    arms = [
        Arm("plain", BASE, Policy.single(0.7)),
        Arm("a", mixed, Policy.single(0.7)),
        Arm("b", mixed, TWO_STAGES),
        Arm("c", BASE, TWO_STAGES),
    ]
    with pytest.raises(BadInput) as refused:
        check_arms(arms, extended=False)
    text = str(refused.value)
    assert "plain" not in text
    assert "a, b (weights made here" in text
    assert "c (decoding in 2 stages" in text
    check_arms(arms[:1], extended=False)


def test_a_design_is_refused_before_anything_runs():
    asked = ["ablation=matched_decoding", "scale=smoke", "engine=openai", "engine.extended=true"]
    with pytest.raises(BadInput, match=r"base@two_stage \(decoding in 2 stages"):
        make_plan(resolve(asked))


def test_one_served_name_cannot_stand_for_two_models():
    config = resolve(["ablation=matched_decoding", "engine=openai", "engine.served_model=x"])
    from harness.generate.engines import check_arms as check

    check(config.engine, [Arm("a", BASE, Policy.single(0.7))])
    with pytest.raises(BadInput, match="several models"):
        check(config.engine, [Arm("a", BASE, Policy.single(0.7)), Arm("b", BaseModel("other"), Policy.single(0.7))])


def test_a_served_model_has_no_digest_of_weights_but_of_its_name_and_address():
    settings = resolve(["ablation=matched_decoding", "engine=openai"]).engine
    one, other = served(settings, BASE), served(settings, BaseModel("some/other"))
    assert one.source == "some/model at http://127.0.0.1:8000/v1, weights not seen"
    assert one.weight_digest != other.weight_digest
    assert str(one.path) == "some/model"


def test_the_address_in_a_record_holds_no_password_and_no_query():
    asked = Server("https://user:secret@example.org:8443/v1?token=secret", "m")
    assert asked.address == "https://example.org:8443/v1"


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://example.org/v1", "http://"])
def test_an_address_must_be_one(url):
    with pytest.raises(BadInput, match="base_url"):
        Server(url, "m")


def test_a_key_is_needed_for_other_machines_only(monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    assert Server("http://127.0.0.1:1/v1", "m", api_key_env="NO_SUCH_KEY").key() == "none"
    with pytest.raises(MissingCapability, match="NO_SUCH_KEY"):
        Server("https://example.org/v1", "m", api_key_env="NO_SUCH_KEY").key()
    monkeypatch.setenv("NO_SUCH_KEY", "k")
    assert Server("https://example.org/v1", "m", api_key_env="NO_SUCH_KEY").key() == "k"


def test_settings_of_other_engines_are_unknown_keys():
    with pytest.raises(BadInput, match=r"engine\.base_url: no such key"):
        resolve(["ablation=matched_decoding", "engine.base_url=http://localhost/v1"])
    settings = resolve(["ablation=matched_decoding", "engine=openai", "engine.concurrency=3"]).engine
    assert server(settings, "m").concurrency == 3
