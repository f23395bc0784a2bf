"""CRUXEval: predicted outputs and inputs, read as literals, compared as values, run in the sandbox."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grade import Item
from harness.tasks.cruxeval import Cruxeval, load_cruxeval, prediction
from harness.tasks.gsm8k import final_number
from harness.tasks.selection import select
from harness.tasks.shell import script_of
from sandbox import Outcome
from tests.tasks.answers import CRUXEVAL_ROW, outcomes, shared, write


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("[ANSWER]assert f(1) == [1, 'x'][/ANSWER]", "[1, 'x']"),
        ("[ANSWER]f(1) == [1][/ANSWER] or rather [ANSWER]f(1) == [2][/ANSWER]", "[2]"),
        ("[ANSWER][1, 2][/ANSWER]", "[1, 2]"),
        ("[ANSWER]\n```python\nassert f(1) == 3\n```\n[/ANSWER]", "3"),
        ("[ANSWER]assert f(1) == 3", "3"),  # cut short
        ("It is\n```python\ndef f(a):\n    return a\n\nassert f(1) == 3\n```", "3"),
        ("It is\n```\n{'a': 1}\n```\nas said.", "{'a': 1}"),
        ("So `assert f(1) == 3`", None),
        ("So\n`assert f(1) == 3`", "3"),
        ("assert 3 == f(1)", "3"),
        ("-3", "-3"),
        ("", None),
        ("[ANSWER]assert f(1) == ??[/ANSWER]", None),
        ("The function returns a list with both.", None),
        ("<think>[ANSWER]1[/ANSWER]</think>", None),
    ],
)
def test_predicted_outputs(answer: str, value: str | None) -> None:
    assert prediction(answer, "output") == value


@pytest.mark.parametrize(
    ("answer", "arguments"),
    [
        ("[ANSWER]assert f(1, 'x') == [1, 'x'][/ANSWER]", "1, 'x'"),
        ("[ANSWER]f(1, b='x')[/ANSWER]", "1, b='x'"),
        ("[ANSWER]1, 'x'[/ANSWER]", "1, 'x'"),
        ("[ANSWER]assert f() == [][/ANSWER]", ""),
        ("[ANSWER]assert f(...) == [][/ANSWER]", None),
        ("[ANSWER]assert f(??) == [][/ANSWER]", None),
        ("Any list works.", None),
    ],
)
def test_predicted_inputs(answer: str, arguments: str | None) -> None:
    assert prediction(answer, "input") == arguments


@given(st.recursive(st.integers() | st.text() | st.booleans() | st.none(), lambda x: st.lists(x, max_size=3)))
def test_any_literal_survives_reading(value: object) -> None:
    source = prediction(f"[ANSWER]assert f(1) == {value!r}[/ANSWER]", "output")
    # Text of a value may itself hold the tag that ends an answer.
    if "[/ANSWER]" not in repr(value) and "[ANSWER]" not in repr(value):
        assert source is not None
        assert ast.literal_eval(source) == value


@given(st.text(max_size=200))
def test_no_answer_makes_reading_fail(answer: str) -> None:
    prediction(answer, "output")
    prediction(answer, "input")
    final_number(answer)
    script_of(answer)


def crux(tmp_path: Path, asks: str, **change: str) -> Cruxeval:
    path = write(tmp_path / "c.jsonl", {**CRUXEVAL_ROW, **change})
    return load_cruxeval("cruxeval", "output" if asks == "output" else "input", path)


def test_outputs_are_compared_as_values(tmp_path: Path) -> None:
    task = crux(tmp_path, "output")
    problem = task.problems()[0]
    found = {
        a: task.judge(problem, a, "response") for a in ("[1,'x']", "[1, 'y']", "no idea", "f(1, 'x')", "[1] + ['x']")
    }
    assert found["[1,'x']"] is not None
    assert found["[1,'x']"].outcome is Outcome.PASSED
    assert found["[1, 'y']"] is not None
    assert found["[1, 'y']"].outcome is Outcome.WRONG_ANSWER
    assert found["no idea"] is not None
    assert found["no idea"].outcome is Outcome.NO_ANSWER
    assert found["[1] + ['x']"] is None, "an expression must be run"
    assert problem.tests["output"] not in task.messages(problem)[0]["content"]


def test_inputs_are_run_and_answers_that_change_the_function_are_not(tmp_path: Path) -> None:
    task, other = crux(tmp_path, "input"), crux(tmp_path, "output")
    problem = task.problems()[0]
    answers = {
        "another spelling": "[ANSWER]f(*[1], 'x')[/ANSWER]",
        "wrong": "[ANSWER]f(2, 'x')[/ANSWER]",
        "fails": "[ANSWER]f(1)[/ANSWER]",
        "walrus": "[ANSWER]f((f := lambda *a: [1, 'x']), 1)[/ANSWER]",
        "globals": "[ANSWER]f(globals().update(f=1), 1)[/ANSWER]",
        "prose": "Take one and x.",
    }
    items: list[Item] = [(k, problem, a, "response") for k, a in answers.items()]
    found = {k: v.outcome for k, v in outcomes(task, items).items()}
    assert found == {
        "another spelling": Outcome.PASSED,
        "wrong": Outcome.WRONG_ANSWER,
        "fails": Outcome.RUNTIME_ERROR,
        "walrus": Outcome.WRONG_ANSWER,
        "globals": Outcome.WRONG_ANSWER,
        "prose": Outcome.NO_ANSWER,
    }
    run = {"right": "[1] + ['x']", "wrong": "[1] * 2"}
    graded = outcomes(other, [(k, other.problems()[0], a, "response") for k, a in run.items()])
    assert {k: v.outcome for k, v in graded.items()} == {"right": Outcome.PASSED, "wrong": Outcome.WRONG_ANSWER}


def test_recorded_outputs_of_all_of_cruxeval() -> None:
    task = load_cruxeval("cruxeval_o", "output", shared("cruxeval.jsonl"))
    assert len(task.problems()) == 800
    found = [task.judge(p, p.canonical_solution, "response") for p in task.problems()]
    assert {f.outcome for f in found if f is not None} == {Outcome.PASSED}
    assert None not in found


@pytest.mark.parametrize("n", [8, pytest.param(0, marks=pytest.mark.slow)])
def test_recorded_inputs_of_cruxeval_in_the_sandbox(n: int) -> None:
    """``n`` problems in the order of their ids' hashes (0: all 800): the recorded inputs pass."""
    task = load_cruxeval("cruxeval_i", "input", shared("cruxeval.jsonl"))
    chosen = select(task.problems(), n)
    items: list[Item] = [(p.id, p, p.canonical_solution, "response") for p in chosen]
    found = outcomes(task, items)
    assert {k: v.detail for k, v in found.items() if not v.passed} == {}
