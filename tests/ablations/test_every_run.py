"""Every ablation, whole, with a tiny random model: samples, training, grading, measurement, record, table and audit."""

from __future__ import annotations

from pathlib import Path

import pytest

import ablations
from harness.config import resolve
from harness.pipeline.run import run
from harness.report.analysis import analyse, as_json
from harness.report.tables import arms_csv, contrasts_csv, render_markdown

SMALL = (
    *("scale=smoke", "scale.train_steps=1", "scale.train_prompts=6", "scale.train_max_new_tokens=12"),
    *("scale.limit={default: 3}", "scale.samples={default: 2}", "scale.max_new_tokens={default: 12}"),
    *("engine.threads=1", "engine.device=cpu", "sandbox=bubblewrap", "sandbox.workers=1"),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all, so that what ablations share is made once here too."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.slow
@pytest.mark.xdist_group("every-ablation")
@pytest.mark.parametrize("name", [n for n in ablations.names() if n != "released_checkpoints"])
def test_it_runs_from_samples_to_verdict(name: str, runs: Path, tiny_model: Path) -> None:
    treatment = [f"treatment={tiny_model}"] if name == "before_after" else []
    config = resolve([f"ablation={name}", f"model={tiny_model}", *treatment, *SMALL])
    record = run(config, runs)
    design = ablations.load(name)
    found = analyse(record)
    assert [t.task for t in found] == [t.name for t in config.tasks]
    for task in found:
        assert len(task.arms) == len(record.head["arms"])
        assert task.decision.status in design.outcomes
        assert "nan" not in task.decision.sentence
    table = render_markdown(record)
    assert "nan" not in table
    assert all(a["name"] in table for a in record.head["arms"])
    assert "nan" not in arms_csv([record]) + contrasts_csv([record])
    assert as_json(found)
    again = run(config, runs)
    assert again.run_id == record.run_id
