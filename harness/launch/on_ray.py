"""``launcher=ray``: every job a Ray task.

Ray schedules, counts cores and GPUs, and begins a task again on another node when its node dies. What a dead task had
finished is in the store, so its successor resumes it. Nothing is shipped to the nodes but the job's description: the
package must be installed on each, at the same version, and a mismatch shows as a step that is not found afterwards.

Without a common folder (``launcher.store``), a task brings the steps it needs from that address into its node's own
store and leaves there what it made; parts of an unfinished step are then lost with the node.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import BadInput, HarnessError, MissingCapability
from harness.ledger.handover import fetch_step, push_step
from harness.ledger.remote import Remote
from harness.pipeline.jobs import Done, Job, at_width, execute, jobs, unfinished
from harness.pipeline.plan import Plan
from harness.progress import say, track
from harness.settings import RayConfig, RunConfig


class RayLauncher:
    """Carries a plan's jobs out on a Ray cluster."""

    def __init__(self, settings: RayConfig) -> None:
        """Check that Ray is here.

        Raises:
            MissingCapability: if it is not installed.
            BadInput: for an address of Ray's client protocol.
        """
        if settings.address.startswith("ray://"):
            raise BadInput(
                f"launcher.address={settings.address}: Ray's client protocol is not used here; run the command on a "
                "node of the cluster with launcher.address=auto"
            )
        try:
            import ray  # noqa: F401
        except ImportError:
            raise MissingCapability("launcher=ray needs Ray: pip install 'harness-referee[ray]'") from None
        self.settings = settings

    def carry_out(self, plan: Plan, runs: Path) -> None:
        """Bring every step of the plan's phases into the store below ``runs``."""
        settings = self.settings
        if plan.config.engine.threads > settings.cpus:
            raise BadInput(
                f"engine.threads={plan.config.engine.threads}: a task has launcher.cpus={settings.cpus}; raise that too"
            )
        config = at_width(plan.config, settings.cpus, settings.grade_cpus)
        todo, there = unfinished(jobs(plan, settings.grade_samples), plan, runs)
        if not todo:
            return
        if settings.store:
            _leave(there.steps, runs / "store", Remote.open(settings.store))
        with _cluster(settings):
            steps = _run_all(todo, there, config, runs.resolve(), settings)
        if settings.store:
            remote = Remote.open(settings.store)
            for name in steps:
                fetch_step(remote, runs / "store", name, None, weights=False)


@contextlib.contextmanager
def _cluster(settings: RayConfig) -> Iterator[None]:
    """Be connected to Ray, joining or starting a cluster unless this process is connected already.

    Raises:
        MissingCapability: if no cluster answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray otherwise warns of a change to come in how tasks without GPUs see those of their node.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    address = settings.address or "local"
    # Workers' own progress lines stay in Ray's logs: here finished jobs are counted.
    options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options["include_dashboard"] = False
    # Ray tells of nodes that die on standard output, where only this program's own document belongs.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise MissingCapability(f"launcher.address={address}: no Ray cluster answers ({first[:160]})") from error
        try:
            yield
        finally:
            ray.shutdown()


def _run_all(todo: Sequence[Job], there: Done, config: RunConfig, runs: Path, settings: RayConfig) -> list[str]:
    """Submit every job, wait for all. Returns the names of the steps they used and made."""
    import ray
    from ray.exceptions import RayTaskError

    _check_room(todo, settings)
    task: Any = ray.remote(_task)
    refs: list[Any] = []
    for job in todo:
        options = _resources(job, settings)
        needs = [refs[n] for n in job.needs]
        refs.append(task.options(**options).remote(job, config, runs, settings, there, *needs))
    waiting = list(refs)
    steps: dict[str, None] = {}
    with track("ray", len(refs), "jobs") as advance:
        while waiting:
            ready, waiting = ray.wait(waiting, num_returns=1)
            try:
                steps |= dict.fromkeys(ray.get(ready[0]).steps)
            except RayTaskError as error:
                cause = error.cause
                if isinstance(cause, HarnessError):
                    raise cause from None
                raise
            advance(1)
    return list(steps)


def _resources(job: Job, settings: RayConfig) -> dict[str, Any]:
    """Options of a job's task. Only the death of its process or node begins it again: an error would come back."""
    options: dict[str, Any] = {
        "max_retries": settings.retries,
        "retry_exceptions": False,
        "name": job.kind,
        "num_cpus": settings.cpus,
        # A sampling task takes minutes to hours; spread, none waits behind another on one node.
        "scheduling_strategy": "SPREAD",
    }
    if job.phase == "grade":
        options["num_cpus"] = settings.grade_cpus
        if settings.grade_on:
            options["resources"] = {settings.grade_on: 0.001}
    else:
        options["num_gpus"] = (job.trains and settings.train_gpus) or settings.gpus
    return options


def _check_room(todo: Sequence[Job], settings: RayConfig) -> None:
    """Ray waits without a word for a node that a task fits on. A cluster may grow one; this machine does not.

    Raises:
        MissingCapability: naming the resources, where the cluster is this machine.
    """
    import ray

    listed: Any = ray.nodes  # has no types
    nodes = [n["Resources"] for n in listed() if n["Alive"]]
    lacking = set()
    for job in todo:
        options = _resources(job, settings)
        wanted = {"CPU": options["num_cpus"], "GPU": options.get("num_gpus", 0), **options.get("resources", {})}
        if not any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
            lacking.add(", ".join(f"{name} {amount:g}" for name, amount in wanted.items() if amount))
    if lacking:
        text = f"launcher=ray: no node of the cluster has what a job asks for ({'; '.join(sorted(lacking))})"
        if settings.address in ("", "local"):
            raise MissingCapability(text)
        say(f"{text}; waiting for one")


def _task(job: Job, config: RunConfig, runs: Path, settings: RayConfig, *needs: Done) -> Done:
    """Runs on a node."""
    parts = {index: data for done in needs for index, data in done.parts}
    if not settings.store:
        return execute(job, config, runs, parts)
    scratch = Path(os.path.expandvars(settings.scratch) or Path(tempfile.gettempdir()) / f"harness-runs-{os.getuid()}")
    remote = Remote.open(settings.store)
    for name in dict.fromkeys(n for done in needs for n in done.steps):
        fetch_step(remote, scratch / "store", name, None, weights=job.phase != "grade")
    done = execute(job, config, scratch, parts)
    _leave(done.steps, scratch / "store", remote)
    return replace(done, steps=tuple(dict.fromkeys([*(n for d in needs for n in d.steps), *done.steps])))


def _leave(steps: Sequence[str], store: Path, remote: Remote) -> None:
    """Put finished steps at the address that it does not have, with their weights."""
    for name in steps:
        if remote.listing(f"steps/{name}.json") is None:
            outputs = json.loads((store / name / "done.json").read_text())["outputs"]
            push_step(remote, store, name, outputs, weights=True)
