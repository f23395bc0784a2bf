"""Canonical solutions pass and empty bodies fail, in the real sandbox."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.grade import Item, grade_samples, open_sandbox
from harness.tasks.base import Problem, Task
from harness.tasks.registry import load_task
from harness.tasks.selection import select
from sandbox import Outcome


def grade(task: Task, items: Sequence[Item]) -> dict[str, Outcome]:
    with open_sandbox("bubblewrap", 2) as executor:
        verdicts = {v.key: v for v in grade_samples(task, items, executor)}
    assert all(v.passed == (v.outcome is Outcome.PASSED) for v in verdicts.values())
    return {key: v.outcome for key, v in verdicts.items()}


def check(task: Task, problems: Sequence[Problem]) -> None:
    items: list[Item] = [(f"{p.id}:solved", p, p.canonical_solution, "completion") for p in problems]
    items += [(f"{p.id}:empty", p, "    pass\n", "completion") for p in problems]
    outcomes = grade(task, items)
    assert len(outcomes) == 2 * len(problems)
    solved = {k: v for k, v in outcomes.items() if k.endswith(":solved")}
    assert {k: v for k, v in solved.items() if v is not Outcome.PASSED} == {}
    empty = {k: v for k, v in outcomes.items() if k.endswith(":empty")}
    assert {k: v for k, v in empty.items() if v not in (Outcome.WRONG_ANSWER, Outcome.WRONG_TYPE)} == {}


@pytest.mark.parametrize("name", ["starter", "starter_dev"])
def test_a_few_starter_problems(name: str) -> None:
    task = load_task(name)
    check(task, select(task.problems(), 6))


def test_a_chat_answer_is_graded_as_the_program_it_holds() -> None:
    task = load_task("starter")
    problems = select(task.problems(), 4)
    fenced = "Here you are:\n\n```python\n{}{}```\n"
    answers: list[Item] = [
        (f"{p.id}:fenced", p, fenced.format(p.prompt, p.canonical_solution), "response") for p in problems
    ]
    answers += [(f"{p.id}:prose", p, "It returns the sum.", "response") for p in problems]
    outcomes = grade(task, answers)
    assert {k: v for k, v in outcomes.items() if k.endswith(":fenced") and v is not Outcome.PASSED} == {}
    assert {v for k, v in outcomes.items() if k.endswith(":prose")} == {Outcome.NO_CODE}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["starter", "starter_dev", "humaneval"])
def test_every_solution_passes_and_every_empty_body_fails(name: str) -> None:
    task = load_task(name)
    check(task, task.problems())
