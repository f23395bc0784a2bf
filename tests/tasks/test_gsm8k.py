"""GSM8K: which number an answer says, and what has the wrong form."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.gsm8k import Gsm8k, final_number, load_gsm8k
from sandbox import Outcome
from tests.tasks.answers import shared, write


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("16 - 3 - 4 = 9, 9 * 2 = 18\n#### 18", 18),
        ("#### 18.00", 18),
        ("#### $1,234", 1234),
        ("#### -5", -5),
        ("#### −5", -5),
        ("first #### 3, no: #### 4", 4),
        (r"so \boxed{42}.", 42),
        (r"so \boxed{\$42}.", 42),
        ("Therefore, the answer is 7.", 7),
        ("Answer: **7**", 7),
        ("18", 18),
        ("**18**", 18),
        ("0.5", "0.5"),
        ("<think>#### 1</think>\n#### 2", 2),
    ],
)
def test_final_numbers(answer: str, number: int | str) -> None:
    assert final_number(answer) == Decimal(number)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "She makes 18 dollars every day.",
        "```python\ndef eggs():\n    return 9 * 2\n```",
        "#### eighteen",
        "<think>#### 18</think>",
    ],
)
def test_what_is_no_final_number(answer: str) -> None:
    assert final_number(answer) is None


@given(st.integers(-(10**12), 10**12), st.text(max_size=40))
def test_a_marked_number_is_found_after_any_text(value: int, before: str) -> None:
    assert final_number(f"{before}\n#### {value:,}") == value


def gsm8k(tmp_path: Path) -> Gsm8k:
    row = {"question": "How many?", "answer": "1+1=<<1+1=2>>2\n#### 1,002"}
    return load_gsm8k(path=write(tmp_path / "g.jsonl", row))


def test_gsm8k_tells_wrong_numbers_from_wrong_form(tmp_path: Path) -> None:
    task = gsm8k(tmp_path)
    problem = task.problems()[0]
    assert problem.canonical_solution == "1+1=2\n#### 1002"
    assert task.judge(problem, problem.canonical_solution, "response").outcome is Outcome.PASSED
    assert task.judge(problem, "#### 1003", "response").outcome is Outcome.WRONG_ANSWER
    assert task.judge(problem, "```python\nprint(1002)\n```", "response").outcome is Outcome.NO_ANSWER
    assert problem.prompt in task.messages(problem)[0]["content"]


def test_all_of_gsm8k() -> None:
    task = load_gsm8k(path=shared("gsm8k_test.jsonl"))
    assert len(task.problems()) == 1319
    assert {task.judge(p, p.canonical_solution, "response").outcome for p in task.problems()} == {Outcome.PASSED}
    shifted = [task.judge(p, q.canonical_solution, "response").passed for p, q in pairs(task)]
    same = [p.tests == q.tests for p, q in pairs(task)]
    assert shifted == same


def pairs(task: Gsm8k) -> list[tuple[object, object]]:
    items = task.problems()
    return list(zip(items, [*items[1:], items[0]], strict=True))
