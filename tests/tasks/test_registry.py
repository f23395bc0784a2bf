"""Names of tasks."""

from __future__ import annotations

import pytest

from harness.errors import BadInput
from harness.tasks.registry import load_task, task_names


def test_names() -> None:
    assert {"gsm8k", "humaneval", "instructions", "mbpp", "shell", "starter", "starter_dev"} <= set(task_names())
    assert list(task_names()) == sorted(task_names())


@pytest.mark.parametrize("name", ["humaneval", "starter", "starter_dev"])
def test_a_task_knows_its_name(name: str) -> None:
    assert load_task(name).name == name


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(BadInput, match="task=humanevel: no such task; did you mean 'humaneval'"):
        load_task("humanevel")


def test_a_name_like_none_gets_the_list() -> None:
    with pytest.raises(BadInput, match=r"there is .*humaneval, .*starter_dev"):
        load_task("zzz")


@pytest.mark.parametrize(
    ("name", "path", "options", "complaint"),
    [
        ("mbpp", "", (), "task.path: mbpp needs"),
        ("starter", "x.jsonl", (), "task.path=x.jsonl: starter has its own problems"),
        ("starter", "", (("split", "v2"),), "task option split=v2: starter has no options"),
    ],
)
def test_settings_that_a_task_does_not_take(
    name: str, path: str, options: tuple[tuple[str, str], ...], complaint: str
) -> None:
    with pytest.raises(BadInput) as caught:
        load_task(name, path=path, options=options)
    assert complaint in str(caught.value)
