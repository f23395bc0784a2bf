"""Overrides: what works, and the one line for what does not."""

from __future__ import annotations

import pytest

from harness.config import options, resolve
from harness.errors import BadInput

RUN = "ablation=matched_decoding"


def test_documented_overrides_work_together(tmp_path):
    config = resolve([RUN, "scale=smoke", "ablation.t_train=1.5", f"model={tmp_path}", "task=[humaneval,starter]"])
    assert config.settings.t_train == 1.5
    assert config.model.source == str(tmp_path)
    assert [t.name for t in config.tasks] == ["humaneval", "starter"]
    assert config.scale.name == "smoke"
    assert config.train.steps == config.scale.train_steps


def test_a_hub_id_is_a_model_and_takes_a_revision():
    config = resolve([RUN, "model=someone/some-model", "model.revision=abc"])
    assert (config.model.source, config.model.revision) == ("someone/some-model", "abc")


def test_task_values_override_the_scale():
    config = resolve([RUN, "scale=smoke", "task.starter.samples=3", "task.starter.limit=2"])
    assert (config.tasks[0].samples_per_problem, config.tasks[0].limit) == (3, 2)
    assert resolve([RUN, "scale=smoke"]).tasks[0].samples_per_problem == 5


def test_the_same_overrides_give_equal_configurations():
    assert resolve([RUN, "scale=smoke"]) == resolve([RUN, "scale=smoke", "seed=0"])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["ablation=matched_decodin"], ["matched_decodin", "did you mean 'matched_decoding'"]),
        ([RUN, "ablation.t_trian=1"], ["ablation.t_trian", "did you mean 'ablation.t_train'"]),
        ([RUN, "scale=smok"], ["scale=smok", "did you mean 'smoke'"]),
        ([RUN, "task=humanevl"], ["humanevl", "did you mean 'humaneval'"]),
        ([RUN, "model=smollm2_135"], ["did you mean 'smollm2_135m'"]),
        ([RUN, "model=./no-such-folder"], ["no-such-folder", "no such folder"]),
        ([RUN, "ablation.t_train=hot"], ["ablation.t_train=hot", "number"]),
        ([RUN, "engine.device=tpu"], ["engine.device=tpu", "'cpu'"]),
        ([RUN, "seed=x"], ["seed=x", "integer"]),
        ([RUN, "task.starter.samples=0"], ["task.starter.samples=0", "at least 1"]),
        ([RUN, "task=[humaneval,starter]", "task.path=x.jsonl"], ["task.path", "2 tasks"]),
        ([RUN, "task.profile=livecodebench"], ["task.profile=livecodebench", "'strict'"]),
        ([RUN, "nonsense"], ["nonsense", "key=value"]),
        ([RUN, "+new=1"], ["key=value"]),
        ([], ["ablation=NAME", "matched_decoding"]),
    ],
)
def test_bad_input_gets_one_line_naming_key_value_and_nearest(overrides, words):
    with pytest.raises(BadInput) as caught:
        resolve(overrides)
    line = str(caught.value)
    assert "\n" not in line
    assert all(w in line for w in words), line


def test_options_are_the_files_of_a_group():
    assert {"smoke", "quick", "full"} <= set(options("scale"))
    assert "matched_decoding" in options("ablation")
