"""Where the tasks beside code come from: the Hub, files, one path each; and how wrong forms are counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.config import resolve
from harness.errors import BadInput, MissingCapability
from harness.ledger.record import count
from harness.tasks.base import JudgesAnswers
from harness.tasks.registry import load_task
from harness.tasks.selection import select
from tests.tasks.answers import CRUXEVAL_ROW, outcomes, shared, write


@pytest.mark.parametrize("name", ["gsm8k", "cruxeval_o", "cruxeval_i"])
def test_the_hub_is_asked_for_the_pinned_split(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(repository: str, configuration: str | None, *, split: str, revision: str) -> object:
        asked.append((repository, split, len(revision)))
        rows = {"gsm8k": {"question": ["q"] * 1319, "answer": ["x\n#### 3"] * 1319}}
        crux = {k: [v] * 800 for k, v in CRUXEVAL_ROW.items()} | {"id": [f"sample_{i}" for i in range(800)]}
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
        ("cruxeval_o", {**CRUXEVAL_ROW, "output": "open('x')"}, "output is no Python literal"),
        ("cruxeval_o", {**CRUXEVAL_ROW, "code": "def f(:"}, "code does not compile"),
        ("cruxeval_i", {**CRUXEVAL_ROW, "input": "1 +"}, "input is no argument list"),
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
    assert {k: v.detail for k, v in found.items() if not v.passed} == {}
