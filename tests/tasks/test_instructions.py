"""Instructions with checkable rules: examples follow them, constants do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.instructions import RULES, load_instructions, words
from sandbox import Outcome


def test_every_example_follows_its_rules_and_constants_do_not() -> None:
    task = load_instructions()
    assert len(task.problems()) >= 40
    assert len({p.prompt for p in task.problems()}) == len(task.problems())
    for problem in task.problems():
        assert task.judge(problem, problem.canonical_solution, "response").passed, problem.id
        for bad in ("", "```python\nx = [\n```", "Sure! " + "Here it is, the best, in 3 parts: 1, 2; E. " * 20):
            assert not task.judge(problem, bad, "response").passed, (problem.id, bad)
    used = {rule["rule"] for p in task.problems() for rule in p.tests}
    assert used == RULES.keys(), "no rule without a prompt"


def test_code_in_place_of_text_has_the_wrong_form() -> None:
    task = load_instructions()
    by_id = {p.id.removeprefix("instructions/"): p for p in task.problems()}
    code = "```python\nprint('Paris')\n```"
    assert task.judge(by_id["one_word_capital"], code, "response").outcome is Outcome.NO_ANSWER
    assert (
        task.judge(by_id["one_word_capital"], "def f():\n    return 'Paris'", "response").outcome is Outcome.NO_ANSWER
    )
    assert task.judge(by_id["one_word_capital"], "It is Paris.", "response").outcome is Outcome.WRONG_ANSWER
    assert task.judge(by_id["one_word_capital"], "Paris.", "response").outcome is Outcome.PASSED
    fenced = '```json\n{"name": "Ada", "age": 36}\n```'
    assert task.judge(by_id["json_person"], fenced, "response").outcome is Outcome.PASSED
    assert "json_object" in task.judge(by_id["json_person"], '{"name": "Ada", "age": true}', "response").detail


@pytest.mark.parametrize(
    ("rule", "options", "right", "wrong"),
    [
        ("words", {"at_least": 2, "at_most": 2}, "don't well-known", "one two three"),
        ("sentences", {"at_least": 1, "at_most": 1}, "Pi is 3.14.", "One. Two."),
        ("lines", {"at_most": 2}, "a\n\nb\n", "a\nb\nc"),
        ("paragraphs", {"at_least": 2}, "a\n \nb", "a\nb"),
        ("bullets", {"mark": "-", "only": True, "at_least": 1}, "- a\n- b", "- a\nb"),
        ("bullets", {"mark": "*", "at_least": 1}, "x\n* a", "- a"),
        ("numbered", {"count": 2}, "1. a\n2. b", "1. a\n3. b"),
        ("contains", {"all": ["green"], "times": 2}, "Green, green", "green greenish"),
        ("avoids", {"words": ["the"]}, "other", "The end"),
        ("without_letter", {"letter": "e"}, "A dog", "APPLE"),
        ("case", {"to": "upper"}, "A 1!", "Ab"),
        ("case", {"to": "lower"}, "a 1!", "12"),
        ("sorted_lines", {}, "a\nB\nc", "b\na"),
        ("line_starts", {"letters": "sun"}, "S\nu\nN", "s\nu"),
        ("json_list", {"of": "number", "at_least": 2}, "[1, 2.5]", "[1, '2']"),
        ("json_object", {"keys": {"a": "list"}}, '{"a": []}', '{"a": [], "b": 1}'),
        ("code_block", {}, "```python\nx = 1\n```", "```python\nx = = 1\n```"),
    ],
)
def test_rules(rule: str, options: dict[str, object], right: str, wrong: str) -> None:
    assert RULES[rule](right, options)
    assert not RULES[rule](wrong, options)


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=30))
def test_words_are_counted(some: list[str]) -> None:
    assert words(" ".join(some)) == some
