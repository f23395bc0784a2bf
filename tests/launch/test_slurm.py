"""SLURM through submitit: its local processes, its requeueing, and the batch scripts it writes."""

from __future__ import annotations

import json
import shlex
import signal
import stat
import time

import psutil
import pytest

pytest.importorskip("submitit", reason="the extra `slurm` is not installed")

from dataclasses import replace
from pathlib import Path

from same_run import same_run

from harness.cli import main
from harness.config import resolve
from harness.errors import HarnessError, MissingCapability
from harness.launch import open_launcher
from harness.launch.on_slurm import RecordTask, SlurmLauncher, StepTask, parameters
from harness.launch.submitted import Submitted
from harness.ledger.record import load_record
from harness.pipeline.jobs import jobs
from harness.pipeline.plan import make_plan
from harness.pipeline.run import prepare, run

SETTINGS = (
    "launcher=slurm",
    "launcher.partition=gpu",
    "launcher.grade_partition=cpu",
    "launcher.account=lab",
    "launcher.gpus=1",
    "launcher.train_gpus=8",
    "launcher.mem_gb=64",
    "launcher.minutes=90",
    "launcher.setup=['module load cuda']",
)


@pytest.mark.slow
def test_submitits_local_processes_make_the_models_of_one_process(small, by_this_process, tmp_path):
    here = ("launcher=slurm", "launcher.cluster=local", "launcher.cpus=1", "launcher.grade_cpus=1")
    config = resolve([*small, *here, "until=train"])
    handover = prepare(config, tmp_path, open_launcher(config))
    (made,) = [m for m in by_this_process.head["models"] if m["kind"] == "distilled"]
    assert {n.split("/")[0]: o for n, o in handover.steps.items()}["train"] == {"weights": made["weights"]}
    # The rest by hand, then what the last job of a submission does.
    whole = resolve([*small, *here])
    for job in jobs(make_plan(whole), 1000):
        StepTask(whole, tmp_path)(job)
    same_run(load_record(Path(RecordTask(whole, tmp_path)())), by_this_process)


@pytest.mark.slow
def test_a_job_interrupted_before_its_end_is_put_back_and_resumes(small, tmp_path):
    """submitit's own signal, as at a time limit or preemption, while the step is half done."""
    import submitit

    config = resolve([*small, "task.starter.limit=30"])
    (job,) = [j for j in jobs(make_plan(config), 1000) if j.kind == "samples" and not j.needs][:1]
    executor = submitit.LocalExecutor(tmp_path / "logs")
    executor.update_parameters(timeout_min=10, signal_delay_s=1)
    running = executor.submit(StepTask(config, tmp_path), job)
    parts = tmp_path / "store" / "samples"
    deadline = time.monotonic() + 120
    while not list(parts.glob("*/parts/0*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    before = {p: p.stat().st_mtime_ns for p in parts.glob("*/parts/0*")}
    assert before
    assert not list(parts.glob("*/done.json"))
    for process in psutil.Process(int(running.job_id)).children():
        process.send_signal(signal.SIGUSR2)
    steps = running.result()
    assert {p: p.stat().st_mtime_ns for p in before} == before
    (done,) = parts.glob("*/done.json")
    assert f"samples/{done.parent.name}" in steps
    assert "Requeued job" in running.stdout()
    assert len(before) < len(list(done.parent.glob("parts/0*")))


def fake_slurm(folder, log, monkeypatch) -> None:
    """``sbatch`` that keeps the script and answers as SLURM does; ``squeue`` that says what a file says."""
    folder.mkdir()
    scripts = {
        "sbatch": f'n=$(ls {log} | wc -l); cp "$1" {log}/$n.sh; echo "Submitted batch job $((100 + n))"',
        "squeue": f"cat {log}.queue",
        "srun": "exit 1",
    }
    log.mkdir()
    log.with_suffix(".queue").write_text("")
    for name, text in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def options(script) -> dict[str, str]:
    """``#SBATCH`` lines as a mapping."""
    lines = [x.removeprefix("#SBATCH --") for x in script.read_text().splitlines() if x.startswith("#SBATCH --")]
    return {name: value for name, _, value in (shlex.split(x)[0].partition("=") for x in lines)}


def test_arrays_wait_for_each_other_and_the_login_node_is_free(small, tmp_path, monkeypatch, capsys):
    log = tmp_path / "sbatch"
    fake_slurm(tmp_path / "bin", log, monkeypatch)
    arguments = ["run", *small, *SETTINGS, f"--runs={tmp_path / 'runs'}", "--json"]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["submitted"] is True
    scripts = [options(p) for p in sorted(log.iterdir(), key=lambda p: int(p.stem))]
    names = [s["job-name"] for s in scripts]
    number = {name: 100 + i for i, name in enumerate(names)}
    assert names[-1] == "harness-record"
    assert set(names) >= {"harness-corpus", "harness-samples", "harness-model", "harness-verdicts"}
    by_name = dict(zip(names, scripts, strict=False))
    # Training waits for its corpus and has its own GPUs; grading runs where there are none.
    assert by_name["harness-model"]["dependency"] == f"afterok:{number['harness-corpus']}"
    assert by_name["harness-model"]["gpus-per-node"] == "8"
    first = scripts[names.index("harness-samples")]
    assert (first["gpus-per-node"], first["partition"], first["mem"], first["time"]) == ("1", "gpu", "64GB", "90")
    assert "dependency" not in first
    assert first["array"].startswith("0-")
    assert "requeue" in first
    for script in (s for s, n in zip(scripts, names, strict=True) if n in ("harness-verdicts", "harness-record")):
        assert script["partition"] == "cpu"
        assert "gpus-per-node" not in script
        assert script["dependency"].startswith("afterok:")
    assert set(scripts[-1]["dependency"].removeprefix("afterok:").split(":")) == {
        str(100 + i) for i in range(len(names) - 1)
    }
    assert "module load cuda" in (log / "0.sh").read_text()

    # The same command, while they wait, submits nothing and says how they stand.
    (tmp_path / "sbatch.queue").write_text("101 101 PENDING\n102 101 RUNNING\n99 99 FAILED\n")
    assert main(arguments) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["submitted"] is False
    assert list(again["jobs"]) == ["101"]
    assert "1 pending, 1 running" in again["jobs"]["101"]
    assert len(list(log.iterdir())) == len(names)

    # Once the queue has forgotten them unfinished, it submits anew.
    (tmp_path / "sbatch.queue").write_text("")
    assert main(arguments) == 0
    assert len(list(log.iterdir())) == 2 * len(names)


def test_without_slurm_one_line_says_so(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    config = resolve([*small, "launcher=slurm"])
    with pytest.raises(MissingCapability, match="no SLURM on this machine"):
        SlurmLauncher(config.launch).carry_out(make_plan(config), tmp_path)


@pytest.mark.slow
def test_a_job_that_fails_is_one_line(small, tmp_path):
    config = resolve([*small, "launcher=slurm", "launcher.cluster=local"])
    broken = replace(config, model=replace(config.model, source=str(tmp_path / "nowhere")))
    with pytest.raises(HarnessError, match="no such file or folder"):
        run(broken, tmp_path / "runs", open_launcher(broken))


def test_what_is_left_to_the_cluster_is_not_passed(small):
    config = resolve([*small, "launcher=slurm"])
    found = parameters(config.launch, None, set())
    assert not {"slurm_partition", "slurm_account", "slurm_qos", "slurm_gpus_per_node", "slurm_mem"} & set(found)


def test_submitted_counts_its_jobs():
    assert "2 job(s) submitted" in str(Submitted("x", {"1": "a", "2": "b"}, new=True))
