"""Tasks whose answers are not Python functions: what is read as an answer, what is right, what has the wrong form."""

from __future__ import annotations

import ast
import collections
import json
import math
import re
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config import resolve
from harness.errors import BadInput, MissingCapability
from harness.grade import Item, Verdict, grade_samples, open_sandbox
from harness.ledger.record import count
from harness.tasks import shell
from harness.tasks.base import JudgesAnswers, Task
from harness.tasks.cruxeval import Cruxeval, load_cruxeval, prediction
from harness.tasks.gsm8k import Gsm8k, final_number, load_gsm8k
from harness.tasks.instructions import RULES, load_instructions, words
from harness.tasks.registry import load_task
from harness.tasks.selection import select
from harness.tasks.shell import find_busybox, load_shell, script_of
from sandbox import Outcome

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared(name: str) -> str:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    return str(path)


def write(path: Path, *rows: dict[str, object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def outcomes(task: Task, items: list[Item]) -> dict[str, Verdict]:
    with open_sandbox("bubblewrap", 1) as executor:
        return {v.key: v for v in grade_samples(task, items, executor)}


# GSM8K


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


# CRUXEval

ROW = {"code": "def f(a, b):\n    return [a, b]", "input": "1, b='x'", "output": "[1, 'x']", "id": "s0"}


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
    path = write(tmp_path / "c.jsonl", {**ROW, **change})
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


# Shell


def _text(*found: object) -> str:
    return "".join(f"{line}\n" for line in found)


def _frequency(lines: list[str]) -> list[str]:
    counted = collections.Counter(lines)
    return [f"{n} {w}" for w, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _between(lines: list[str]) -> list[str]:
    return lines[lines.index("BEGIN") + 1 : lines.index("END")]


def _lookup(lines: list[str]) -> str:
    return dict(line.split("=", 1) for line in lines[1:]).get(lines[0], "none")


BY_PYTHON = {
    "count_lines": lambda t, ls: [len(ls)],
    "upper_case": lambda t, ls: [x.upper() for x in ls],
    "sort_numbers": lambda t, ls: sorted(map(int, ls)),
    "first_three": lambda t, ls: ls[:3],
    "last_line": lambda t, ls: ls[-1:],
    "reverse_lines": lambda t, ls: ls[::-1],
    "second_word": lambda t, ls: [x.split()[1] for x in ls],
    "comma_third": lambda t, ls: [x.split(",")[2] for x in ls],
    "no_blank_lines": lambda t, ls: [x for x in ls if x],
    "unique_sorted": lambda t, ls: sorted(set(ls)),
    "sum_numbers": lambda t, ls: [sum(map(int, ls))],
    "largest_number": lambda t, ls: [max(map(int, ls))],
    "count_word": lambda t, ls: [sum("error" in x.lower() for x in ls)],
    "number_lines": lambda t, ls: [f"{i}: {x}" for i, x in enumerate(ls, 1)],
    "swap_words": lambda t, ls: [" ".join(x.split()[::-1]) for x in ls],
    "fizz": lambda t, ls: ["Fizz" if i % 3 == 0 else i for i in range(1, int(t) + 1)],
    "countdown": lambda t, ls: range(int(t), -1, -1),
    "even_or_odd": lambda t, ls: ["odd" if int(x) % 2 else "even" for x in ls],
    "longest_line": lambda t, ls: [max(ls, key=len)],
    "word_frequency": lambda t, ls: _frequency(ls),
    "trim_spaces": lambda t, ls: [x.strip(" ") for x in ls],
    "join_comma": lambda t, ls: [",".join(ls)],
    "split_colon": lambda t, ls: ls[0].split(":"),
    "file_extension": lambda t, ls: [x.rpartition(".")[2] for x in ls],
    "base_name": lambda t, ls: [x.rpartition("/")[2] for x in ls],
    "count_vowels": lambda t, ls: [sum(t.count(v) for v in "aeiou")],
    "mask_digits": lambda t, ls: ["".join("#" if c.isdigit() else c for c in x) for x in ls],
    "between_markers": lambda t, ls: _between(ls),
    "key_lookup": lambda t, ls: [_lookup(ls)],
    "column_average": lambda t, ls: [sum(int(x.split()[1]) for x in ls) // len(ls)],
    "repeat_char": lambda t, ls: [t.split()[0] * int(t.split()[1])],
    "factorial": lambda t, ls: [math.factorial(int(t))],
    "gcd": lambda t, ls: [math.gcd(*map(int, t.split()))],
    "log_levels": lambda t, ls: [f"{w} {n}" for w, n in sorted(collections.Counter(x.split()[0] for x in ls).items())],
    "drop_comments": lambda t, ls: [x for x in ls if not x.startswith("#")],
    "squeeze_spaces": lambda t, ls: [re.sub(" +", " ", x) for x in ls],
}
"""Every problem solved again in Python: the whole input and its lines, to the lines of the output."""


def test_expected_outputs_of_the_shell_problems() -> None:
    problems = load_shell().problems()
    assert len(problems) >= 30
    assert {p.id.removeprefix("shell/") for p in problems} == BY_PYTHON.keys()
    for problem in problems:
        assert len(problem.tests) >= 2
        for given_text, expected in problem.tests:
            again = _text(*BY_PYTHON[problem.id.removeprefix("shell/")](given_text, given_text.splitlines()))
            assert expected == again, problem.id
        assert len({expected for _, expected in problem.tests}) > 1, "one constant would pass"


@pytest.mark.parametrize(
    ("answer", "script"),
    [
        ("```sh\nwc -l\n```", "wc -l\n"),
        ("```\nwc -l\n```", "wc -l\n"),
        ("```bash\nfirst\n```\nor\n```bash\nwc -l\n```", "wc -l\n"),
        ("#!/bin/sh\nwc -l", "#!/bin/sh\nwc -l\n"),
        ("wc -l", "wc -l\n"),
        ("```python\nprint(len(open(0).readlines()))\n```", ""),
        ("You can count them with wc.", ""),
        ("", ""),
    ],
)
def test_scripts_of_answers(answer: str, script: str) -> None:
    assert script_of(answer) == script


needs_busybox = pytest.mark.skipif(find_busybox() is None, reason="no statically linked BusyBox on this machine")


@needs_busybox
@pytest.mark.parametrize("n", [4, pytest.param(0, marks=pytest.mark.slow)])
def test_shell_answers_are_run_by_a_shell_in_the_sandbox(n: int) -> None:
    task = load_shell()
    chosen = select(task.problems(), n)
    items: list[Item] = [(f"{p.id}:solved", p, f"```sh\n{p.canonical_solution}\n```", "response") for p in chosen]
    items += [(f"{p.id}:silent", p, "```sh\n:\n```", "response") for p in chosen]
    items += [(f"{p.id}:python", p, "```python\nprint(1)\n```", "response") for p in chosen]
    found = outcomes(task, items)
    for suffix, wanted in (("solved", Outcome.PASSED), ("silent", Outcome.WRONG_ANSWER), ("python", Outcome.NO_CODE)):
        assert {k: v.outcome for k, v in found.items() if k.endswith(suffix) and v.outcome is not wanted} == {}


@needs_busybox
def test_a_shell_script_has_the_limits_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "LIMITS", replace(shell.LIMITS, cpu_seconds=1.0))
    task = load_shell()
    problem = task.problems()[0]
    answers = {"loop": "while :; do :; done", "flood": "yes", "python": "command -v python3 || echo no"}
    found = outcomes(task, [(k, problem, a, "solution") for k, a in answers.items()])
    assert found["loop"].outcome is Outcome.CPU_TIMEOUT
    assert not found["flood"].passed
    assert found["python"].outcome is Outcome.WRONG_ANSWER, "the script reaches BusyBox's applets and nothing else"


def test_grading_shell_without_busybox_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "find_busybox", lambda: None)
    shell.packed_busybox.cache_clear()
    task = load_shell()
    with pytest.raises(MissingCapability, match="busybox-static"):
        task.plan(task.problems()[0])
    shell.packed_busybox.cache_clear()


# Instructions


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


# Sources, names, records


@pytest.mark.parametrize("name", ["gsm8k", "cruxeval_o", "cruxeval_i"])
def test_the_hub_is_asked_for_the_pinned_split(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(repository: str, configuration: str | None, *, split: str, revision: str) -> object:
        asked.append((repository, split, len(revision)))
        rows = {"gsm8k": {"question": ["q"] * 1319, "answer": ["x\n#### 3"] * 1319}}
        crux = {k: [v] * 800 for k, v in ROW.items()} | {"id": [f"sample_{i}" for i in range(800)]}
        return datasets.Dataset.from_dict(rows.get(name, crux))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    task = load_task(name)
    assert asked == [("openai/gsm8k" if name == "gsm8k" else "cruxeval-org/cruxeval", "test", 40)]
    assert len(task.problems()) == (1319 if name == "gsm8k" else 800)
    assert isinstance(task, JudgesAnswers)


@pytest.mark.parametrize("error", [ConnectionError("offline"), OSError("offline"), ValueError("no such revision")])
def test_without_the_hub_one_line_says_what_to_do(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def load_dataset(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(MissingCapability, match=r"task=gsm8k: openai/gsm8k .*task\.gsm8k\.path=") as caught:
        load_task("gsm8k")
    assert "\n" not in str(caught.value)


def test_without_the_datasets_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingCapability, match="pip install datasets"):
        load_task("cruxeval_o")


@pytest.mark.parametrize(
    ("name", "row", "complaint"),
    [
        ("gsm8k", {"question": "q"}, "row 1: no answer"),
        ("gsm8k", {"question": "q", "answer": "four"}, "row 1: answer does not end in"),
        ("gsm8k", {"question": 1, "answer": "#### 1"}, "question is not a string"),
        ("cruxeval_o", {**ROW, "output": "open('x')"}, "output is no Python literal"),
        ("cruxeval_o", {**ROW, "code": "def f(:"}, "code does not compile"),
        ("cruxeval_i", {**ROW, "input": "1 +"}, "input is no argument list"),
    ],
)
def test_bad_rows_are_named(name: str, row: dict[str, object], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=complaint):
        load_task(name, path=write(tmp_path / "rows.jsonl", row))


def test_each_task_may_have_a_path_of_its_own() -> None:
    chosen = ["task=[gsm8k,cruxeval_o,mbpp,shell]", "task.gsm8k.path=a.jsonl", "task.cruxeval_o.path=b.jsonl"]
    config = resolve(["ablation=out_of_domain", "scale=smoke", *chosen])
    assert {t.name: t.path for t in config.tasks} == {
        "gsm8k": "a.jsonl",
        "cruxeval_o": "b.jsonl",
        "mbpp": "",
        "shell": "",
    }
    assert resolve(["ablation=out_of_domain", "task=gsm8k", "task.path=c.jsonl"]).tasks[0].path == "c.jsonl"
    with pytest.raises(BadInput, match=r"task\.shell\.path"):
        resolve(["ablation=out_of_domain", "task=shell", "task.shell.path=x"])


def test_wrong_form_is_counted_apart_from_wrong_answers() -> None:
    common = {"arm": "a", "seed": 0, "task": "t", "problem": "p", "stratum": "", "finish": "stop", "tokens": 1}
    rows = [
        {**common, "outcome": o, "passed": o == "passed"} for o in ("passed", "wrong_answer", "no_answer", "no_code")
    ]
    (counted,) = count(rows)
    assert (counted["n"], counted["passed"], counted["no_code"]) == (4, 1, 2)


@pytest.mark.parametrize("n", [6, pytest.param(0, marks=pytest.mark.slow)])
def test_mbpp_solutions_pass_in_the_sandbox(n: int) -> None:
    task = load_task("mbpp", path=shared("mbpp_sanitized.jsonl"))
    assert len(task.problems()) == 427
    chosen = select(task.problems(), n)
    # The solutions have indents of their own, which do not go with the docstring's; so it is left out.
    whole = {p.id: p.prompt.split("    '''", 1)[0] + p.canonical_solution for p in chosen}
    found = outcomes(task, [(p.id, p, whole[p.id], "solution") for p in chosen])
    # Problem 56 asks for a function called ``check``, which this form's own ``check(candidate)`` hides: its test calls
    # itself, and no answer can pass.
    assert {k: v.detail for k, v in found.items() if not v.passed}.keys() <= {"MbppEval/56"}
