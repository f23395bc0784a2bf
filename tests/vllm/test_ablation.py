"""Whole jobs on vLLM: weights made here by LoRA, and the main job in one command."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.canonical import key64
from harness.generate.api import Request
from harness.ledger.record import load_record
from harness.spec import Policy, TrainRecipe

pytestmark = pytest.mark.vllm


def test_merged_lora_weights_are_sampled_as_the_transformers_engine_samples_them(model, load, tmp_path):
    from harness.generate.engine import TransformersEngine
    from harness.train.corpus import Example
    from harness.train.sft import train

    examples = [Example(str(i), (("user", f"say {i}"),), "abcd" * 8, True) for i in range(8)]
    recipe = TrainRecipe(steps=12, batch_size=8, micro_batch_size=8, learning_rate=2e-2, lora_rank=8, lora_alpha=16)
    merged = tmp_path / "merged"
    train(model, examples, recipe, 0, merged, device="cpu")

    batch = [Request(p, tuple(key64(0, p, i) for i in range(2)), (("user", p),)) for p in ("say 3", "other", "def")]
    there, here = load(merged), TransformersEngine.load(merged, device="cpu", threads=1)
    drawn = there.generate(batch, Policy.single(0.0), 40)
    assert drawn == here.generate(batch, Policy.single(0.0), 40)
    parent = TransformersEngine.load(model, device="cpu", threads=1)
    assert drawn != parent.generate(batch, Policy.single(0.0), 40)  # otherwise training had changed nothing
    there.close()


def test_the_main_job_runs_on_vllm_in_one_command(tmp_path):
    # SmolLM2, sampled by vLLM, trained, its child sampled by vLLM again, graded, and a record written.
    command = [
        *(sys.executable, "-m", "harness.cli", "run", "ablation=matched_decoding", "scale=smoke", "engine=vllm"),
        *("engine.dtype=float32", "engine.kv_cache_gib=1", "engine.threads=2", "scale.train_steps=2"),
        *("scale.train_prompts=8", "scale.train_max_new_tokens=32", "task.starter.max_new_tokens=32"),
        *("task.starter.limit=4", "task.starter.samples=3", "sandbox=bubblewrap", f"--runs={tmp_path}", "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    (path,) = tmp_path.glob("*/record.json")
    record = load_record(path.parent)
    cells = record.head["cells"]
    assert {c["engine"]["engine"] for c in cells} == {"vllm"}
    assert {"base@two_stage", "ssd@eval"} <= {c["arm"] for c in cells}
    assert all(c["tokens"] > 0 for c in cells)
    kinds = {m["kind"] for m in record.head["models"]}
    assert {"base", "distilled"} <= kinds
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert "samples" not in again.stderr  # everything was in the store: no engine was started
