"""A process that grades stored samples in small parts, exactly as a run does; for tests that kill it.

``python grading_process.py FOLDER KIND``. The samples are the same each time: solutions of the starter list, right and
wrong ones, that burn a little CPU time each.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.config import resolve
from harness.errors import HarnessError
from harness.ledger.store import Step, StepRequest, Store, dump_lines
from harness.pipeline import grading
from harness.pipeline.plan import LoadedTask
from harness.pipeline.workshop import Workshop
from harness.tasks.registry import load_task

PART = 12
SAMPLES = 96
BURN = "_x = 0\nfor _i in range(600_000):\n    _x += _i\n"


def samples_step(store: Store, loaded: LoadedTask) -> Step:
    """Samples as a generation step leaves them."""
    rows = []
    for i in range(SAMPLES):
        problem = loaded.problems[i % len(loaded.problems)]
        body = (
            problem.canonical_solution,
            "    pass\n",
            f"    raise ValueError({i})\n",
            "    import os\n    os._exit(3)\n",
        )
        text = f"```python\n{problem.prompt}{body[i % 4]}\n{BURN}# {i}\n```"
        rows.append({"problem": problem.id, "index": i, "text": text})
    step = store.step(StepRequest("samples", 1, {"count": SAMPLES}, {}))
    if not step.done:
        step.finish({"samples.jsonl": dump_lines(rows)}, {})
    return step


def main(folder: Path, kind: str) -> None:
    """Grade, or go on grading."""
    grading.CHUNK = PART
    config = resolve(["ablation=matched_decoding", "task=starter", f"sandbox={kind}", "sandbox.workers=2"])
    task = load_task("starter")
    loaded = LoadedTask(config.tasks[0], task, tuple(task.problems()[:24]))
    with Workshop(config, folder) as shop:
        step = grading.verdicts_step(shop, loaded, samples_step(shop.store, loaded))
    sys.stdout.write(str(step.path))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except HarnessError as error:  # as the command line does
        sys.exit(sys.stderr.write(f"harness: {error}\n") and error.exit_code)
