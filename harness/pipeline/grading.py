"""The grading step: samples of a task become verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.canonical import digest, text_digest
from harness.grade import Item, Verdict, grade_samples
from harness.grade.profiles import profile_named
from harness.ledger.store import Step, StepRequest, dump_lines, load_lines
from harness.pipeline.plan import LoadedTask
from harness.pipeline.workshop import Workshop, chunks, in_parts

VERDICTS_VERSION = 1
CHUNK = 200
"""Samples a stored part: a few seconds of work, so little is lost when a run is killed."""


def verdicts_step(
    shop: Workshop,
    loaded: LoadedTask,
    samples: Step,
    form: str = "plain",
    graded_elsewhere: Mapping[int, bytes] | None = None,
) -> Step:
    """Grade samples. Output ``verdicts.jsonl``: one row a sample, in the samples' order.

    ``form`` is how their model marks its answer (:func:`harness.pipeline.plan.answer_form`);
    ``graded_elsewhere`` has parts that :func:`grade_share` made in other processes.
    """
    step = _step(shop, loaded, samples, form)
    with shop.making(step) as wanted:
        if not wanted:
            return step
        for index, data in (graded_elsewhere or {}).items():
            if step.part(index) is None:
                step.write_part(index, data)
        rows = load_lines(samples.read("samples.jsonl"))

        def grade(part: Sequence[int]) -> list[dict[str, Any]]:
            return grade_rows(shop, loaded, [rows[i] for i in part], form)

        graded = in_parts(step, chunks(len(rows), CHUNK), grade, "programs")
        facts = {"programs": len(graded), "executor": shop.executor().describe()}
        step.finish({"verdicts.jsonl": dump_lines(graded)}, facts)
    return step


def grade_share(
    shop: Workshop, loaded: LoadedTask, samples: Step, share: int, shares: int, form: str = "plain"
) -> dict[int, bytes]:
    """Grade every ``shares``-th part from number ``share`` on, without finishing the step; the parts, stored too.

    Processes with different shares work at the same time, so the step is not locked: a part is written whole or not at
    all, and two of the same number have the same verdicts.
    """
    step = _step(shop, loaded, samples, form)
    rows = load_lines(samples.read("samples.jsonl"))
    out = {}
    for index, part in list(enumerate(chunks(len(rows), CHUNK)))[share::shares]:
        data = step.part(index)
        if data is None:
            shop.may_make(step)
            data = dump_lines(grade_rows(shop, loaded, [rows[i] for i in part], form))
            step.write_part(index, data)
        out[index] = data
    return out


def _step(shop: Workshop, loaded: LoadedTask, samples: Step, form: str) -> Step:
    settings = {"task": loaded.ref.name, "version": loaded.task.version, "profile": loaded.ref.profile}
    if form != "plain":
        settings["answer"] = form
    inputs = {"samples": samples.output_digest("samples.jsonl"), "tests": tests_digest(loaded)}
    return shop.store.step(StepRequest("verdicts", VERDICTS_VERSION, settings, inputs))


def grade_rows(
    shop: Workshop, loaded: LoadedTask, rows: Sequence[dict[str, Any]], form: str = "plain"
) -> list[dict[str, Any]]:
    """Verdict rows for sample rows, in their order."""
    problems = {p.id: p for p in loaded.problems}
    profile = profile_named(loaded.ref.profile)
    items: list[Item] = [
        (str(i), problems[r["problem"]], profile.answer(r["text"], form), "response") for i, r in enumerate(rows)
    ]
    verdicts = {v.key: v for v in grade_samples(loaded.task, items, shop.executor())}
    return [_row(row, verdicts[item[0]]) for row, item in zip(rows, items, strict=True)]


def tests_digest(loaded: LoadedTask) -> str:
    """Digest of everything about the problems that decides verdicts."""
    return digest([[p.id, p.prompt, p.entry_point, p.tests] for p in loaded.problems])


def _row(sample: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    return {
        "problem": sample["problem"],
        "index": sample["index"],
        "outcome": str(verdict.outcome),
        "passed": verdict.passed,
        "cpu_seconds": round(verdict.cpu_seconds, 4),
        "detail": verdict.detail,
        "tests_passed": verdict.tests_passed,
        "tests_total": verdict.tests_total,
        "program_digest": verdict.program,
        "sample_digest": text_digest(sample["text"]),
    }
