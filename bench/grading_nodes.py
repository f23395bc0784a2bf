"""Programs per second of grading on Ray with one node and with two, beside this process alone, in one run.

``python bench/grading_nodes.py`` grades the HumanEval samples of a committed record on clusters of one and of two nodes
of this machine, one core and one sandbox worker each, in turns; the median round counts. Samples are made distinct by a
comment, because equal programs are run once. A cluster's start is left out; a task's own (a fresh process, the sandbox)
is not. Two nodes of one machine share its caches and disk, and each node brings processes of its own besides, so on two
cores the second node is worth less than a second machine would be.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.canonical import text_digest
from harness.config import resolve
from harness.launch.on_ray import RayLauncher
from harness.ledger.record import load_record
from harness.ledger.store import StepRequest, dump_lines
from harness.pipeline.generation import samples_step
from harness.pipeline.grading import verdicts_step
from harness.pipeline.plan import Cell, Plan, make_plan
from harness.pipeline.weights import weights
from harness.pipeline.workshop import MODEL_VERSION, NotInStore, Workshop
from harness.settings import RunConfig
from harness.spec import BaseModel

RECORDS = Path(__file__).parents[1] / "results" / "records"

say = sys.stdout.write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=8, help="samples of a problem")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=int, default=164, help="problems")
    options = parser.parse_args()
    # Ray's own spelling; its workers would otherwise give way to everything else here.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    settings = [
        "ablation=difficulty",
        "task=humaneval",
        f"task.humaneval.limit={options.limit}",
        f"task.humaneval.samples={options.copies}",
        "sandbox=bubblewrap",
        "sandbox.workers=1",
        "engine.threads=1",
        "from=grade",
        "launcher=ray",
        "launcher.grade_samples=200",
    ]
    config = resolve(settings)
    whole = make_plan(config)
    plan = replace(whole, cells=tuple(c for c in whole.cells if isinstance(c.model, BaseModel))[:1])
    count = len(plan.tasks[0].problems) * options.copies
    say(f"{count} programs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    rates: dict[str, list[float]] = {"this process": [], "1 node": [], "2 nodes": []}
    for _ in range(options.rounds):
        for name, found in rates.items():
            with tempfile.TemporaryDirectory() as folder:
                runs = Path(folder)
                _fill(config, plan, runs, options.copies)
                found.append(count / _seconds(plan, runs, 0 if name == "this process" else int(name[0])))
    for name, found in rates.items():
        each = ", ".join(f"{r:.1f}" for r in found)
        say(f"{name:14} {statistics.median(found):6.1f} programs/s (rounds {each})\n")
    ratio = statistics.median(rates["2 nodes"]) / statistics.median(rates["1 node"])
    say(f"two nodes to one: {ratio:.2f}; load at the end {os.getloadavg()[0]:.1f}\n")


def _seconds(plan: Plan, runs: Path, nodes: int) -> float:
    if not nodes:
        with Workshop(plan.config, runs) as shop:
            begin = time.perf_counter()
            (cell,) = plan.cells
            loaded = plan.task(cell.task)
            verdicts_step(shop, loaded, samples_step(shop, loaded, weights(shop, cell.model), cell.policy, cell.seed))
            return time.perf_counter() - begin
    import ray
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster()
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        ray.init(address=cluster.address, log_to_driver=False)
        begin = time.perf_counter()
        launch: Any = plan.config.launch
        RayLauncher(launch).carry_out(plan, runs)
        return time.perf_counter() - begin
    finally:
        ray.shutdown()
        cluster.shutdown()


def _fill(config: RunConfig, plan: Plan, runs: Path, copies: int) -> None:
    """A store with the model's digests and the samples, so that grading is all that is left."""
    (cell,) = plan.cells
    shop = Workshop(config, runs)
    named = ("weight_digest", "config_digest", "tokenizer_digest", "chat_template_digest", "source")
    step = shop.store.step(StepRequest("model", MODEL_VERSION, cell.model, {}))
    step.finish({}, dict.fromkeys(named, text_digest("bench")))
    loaded = plan.task(cell.task)
    try:
        samples_step(shop, loaded, weights(shop, cell.model), cell.policy, cell.seed)
    except NotInStore as lack:
        missing = shop.store.asked[lack.step]
    rows = list(_rows(cell, plan, copies))
    missing.finish({"samples.jsonl": dump_lines(rows)}, {"samples": len(rows), "new_tokens": 0, "engine": {}})


def _rows(cell: Cell, plan: Plan, copies: int) -> Iterator[dict[str, Any]]:
    answers: dict[str, list[str]] = {}
    for head in sorted(RECORDS.glob("matched_decoding-*/record.json")):
        for row in load_record(head.parent).samples():
            if row["task"] == cell.task:
                answers.setdefault(row["problem"], []).append(row["text"])
    for problem in plan.task(cell.task).problems:
        texts = answers[problem.id]
        for index in range(copies):
            text = _told_apart(texts[index % len(texts)], index)
            yield {"problem": problem.id, "index": index, "text": text, "tokens": 0, "finish": "stop"}


def _told_apart(text: str, index: int) -> str:
    """The answer with a comment in its program: after the line that opens a code block, or at the end."""
    fence = text.find("```")
    end = text.find("\n", fence)
    if fence < 0 or end < 0:
        return f"{text}\n# {index}"
    return f"{text[:end]}\n# {index}{text[end:]}"


if __name__ == "__main__":
    main()
