"""``launcher=slurm``: every job an element of a SLURM job array, through submitit.

Jobs of one kind whose inputs are ready at the same time form an array; an array waits (``afterok``) for those it needs,
and the last job writes the record. The command returns once all are submitted; repeated, it says how they stand, and
prints the tables when the record is there. A job that is preempted or runs into its limit is put back in the queue by
submitit and resumes from the parts its step has in the store, which all nodes must see.

Not promised: anything about the queue. SLURM decides when and where.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.canonical import digest
from harness.errors import HarnessError, MissingCapability
from harness.launch.submitted import Submitted
from harness.ledger.store import write_atomic
from harness.pipeline.jobs import Job, at_width, execute, jobs, unfinished
from harness.pipeline.plan import Plan
from harness.progress import say, track
from harness.settings import RunConfig, SlurmConfig

WAITING = ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "RESIZING", "STOPPED", "SUSPENDED")
"""SLURM's states of jobs that may still finish."""

SIGNAL_SECONDS = 120
"""Notice that a job gets before its limit, in which submitit puts it back in the queue."""


class StepTask:
    """What submitit pickles for a job. A task that is interrupted is submitted again as it was: its step resumes."""

    def __init__(self, config: RunConfig, runs: Path) -> None:
        self.config = config
        self.runs = runs

    def __call__(self, job: Job) -> tuple[str, ...]:
        return execute(job, self.config, self.runs).steps

    def checkpoint(self, job: Job) -> Any:
        """Called by submitit on its signal; what it returns is put back in the queue."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, job)


class RecordTask:
    """The last job: everything is in the store, the record is put together."""

    def __init__(self, config: RunConfig, runs: Path) -> None:
        self.config = config
        self.runs = runs

    def __call__(self) -> str:
        from harness.pipeline.run import prepare, run

        config = replace(self.config, launch=None)
        if "grade" not in config.phases:
            return str(prepare(config, self.runs).path)
        # Nothing is left to be made, so this job needs neither weights nor a sandbox.
        return str(run(replace(config, phases=()), self.runs).path)


class SlurmLauncher:
    """Submits a plan's jobs to SLURM, or to submitit's local processes."""

    def __init__(self, settings: SlurmConfig) -> None:
        """Check that submitit is here.

        Raises:
            MissingCapability: if it is not installed.
        """
        try:
            import submitit  # noqa: F401
        except ImportError:
            raise MissingCapability("launcher=slurm needs submitit: pip install 'harness-referee[slurm]'") from None
        self.settings = settings

    def carry_out(self, plan: Plan, runs: Path) -> None:
        """Bring every step of the plan's phases into the store below ``runs``.

        Raises:
            Submitted: when the jobs are in SLURM's queue.
            HarnessError: when a local job failed.
        """
        runs = runs.resolve()
        folder = runs / "slurm" / digest([plan.config.recorded(), plan.config.phases])[:12]
        waiting = _waiting(folder)
        if waiting:
            raise Submitted(str(folder), waiting, new=False)
        todo, _ = unfinished(jobs(plan, self.settings.grade_samples), plan, runs)
        if not todo:
            return
        config = at_width(plan.config, self.settings.cpus, self.settings.grade_cpus)
        if self.settings.cluster == "local":
            self._run_here(todo, config, runs, folder)
        else:
            raise Submitted(str(folder), self._submit(todo, config, runs, folder), new=True)

    def _submit(self, todo: Sequence[Job], config: RunConfig, runs: Path, folder: Path) -> dict[str, str]:
        found: dict[str, str] = {}
        array_of: dict[int, str] = {}
        for wave in waves(todo):
            before = {array_of[n] for i in wave for n in todo[i].needs}
            executor = self._executor(folder, todo[wave[0]], before)
            made = executor.map_array(StepTask(config, runs), [todo[i] for i in wave])
            for index, job in zip(wave, made, strict=True):
                array_of[index] = str(job.job_id).split("_")[0]
            found[array_of[wave[0]]] = f"{len(wave)} × {todo[wave[0]].kind}"
            # Written after each array: a submission cut short is then known too.
            write_atomic(folder / "submitted.json", json.dumps(found, indent=1).encode())
        last = self._executor(folder, None, set(array_of.values())).submit(RecordTask(config, runs))
        found[str(last.job_id)] = "record"
        write_atomic(folder / "submitted.json", json.dumps(found, indent=1).encode())
        return found

    def _run_here(self, todo: Sequence[Job], config: RunConfig, runs: Path, folder: Path) -> None:
        # submitit's local processes know no dependencies, so each wave is waited for.
        with track("slurm (local)", len(todo), "jobs") as advance:
            for wave in waves(todo):
                executor = self._executor(folder, todo[wave[0]], set())
                for job in executor.map_array(StepTask(config, runs), [todo[i] for i in wave]):
                    _result(job)
                    advance(1)

    def _executor(self, folder: Path, job: Job | None, before: set[str]) -> Any:
        """An executor with the resources of a job's kind (``None`` is the last one, which writes the record).

        Raises:
            MissingCapability: if there is no SLURM here.
        """
        import submitit

        settings = self.settings
        try:
            executor = submitit.AutoExecutor(folder, cluster=settings.cluster, slurm_max_num_timeout=settings.requeues)
        except RuntimeError as error:
            raise MissingCapability(f"launcher=slurm: no SLURM on this machine ({error})") from None
        executor.update_parameters(**parameters(settings, job, before))
        return executor


def parameters(settings: SlurmConfig, job: Job | None, before: set[str]) -> dict[str, Any]:
    """submitit's parameters for a job's kind."""
    grades = job is None or job.phase == "grade"
    gpus = 0 if grades or job is None else (job.trains and settings.train_gpus) or settings.gpus
    extra: dict[str, Any] = {"requeue": True}
    if before:
        extra |= {"dependency": "afterok:" + ":".join(sorted(before)), "kill-on-invalid-dep": "yes"}
    chosen: dict[str, Any] = {
        "name": f"harness-{job.kind if job else 'record'}",
        "timeout_min": settings.grade_minutes if grades else settings.minutes,
        "cpus_per_task": settings.grade_cpus if grades else settings.cpus,
        "slurm_array_parallelism": settings.at_once,
        "slurm_signal_delay_s": SIGNAL_SECONDS,
        "slurm_additional_parameters": extra,
    }
    optional = {
        "slurm_partition": (grades and settings.grade_partition) or settings.partition,
        "slurm_account": settings.account,
        "slurm_qos": settings.qos,
        "slurm_gpus_per_node": gpus,
        "slurm_mem": f"{settings.mem_gb}GB" if settings.mem_gb else "",
        "slurm_setup": list(settings.setup),
    }
    return {**chosen, **{k: v for k, v in optional.items() if v}}


def waves(todo: Sequence[Job]) -> list[list[int]]:
    """Positions of jobs in arrays: those of one kind and one depth stand together, needs before what needs them."""
    depth: list[int] = []
    for job in todo:
        depth.append(1 + max((depth[n] for n in job.needs), default=-1))
    groups: dict[tuple[int, str], list[int]] = {}
    for index, job in enumerate(todo):
        groups.setdefault((depth[index], job.kind), []).append(index)
    return [groups[key] for key in sorted(groups, key=lambda k: k[0])]


def _waiting(folder: Path) -> dict[str, str]:
    """Jobs of an earlier submission that may still finish, with their states."""
    listed = folder / "submitted.json"
    if not listed.exists():
        return {}
    names = json.loads(listed.read_text())
    command = ["squeue", "--noheader", "--array", "--format=%A %F %T", f"--jobs={','.join(names)}"]
    try:
        # squeue answers with an error once it has forgotten all of them.
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"launcher=slurm: squeue does not answer ({error}); taking the jobs of {listed} for gone")
        return {}
    states: dict[str, dict[str, int]] = {}
    for line in done.stdout.splitlines():
        _, array, state = line.split()
        if state in WAITING:
            count = states.setdefault(array, {})
            count[state] = count.get(state, 0) + 1
    return {
        array: f"{names.get(array, '?')}: " + ", ".join(f"{n} {s.lower()}" for s, n in sorted(count.items()))
        for array, count in states.items()
    }


def _result(job: Any) -> Any:
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        return job.result()
    except (FailedJobError, UncompletedJobError) as error:
        lines = [x for x in str(error).splitlines() if x.strip()] or [type(error).__name__]
        said = next((x for x in reversed(lines) if x.startswith("harness.")), lines[-1])
        raise HarnessError(f"job {job.job_id} failed: {said.strip()}; log: {job.paths.stderr}") from error
