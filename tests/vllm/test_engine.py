"""The vLLM engine on its CPU build, beside the transformers engine on the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.canonical import key64
from harness.errors import BadInput
from harness.generate.api import Request
from harness.generate.vllm_process import EngineFailed
from harness.spec import Policy, Stage
from tests.vllm.law import assert_first_tokens_follow

pytestmark = pytest.mark.vllm

PROMPTS = ["short", "a somewhat longer prompt", "def f(x):", "x", "the longest of all the prompts here, by far"]
SAMPLED = Policy.single(1.5, 20, 0.95)
TWO_STAGES = Policy((Stage(1.6, 20, 0.8), Stage(0.9, 5, 0.9)))


def requests(samples: int = 3, prompts=PROMPTS) -> list[Request]:
    return [
        Request(key=p, noise_keys=tuple(key64(0, p, j) for j in range(samples)), messages=(("user", p),))
        for p in prompts
    ]


def test_greedy_samples_are_those_of_the_transformers_engine(engine, reference):
    assert engine.generate(requests(2), Policy.single(0.0), 40) == reference.generate(
        requests(2), Policy.single(0.0), 40
    )


@pytest.mark.parametrize(
    "decoding",
    [
        SAMPLED,
        TWO_STAGES,
        Policy.single(1.2, min_p=0.2),
        Policy((Stage(1.3, min_p=0.1), Stage(0.8, top_p=0.9))),
        Policy.single(1.2, 20, entropy_theta=0.3),
    ],
    ids=["one stage", "two stages", "min-p", "min-p then top-p", "entropy"],
)
def test_first_tokens_follow_the_policy_law_on_the_other_engines_logits(engine, reference, decoding):
    assert_first_tokens_follow(engine, reference, decoding, 3000)


def test_completions_come_in_order_with_text_ends_and_lengths(engine, reference):
    batch = requests(8)
    completions = engine.generate(batch, SAMPLED, 60)
    assert [(c.key, c.index) for c in completions] == [(r.key, i) for r in batch for i in range(8)]
    assert {c.finish for c in completions} == {"stop", "length"}
    for c, request in zip(completions, [r for r in batch for _ in range(8)], strict=True):
        assert c.prompt_tokens == len(reference.encode(request))
        assert engine.stop_ids.isdisjoint(c.token_ids[:-1])
        assert (c.token_ids[-1] in engine.stop_ids) == (c.finish == "stop")
        assert (len(c.token_ids) == 60) or c.finish == "stop"
        assert c.tokens == len(c.token_ids)
        assert c.text == reference.tokenizer.decode(list(c.token_ids), skip_special_tokens=True)


def test_seeds_decide_samples_and_repeat_them(engine):
    (request,) = requests(8, prompts=["x"])
    drawn = engine.generate([request], SAMPLED, 40)
    assert len({c.token_ids for c in drawn}) == 8
    assert engine.generate([request], SAMPLED, 40) == drawn
    swapped = engine.generate([replace(request, noise_keys=request.noise_keys[::-1])], SAMPLED, 40)
    assert [c.token_ids for c in swapped] == [c.token_ids for c in drawn[::-1]]


def test_samples_of_one_prompt_share_its_cache(engine):
    text = "a prompt of more than two blocks of one hundred and twenty-eight tokens " * 4
    before = engine.cached_tokens
    (request,) = requests(5, prompts=[text])
    engine.generate([request], SAMPLED, 2)
    blocks = len(engine.encode(request)) // int(engine.settings["block_size"])
    assert blocks >= 2
    assert engine.cached_tokens - before == 4 * blocks * int(engine.settings["block_size"])


def test_many_long_seeded_prompts_do_not_end_the_engine(engine):
    # Together far more tokens than a step takes: with prompts split over steps this is "CPU Generator does not use
    # offset" (harness.generate.vllm_worker.whole_prompts).
    batch = requests(2, prompts=[f"{i} " * 400 for i in range(12)])
    assert sum(len(engine.encode(r)) for r in batch) > 3 * int(engine.settings["max_num_batched_tokens"]) / 2
    assert len(engine.generate(batch, SAMPLED, 2)) == 24


def test_split_prompts_are_what_ends_it(model, load):
    # The cause, pinned: when this fails, vLLM or torch has changed and prompts may be split again.
    split = load(model, options={"enable_chunked_prefill": True, "max_num_batched_tokens": 512})
    with pytest.raises(EngineFailed, match="CPU Generator does not use offset"):
        split.generate(requests(1, prompts=["a " * 300, "b " * 300]), SAMPLED, 2)
    with pytest.raises(EngineFailed):
        split.generate(requests(1), SAMPLED, 2)  # it is gone, and says so instead of hanging


def test_replicas_together_draw_what_one_draws(engine, model, load):
    two = load(model, replicas=2)
    assert two.generate(requests(4), SAMPLED, 30) == engine.generate(requests(4), SAMPLED, 30)
    assert two.describe()["data_parallel_size"] == "2"
    two.close()


def test_plan_and_limits(engine):
    batch = requests(5)
    assert sorted(i for b in engine.plan(batch, 64) for i in b) == list(range(len(batch)))
    with pytest.raises(BadInput, match="context of 2048"):
        engine.generate(requests(1), SAMPLED, 2040)
    with pytest.raises(BadInput, match="messages or text"):
        engine.generate([Request("k", (1,))], SAMPLED, 2)
    assert engine.generate([], SAMPLED, 5) == []


def test_description_says_what_a_record_needs(engine, reference):
    described = engine.describe()
    assert described["chat_template_digest"] == reference.describe()["chat_template_digest"]
    assert described["stop_ids"] == reference.describe()["stop_ids"]
    assert described["scheduling"] == "in-process"
    assert (described["device"], described["dtype"], described["threads"]) == ("cpu", "float32", "1")
    assert described["chunked_prefill"] == "false"
    assert all(isinstance(v, str) for v in described.values())


def test_what_cannot_be_loaded_is_one_line_with_a_log(model, load, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    (broken / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(EngineFailed, match=r"log: .*harness-vllm-") as failed:
        load(broken)
    said = str(failed.value)
    assert "\n" not in said
    log = Path(said.rpartition("log: ")[2].rstrip(")"))
    assert "Traceback" in log.read_text()
    log.unlink()


def test_workers_end_when_their_owner_is_killed(model):
    program = (
        "from pathlib import Path\n"
        "from harness.generate.vllm_engine import VllmEngine\n"
        "from harness.generate.vllm_worker import Load\n"
        f"e = VllmEngine.load(Path({str(model)!r}), Load('', dtype='float32', kv_cache_gib=0.25), threads=1)\n"
        "print(e.workers[0].process.pid, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    worker = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.5)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("the worker outlived its owner")
