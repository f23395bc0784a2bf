"""Training in several processes of one machine: the job is written down, ``torchrun`` starts a group, losses come back.

What this does not promise: bit-equality with one process. Gradients are summed in another order, so losses agree to
float error; which sequences make up a step, and the mean over all its tokens, are the same.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, MissingCapability
from harness.spec import TrainRecipe
from harness.train import sft, tokens

JOB_FILE = "job.json"
RESULT_FILE = "result.json"
STEP_MARK = "harness-step "
"""Begins the lines that the first process writes for the parent; everything else is a library's own output."""

_RANK = re.compile(r"^\[rank\d+\]: ?")
_PATHS = ("model_path", "checkpoints", "resume", "merged")


class TrainingProcessFailed(HarnessError):
    """A process of the group ended with an error; the message ends with what it said last."""


def run_distributed(job: dict[str, Any], folder: Path, progress: sft.Progress | None) -> sft.Run:
    """Carry out a training job in ``recipe.processes`` processes.

    Args:
        job: the keyword arguments of :func:`harness.train.trainer.run` but for ``progress``.
        folder: where the job and its result are written; emptied first.
        progress: told about every step.

    Raises:
        MissingCapability: where the machine has fewer GPUs than processes.
        TrainingProcessFailed: where a process ended with an error.
    """
    import torch

    recipe: TrainRecipe = job["recipe"]
    _check_devices(recipe, job["device"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_job(job, folder)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={recipe.processes}", "-m", "harness.train.worker", str(folder)]
    with (folder / "errors.txt").open("w+", encoding="utf-8", errors="replace") as errors:
        group = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(recipe, job["device"], torch.get_num_threads()),
            preexec_fn=_die_with_parent,
        )
        try:
            assert group.stdout is not None
            _relay(group.stdout, progress)
            code = group.wait()
        except BaseException:
            # torchrun passes SIGTERM on to its processes, which have written nothing half: checkpoints carry marks.
            group.terminate()
            group.wait()
            raise
        if code != 0:
            errors.seek(0)
            raise TrainingProcessFailed(
                f"training in {recipe.processes} processes ended with code {code}: {last_error(errors.read())}"
            )
    result = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    return sft.Run(
        losses=tuple(result["losses"]),
        trainable_parameters=result["trainable_parameters"],
        versions=tuple((k, v) for k, v in result["versions"]),
        checkpoint=result["checkpoint"],
        heldout_losses=tuple((step, loss) for step, loss in result["heldout_losses"]),
    )


def environment(recipe: TrainRecipe, device: str, threads: int) -> dict[str, str]:
    """The group's environment: this process's threads are shared out, and nothing talks to the machine's network."""
    out = dict(os.environ)
    if device == "cpu":
        out["OMP_NUM_THREADS"] = str(max(1, threads // recipe.processes))
        out.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return out


def write_job(job: dict[str, Any], folder: Path) -> None:
    """Write the arguments of :func:`harness.train.trainer.run` as JSON."""
    plain = {**job, "recipe": asdict(job["recipe"]), "sequences": asdict(job["sequences"])}
    for name in _PATHS:
        plain[name] = None if job[name] is None else str(Path(job[name]).absolute())
    (folder / JOB_FILE).write_text(json.dumps(plain), encoding="utf-8")


def read_job(folder: Path) -> dict[str, Any]:
    """What :func:`write_job` wrote."""
    job: dict[str, Any] = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    recipe = job["recipe"]
    job["recipe"] = TrainRecipe(**{**recipe, "betas": tuple(recipe["betas"])})
    sequences = job["sequences"]
    sequences["input_ids"] = [tuple(ids) for ids in sequences["input_ids"]]
    job["sequences"] = tokens.Sequences(**{k: tuple(v) for k, v in sequences.items()})
    for name in _PATHS:
        job[name] = None if job[name] is None else Path(job[name])
    return job


def write_result(run: sft.Run, folder: Path) -> None:
    """Leave the first process's result for the parent."""
    partial = folder / (RESULT_FILE + ".partial")
    partial.write_text(json.dumps(asdict(run)), encoding="utf-8")
    partial.replace(folder / RESULT_FILE)


def _relay(lines: Iterable[str], progress: sft.Progress | None) -> None:
    for line in lines:
        if line.startswith(STEP_MARK) and progress is not None:
            step, total, loss = line.removeprefix(STEP_MARK).split()
            progress(int(step), int(total), float(loss))


def last_error(text: str) -> str:
    """The error of the first traceback: what failed, not what the launcher says about it."""
    lines = [_RANK.sub("", line) for line in text.splitlines()]
    if "Traceback (most recent call last):" in lines:
        start = lines.index("Traceback (most recent call last):") + 1
        found = next((line for line in lines[start:] if line.strip() and not line.startswith(" ")), "")
        if found:
            return found[:400]
    return lines[-1][:400] if lines else "it said nothing"


def _check_devices(recipe: TrainRecipe, device: str) -> None:
    if device == "cuda":
        import torch

        found = torch.cuda.device_count()
        if found < recipe.processes:
            raise MissingCapability(f"train.processes={recipe.processes}: this machine has {found} GPU(s)")


def _die_with_parent() -> None:
    """On Linux: have the launcher ended when this process is killed, so that no group is left running on its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
