"""``harness plan`` past one machine: what it says needs neither a GPU nor a network nor the data."""

from __future__ import annotations

import json
from functools import cache

import pytest

from harness.cli import main
from harness.config import resolve
from harness.pipeline.cost import estimate
from harness.pipeline.plan import make_plan

LARGE = ("ablation=matched_decoding", "model=qwen3_30b_instruct", "task=livecodebench_v6", "scale=full")


@pytest.fixture
def plan(capsys):
    def run(*overrides: str, text: bool = False):
        assert main(["plan", *overrides, *([] if text else ["--json"])]) == 0
        out = capsys.readouterr().out
        return out if text else json.loads(out)

    return run


@cache
def cost(*overrides: str):
    return estimate(make_plan(resolve(overrides), outline=True))


def test_the_papers_largest_model_can_be_planned_anywhere(plan):
    document = plan(*LARGE)
    assert (document["tasks"][0]["problems"], document["tasks"][0]["counted"]) == (131, True)
    assert document["models"] == [
        {
            "source": "Qwen/Qwen3-30B-A3B-Instruct-2507",
            "revision": "0d7cf23991f47feeb3a57ecb4c9cee8ea4a17bfe",
            "pinned": "pinned to 0d7cf23991f4",
        }
    ]
    spent = document["cost"]
    cells = {(a["name"], s) for a in document["arms"] for s in document["seeds"]}
    assert spent["samples"] == 131 * 32 * len(cells)
    assert spent["expected"]["generated"] == spent["samples"] * 6000
    assert spent["generated_tokens"] == spent["samples"] * 65536
    assert spent["expected"]["corpus"] == 3 * 10168 * 3000
    assert not spent["measured"]
    assert "estimate, not measured" in spent["basis"]
    assert spent["usd"] == pytest.approx(2.5 * sum(spent["hours"].values()))
    assert spent["wall_hours"] == pytest.approx(sum(spent["hours"].values()) / 8)
    assert sum(spent["hours"].values()) < sum(spent["hours_at_most"].values())
    assert not spent["machine"]["training"]["fits"]


def test_a_person_reads_what_does_not_fit_and_what_would(plan):
    text = plan(*LARGE, text=True)
    assert "does NOT fit" in text
    assert "would fit: train.max_length=8192; 16 GPUs" in text
    assert "engine.tensor_parallel_size=2 engine.data_parallel_size=4" in text
    assert "estimate, not measured" in text
    assert "published number; the problems themselves are not read for a plan" in text


def test_unpinned_weights_are_said_to_be_unpinned(plan):
    text = plan(
        "ablation=released_checkpoints", "model=qwen3_4b_instruct", "task=livecodebench_v6", "scale=full", text=True
    )
    assert "model apple/SimpleSD-4B-instruct: revision not pinned yet" in text
    assert "model Qwen/Qwen3-4B-Instruct-2507: pinned to cdbee75f17c0" in text
    assert "0 for corpora, 0 trained on" in text
    assert "memory, training" not in text


@pytest.mark.parametrize(("task", "problems"), [("gsm8k", 1319), ("cruxeval_o", 800), ("livecodebench_v5", 374)])
def test_tasks_of_the_hub_are_counted_without_a_network(task, problems):
    plan = make_plan(resolve(["ablation=matched_decoding", f"task={task}", "scale=full"]), outline=True)
    assert [len(t.problems) for t in plan.tasks] == [problems]


def test_prices_and_devices_are_settings():
    plain = cost(*LARGE)
    dear = cost(*LARGE, "plan.usd_per_gpu_hour=5", "plan.gpus=16")
    assert dear.usd == pytest.approx(2 * plain.usd)
    assert dear.wall_hours == pytest.approx(plain.wall_hours / 2)
    assert cost(*LARGE, "plan.gpu=h200").hours.total < plain.hours.total
    longer = cost(*LARGE, "plan.answer_tokens=12000", "plan.corpus_tokens=6000")
    assert longer.expected.generated == 2 * plain.expected.generated
    assert longer.expected.corpus == 2 * plain.expected.corpus
    assert longer.generated_tokens == plain.generated_tokens


def test_what_was_measured_goes_before_an_estimate():
    small = ("ablation=matched_decoding", "task=starter", "scale=smoke")
    measured = cost(*small)
    assert measured.measured
    assert measured.machine is None
    assert measured.seconds == pytest.approx(3600 * measured.hours_at_most.total)
    estimated = cost(*small, "plan.gpu=h100")
    assert not estimated.measured
    assert estimated.seconds < measured.seconds


def test_a_model_of_unknown_shape_has_counts_but_no_times(plan):
    spent = plan("ablation=matched_decoding", "model=someone/some-model", "task=starter", "scale=smoke")["cost"]
    assert spent["seconds"] is None
    assert spent["samples"] > 0
    assert spent["storage_bytes"] is None


def test_measurements_are_counted():
    spent = cost("ablation=locks_and_forks", "model=qwen3_4b_instruct", "task=livecodebench_v6", "scale=full")
    assert spent.expected.measured > 0
    assert spent.hours.measure > 0
    assert cost(*LARGE).hours.measure == 0


def test_records_do_not_depend_on_what_a_plan_reckons_with():
    small = ["ablation=matched_decoding", "scale=smoke"]
    assert resolve([*small, "plan.gpus=1", "plan.gpu=h200"]).recorded() == resolve(small).recorded()
