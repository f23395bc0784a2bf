"""A real Ray cluster of two nodes on this machine: the same run, though a node dies, and without a common folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import psutil
import pytest
from same_run import same_run

from harness.config import resolve
from harness.errors import BadInput, MissingCapability
from harness.launch import open_launcher
from harness.ledger.record import load_record

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """Two nodes with one core each, and a folder of their own each."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's workers would give way to everything else on this machine.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")])))
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster()
    try:
        for name in ("first", "second"):
            cluster.add_node(**node, env_vars={"HARNESS_TEST_NODE": str(tmp_path / name)})
        yield cluster
    finally:
        cluster.shutdown()


def start(small, cluster, runs, *more: str) -> subprocess.Popen[str]:
    place = ("launcher=ray", f"launcher.address={cluster.address}", f"--runs={runs}", "--json")
    command = [sys.executable, "-m", "harness.cli", "run", *small, *place, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], runs):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    document = json.loads(out)
    (folder,) = {p.parent for p in runs.glob("*/record.json")}
    assert document["record"] == str(folder)
    return load_record(folder)


def tasks_on(node) -> set[psutil.Process]:
    """Processes of a node that carry out a job now: Ray names a worker after its task."""
    found = set()
    for process in psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0] in ("ray::corpus", "ray::samples", "ray::model"):
                found.add(process)
        except psutil.Error:
            continue
    return found


def test_a_node_that_dies_in_mid_run_changes_no_byte(small, by_this_process, cluster, tmp_path):
    runs = tmp_path / "runs"
    _, second = cluster.list_all_nodes()
    process = start(small, cluster, runs)
    deadline = time.monotonic() + 200
    at_work: set[psutil.Process] = set()
    while not at_work and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
        # Killed once something was finished, so that neither the beginning nor the end is what is tested.
        at_work = tasks_on(second) if list((runs / "store").glob("*/*/parts/0*")) else set()
    assert at_work, "the second node never had a job"
    finished = len(list((runs / "store").glob("*/*/done.json")))
    cluster.remove_node(second, allow_graceful=False)
    record = finish(process, runs)
    assert finished < len(list((runs / "store").glob("*/*/done.json")))
    same_run(record, by_this_process)


def test_nodes_without_a_common_folder_hand_steps_over_at_an_address(small, by_this_process, cluster, tmp_path):
    runs, away = tmp_path / "runs", tmp_path / "away"
    settings = (f"launcher.store=file://{away}", "launcher.scratch=$HARNESS_TEST_NODE")
    record = finish(start(small, cluster, runs, *settings), runs)
    same_run(record, by_this_process)
    # Both nodes did something, neither of them below the driver's folder, where only what the record needs arrived.
    made = {name: list((tmp_path / name / "store").glob("*/*/done.json")) for name in ("first", "second")}
    assert all(made.values())
    assert not list((runs / "store").glob("train/*/weights"))
    assert list(away.glob("steps/train/*.json"))


def test_what_no_node_can_hold_is_said(small, tmp_path):
    from harness.pipeline.plan import make_plan

    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    config = resolve([*small, "launcher=ray", "launcher.gpus=64"])
    launcher = open_launcher(config)
    assert launcher is not None
    with pytest.raises(MissingCapability, match=r"no node of the cluster has what a job asks for \(.*GPU 64"):
        launcher.carry_out(make_plan(config), tmp_path)


def test_an_address_where_no_cluster_answers(small, tmp_path):
    from harness.pipeline.plan import make_plan

    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with pytest.raises(BadInput, match="client protocol"):
        open_launcher(resolve([*small, "launcher=ray", "launcher.address=ray://head:10001"]))
    config = resolve([*small, "launcher=ray", "launcher.cpus=1", "engine.threads=2"])
    launcher = open_launcher(config)
    assert launcher is not None
    with pytest.raises(BadInput, match=r"engine\.threads=2"):
        launcher.carry_out(make_plan(config), tmp_path)
