"""The main job with a tiny random model: resumed runs equal uninterrupted ones, finished runs do nothing again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.config import resolve
from harness.ledger.record import load_record
from harness.pipeline.run import run
from harness.report.tables import arms_csv, contrasts_csv, render_markdown

SMALL = (
    "ablation=matched_decoding",
    "scale=smoke",
    "scale.train_steps=4",
    "scale.train_prompts=12",
    "scale.train_max_new_tokens=24",
    "task.starter.max_new_tokens=24",
    "task.starter.limit=6",
    "task.starter.samples=5",
    "engine.max_batch_rows=5",
    "engine.threads=1",
    "engine.device=cpu",
)


def command(model: Path, runs: Path) -> list[str]:
    return [sys.executable, "-m", "harness.cli", "run", *SMALL, f"model={model}", f"--runs={runs}", "--json"]


def derived(runs: Path) -> tuple[str, ...]:
    """The tables, without the run id: it names the code's commit, which a developer may change while this test runs."""
    (record,) = [load_record(p.parent) for p in runs.glob("*/record.json")]
    tables = render_markdown(record), arms_csv([record]), contrasts_csv([record])
    return tuple(t.replace(record.run_id[:12], "RUN") for t in tables)


@pytest.fixture(scope="module")
def uninterrupted(tiny_model, tmp_path_factory):
    runs = tmp_path_factory.mktemp("uninterrupted")
    started = time.monotonic()
    done = subprocess.run(command(tiny_model, runs), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return runs, json.loads(done.stdout), time.monotonic() - started


@pytest.mark.slow
def test_a_run_killed_three_times_equals_an_uninterrupted_one(uninterrupted, tiny_model, tmp_path):
    reference, _, seconds = uninterrupted
    moments = random.Random(os.environ.get("HARNESS_KILL_SEED", "20260401"))
    kills = 0
    for _ in range(3):
        process = subprocess.Popen(command(tiny_model, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moments.uniform(0.1, 0.4) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills > 0
    done = subprocess.run(command(tiny_model, tmp_path), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert derived(tmp_path) == derived(reference)


@pytest.mark.slow
def test_a_finished_run_touches_nothing_again(uninterrupted, tiny_model):
    runs, first, _ = uninterrupted
    before = {p: p.stat().st_mtime_ns for p in runs.rglob("*") if p.is_file() and p.name != ".lock"}
    done = subprocess.run(command(tiny_model, runs), capture_output=True, text=True, timeout=600)
    assert json.loads(done.stdout) == first
    after = {p: p.stat().st_mtime_ns for p in runs.rglob("*") if p.is_file() and p.name != ".lock"}
    assert after == before


@pytest.mark.slow
def test_a_missing_part_is_redone_and_nothing_else(uninterrupted, tiny_model):
    """Take one finished samples step back to its last-but-one part: only that part is made again, to the same bytes."""
    runs, _, _ = uninterrupted
    done_file = next((runs / "store" / "samples").glob("*/done.json"))
    kept = done_file.read_bytes()
    part = sorted((done_file.parent / "parts").iterdir())[0]
    wanted = part.read_bytes()
    done_file.unlink()
    part.unlink()
    others = {p: p.stat().st_mtime_ns for p in (done_file.parent / "parts").iterdir()}
    assert others
    run(resolve([*SMALL, f"model={tiny_model}"]), runs)
    assert part.read_bytes() == wanted
    assert json.loads(done_file.read_bytes())["outputs"] == json.loads(kept)["outputs"]
    assert {p: p.stat().st_mtime_ns for p in others} == others


@pytest.mark.slow
def test_every_sample_has_a_verdict_and_counts_add_up(uninterrupted):
    runs, printed, _ = uninterrupted
    (record,) = [load_record(p.parent) for p in runs.glob("*/record.json")]
    verdicts, samples = record.verdicts(), record.samples()
    assert len(verdicts) == len(samples) == len(record.head["arms"]) * 6 * 5
    assert sum(c["n"] + c["infra"] for c in record.counts()) == len(verdicts)
    assert {a["arm"] for a in printed["tasks"][0]["arms"]} == {a["name"] for a in record.head["arms"]}
    assert printed["evidence"] is False
    text = render_markdown(record)
    assert "Too small to be evidence" in text


def test_no_sandbox_is_said_before_anything_is_generated(tiny_model, tmp_path):
    environment = {**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"}
    arguments = [*command(tiny_model, tmp_path), "sandbox=docker"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 3
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("harness: no sandbox available")
    assert "no Docker engine answers" in last
    assert not list((tmp_path / "store").glob("samples/*/parts/*"))
