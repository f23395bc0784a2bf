"""Extraction: one property a test, answers of the kinds that small and large models really give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grade.extract import RULES, blocks, defines, extract_code
from harness.grade.programs import assemble
from harness.tasks.base import Problem

F = "def f(x):\n    return x + 1\n"
PROBLEM = Problem(
    id="p",
    prompt='import math\n\n\ndef helper(x):\n    return math.floor(x)\n\n\ndef f(x):\n    """Add one."""\n',
    entry_point="f",
    tests="",
)


@pytest.mark.parametrize("tag", ["python", "Python", "py", "python3", "", " python ", "{.python}"])
def test_a_fence_with_any_python_tag_is_code(tag: str) -> None:
    assert extract_code(f"Here:\n```{tag}\n{F}```\nDone.", "f").strip() == F.strip()


def test_crlf_line_ends_are_accepted() -> None:
    assert extract_code(f"```python\r\n{F}```".replace("\n", "\r\n"), "f").strip() == F.strip()


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert extract_code(f"Sure.\n```python\n{F}", "f").strip() == F.strip()


def test_the_last_definition_wins_over_a_later_example() -> None:
    text = (
        f"```python\ndef f(x): return 0\n```\nBetter:\n```python\n{F}```\n"
        "Use:\n```python\nprint(f(1))\n```\nOutput:\n```\n2\n```"
    )
    assert extract_code(text, "f").strip() == F.strip()
    assert extract_code(text, "f", "last_block").strip() == "2"
    assert extract_code(text, "f", "first_block").strip() == "def f(x): return 0"


def test_other_languages_are_not_code() -> None:
    assert extract_code("```bash\npip install x\n```", "f") == ""


def test_bare_code_with_prose_around_it() -> None:
    assert extract_code(f"The function is\n{F}\nThis adds one to x.", "f").strip() == F.strip()


def test_thinking_is_not_an_answer() -> None:
    assert extract_code("<think>```python\ndef f(x): return 9\n```</think>\nNo code.", "f") == ""


@pytest.mark.parametrize(
    "text", ["```python3\n" + F + "```", "```python \n" + F + "```", "```python\r\n" + F + "```", "```python\n" + F]
)
def test_the_official_rule_finds_nothing_where_the_behaviour_table_says_so(text: str) -> None:
    assert extract_code(text, "f", "ssd_official") == ""


@given(st.text())
def test_extraction_never_raises(text: str) -> None:
    for rule in RULES:
        extract_code(text, "f", rule)
    blocks(text)
    defines(text, "f")


def test_a_completion_continues_the_prompt_byte_for_byte() -> None:
    assert assemble(PROBLEM, "    return x + 1\n", "completion").source == PROBLEM.prompt + "    return x + 1\n"


def test_a_body_in_a_response_continues_the_prompt_even_without_indent() -> None:
    program = assemble(PROBLEM, "```python\nreturn helper(x) + 1\n```", "response")
    scope: dict[str, object] = {}
    assert program.source is not None
    exec(program.source, scope)
    assert scope["f"](3.5) == 4  # type: ignore[operator]


def test_a_whole_function_gets_the_prompts_helpers() -> None:
    program = assemble(
        PROBLEM, "```python\nfrom __future__ import annotations\ndef f(x):\n    return helper(x)\n```", "response"
    )
    scope: dict[str, object] = {}
    assert program.source is not None
    exec(program.source, scope)
    assert scope["f"](3.5) == 3  # type: ignore[operator]


@pytest.mark.parametrize("answer", ["", "   \n", "I cannot help with that."])
def test_no_code_has_a_reason(answer: str) -> None:
    program = assemble(PROBLEM, answer, "response")
    assert program.source is None
    assert program.reason


@pytest.mark.parametrize(
    ("form", "text", "answer"),
    [
        ("plain", "a </think> b", "a </think> b"),
        ("thinking", "let me see\n```python\ndraft\n```\n</think>\n\nfinal", "\n\nfinal"),
        ("thinking", "a</think>b</think>c", "c"),
        ("thinking", "```python\na draft in a thought that the limit cut\n```", ""),
        (
            "harmony",
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>",
            "yes",
        ),
        ("harmony", "<|channel|>final<|message|>cut by the lim", "cut by the lim"),
        ("harmony", "<|channel|>final <|constrain|>json<|message|>{}<|return|>", "{}"),
        ("harmony", "<|channel|>analysis<|message|>never came to an end", ""),
        ("harmony", "analysisWe need a function.assistantfinal```python\nx = 1\n```", "```python\nx = 1\n```"),
        ("harmony", "finalyes", "yes"),
        ("harmony", "analysisWe need", ""),
    ],
)
def test_the_answer_without_the_thought(form, text, answer):
    from harness.grade.extract import final_answer

    assert final_answer(text, form) == answer


def test_an_unknown_form_of_answers_is_refused():
    from harness.grade.extract import final_answer

    with pytest.raises(ValueError, match="prose"):
        final_answer("x", "prose")
