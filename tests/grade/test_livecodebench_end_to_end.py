"""The fixture from files to verdicts: ``harness grade`` under each profile, and a whole run with a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.cli import main

FIXTURE = Path(__file__).parents[1] / "fixtures" / "livecodebench"
SAMPLES = [json.loads(line) for line in (FIXTURE / "samples.jsonl").read_text().splitlines()]
PROBLEMS = [json.loads(line) for line in (FIXTURE / "test6.jsonl").read_text().splitlines()]
STEPS = ("samples", "verdicts")
NAMES = ("strict", "livecodebench", "ssd_official")


@pytest.mark.parametrize("profile", NAMES)
def test_graded_samples_get_the_verdicts_written_beside_them(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "graded.jsonl"
    code = main([
        "grade", str(FIXTURE / "samples.jsonl"), "task=livecodebench_v6_delta",
        f"task.livecodebench_v6_delta.path={FIXTURE}", f"task.profile={profile}", "sandbox=bubblewrap",
        "sandbox.workers=2", f"--out={out}", "--json",
    ])  # fmt: skip
    assert code == 0
    summary = json.loads(capsys.readouterr().out)
    graded = [json.loads(line) for line in out.read_text().splitlines()]
    expected = [s["verdicts"][NAMES.index(profile)] for s in SAMPLES]
    assert [g["passed"] for g in graded] == expected
    assert summary["passed"] == sum(expected)
    # pass@1 of a problem is its share of right samples; the task's is the mean over problems.
    total, right = Counter(s["task_id"] for s in SAMPLES), Counter()
    for sample, passed in zip(SAMPLES, expected, strict=True):
        right[sample["task_id"]] += passed
    assert summary["pass@k"]["1"] == pytest.approx(sum(right[t] / total[t] for t in total) / len(total))


def test_the_three_profiles_differ_on_the_fixture() -> None:
    scores = [sum(s["verdicts"][i] for s in SAMPLES) for i in range(3)]
    assert len(SAMPLES) == 22
    assert scores[2] < scores[0] <= scores[1]


@pytest.mark.slow
def test_a_run_under_another_profile_leaves_a_record_that_says_so(tiny_model: Path, tmp_path: Path) -> None:
    """A smoke run on the paper's set of the fixture; a second profile then grades the same samples."""
    overrides = [
        "ablation=matched_decoding", "scale=smoke", "scale.train_steps=2", "scale.train_prompts=6",
        "scale.train_max_new_tokens=16", "task=livecodebench_v6", f"task.livecodebench_v6.path={FIXTURE}",
        "task.livecodebench_v6.max_new_tokens=16", "task.livecodebench_v6.limit=3", "task.livecodebench_v6.samples=5",
        "engine.max_batch_rows=5", "engine.threads=1", "engine.device=cpu", "sandbox=bubblewrap", f"model={tiny_model}",
    ]  # fmt: skip
    steps: dict[str, dict[str, set[str]]] = {}
    records: dict[str, Path] = {}
    for profile in ("ssd_official", "livecodebench"):
        command = [sys.executable, "-m", "harness.cli", "run", *overrides, f"task.profile={profile}"]
        done = subprocess.run([*command, f"--runs={tmp_path}", "--json"], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        (records[profile],) = {p.parent for p in tmp_path.glob("*/record.json")} - set(records.values())
        steps[profile] = {kind: {p.name for p in (tmp_path / "store" / kind).iterdir()} for kind in STEPS}
    for name, folder in records.items():
        head = json.loads((folder / "record.json").read_text())
        (task,) = head["config"]["tasks"]
        assert (task["profile"], dict(task["options"])["prompt"]) == (name, "paper")
        (described,) = head["tasks"]
        assert described["grader"]["profile"] == name
        assert len(described["prompts"]) == 3
        assert set(described["dates"].values()) <= {r["contest_date"][:10] for r in PROBLEMS}
    # Whose rules decide is no part of what was sampled: the second run sampled nothing, and graded everything again.
    assert steps["ssd_official"]["samples"] == steps["livecodebench"]["samples"]
    assert len(steps["livecodebench"]["verdicts"]) == 2 * len(steps["ssd_official"]["verdicts"])
