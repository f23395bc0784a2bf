"""Executing a random share of the archived samples again and comparing verdicts.

What this does not promise: equal CPU times. A sample near a limit can flip on a slower machine; such a flip is shown as
what it is, a difference.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.audit.finding import Findings
from harness.errors import HarnessError
from harness.ledger.record import Record, Row

KEY = ("task", "arm", "seed", "problem", "index")


@dataclass(frozen=True, slots=True)
class Regraded:
    """What was executed: how many, with what, and how many verdicts differ."""

    samples: int
    differences: int
    seed: int
    executor: str


def regrade(records: Sequence[Record], share: float, seed: int, sandbox: str, found: Findings) -> Regraded:
    """Grade ``share`` (0 to 1) of the samples of each record again, at least one a record.

    Raises:
        MissingCapability: if this machine has no sandbox.
    """
    from harness.grade import open_sandbox

    total = differing = 0
    with open_sandbox(sandbox) as executor:
        for record in records:
            chosen = choose(record, share, seed)
            if chosen is None:
                found.add("unchecked", "regrade", record.path.name, "its samples are not here; `harness fetch` first")
                continue
            for task, pairs in sorted(chosen.items()):
                wrong = _regrade_task(record, task, pairs, executor, found)
                if wrong is not None:
                    total, differing = total + len(pairs), differing + wrong
        return Regraded(total, differing, seed, executor.name)


def choose(record: Record, share: float, seed: int) -> dict[str, list[tuple[Row, Row]]] | None:
    """A random share of (verdict, sample) pairs by task; ``None`` where the samples are not in the record's folder."""
    if not (record.path / "samples.jsonl.zst").exists():
        return None
    samples = {tuple(s[k] for k in KEY): s for s in record.samples()}
    verdicts = [v for v in record.verdicts() if v["outcome"] != "infra_error"]
    verdicts = [v for v in verdicts if tuple(v[k] for k in KEY) in samples]
    if not verdicts:
        return {}
    size = min(len(verdicts), max(1, round(share * len(verdicts))))
    picked = random.Random(f"{seed}:{record.run_id}").sample(verdicts, size)
    out: defaultdict[str, list[tuple[Row, Row]]] = defaultdict(list)
    for v in picked:
        out[v["task"]].append((v, samples[tuple(v[k] for k in KEY)]))
    return dict(out)


def answer_forms(record: Record) -> dict[str, str]:
    """By arm, how its model marks its answer: as the run's model does, where the record says nothing else."""
    usual = record.head["config"]["model"].get("answer", "plain")
    return {c["arm"]: c.get("answer", usual) for c in record.head["cells"]}


def _regrade_task(
    record: Record, task: str, pairs: list[tuple[Row, Row]], executor: Any, found: Findings
) -> int | None:
    from harness.grade import Item, TooManyInfraErrors, grade_samples
    from harness.grade.profiles import profile_named
    from harness.pipeline.replay import load_task_of

    where = f"{record.path.name} / {task}"
    try:
        loaded = load_task_of(record, task)
    except HarnessError as error:
        found.add("unchecked", "regrade", where, str(error))
        return None
    problems = {p.id: p for p in loaded.problems}
    profile, forms = profile_named(loaded.ref.profile), answer_forms(record)
    items: list[Item] = [
        (str(i), problems[s["problem"]], profile.answer(s["text"], forms[s["arm"]]), "response")
        for i, (_, s) in enumerate(pairs)
    ]
    graded = {}
    try:
        for verdict in grade_samples(loaded.task, items, executor):
            graded[verdict.key] = verdict
    except TooManyInfraErrors as error:
        found.add("unchecked", "regrade", where, str(error))
    differing = 0
    for i, (old, _) in enumerate(pairs):
        new = graded[str(i)]
        name = f"{old['task']} / {old['arm']} / seed {old['seed']} / {old['problem']} / sample {old['index']}"
        if str(new.outcome) == "infra_error":
            found.add("unchecked", "regrade", where, f"{name}: could not be graded here ({new.detail})")
        elif new.program != old["program_digest"]:
            differing += 1
            found.add("fault", "regrade", where, f"{name}: another program is extracted from it than was graded")
        elif str(new.outcome) != old["outcome"]:
            differing += 1
            found.add("fault", "regrade", where, f"{name}: recorded {old['outcome']}, executed again {new.outcome}")
    if not differing:
        found.add("holds", "regrade", where, f"{len(pairs)} samples executed again, no difference")
    return differing
