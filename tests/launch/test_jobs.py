"""A run as jobs: in an order that works, each step once, and to the same record whoever carries them out."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from same_run import same_run

from harness.config import resolve
from harness.errors import BadInput
from harness.launch.on_slurm import waves
from harness.pipeline.jobs import execute, jobs, unfinished
from harness.pipeline.plan import make_plan
from harness.pipeline.run import run
from harness.pipeline.workshop import NotInStore


def plan_of(*overrides: str):
    return make_plan(resolve(["scale=smoke", *overrides]))


def kinds(found):
    return Counter(j.kind for j in found)


@pytest.mark.parametrize(
    "overrides",
    [
        ("ablation=matched_decoding", "task=[starter,humaneval]", "scale.seeds=[0,1]"),
        ("ablation=iterative_ssd",),
        ("ablation=two_stage", "scale.seeds=[0,1,2]"),
        ("ablation=null_control", "from=generate"),
        ("ablation=matched_decoding", "until=train"),
    ],
)
def test_what_a_job_needs_stands_before_it_and_is_of_no_later_phase(overrides):
    plan = plan_of(*overrides)
    found = jobs(plan, 1000)
    order = {"train": 0, "generate": 1, "grade": 2}
    for number, job in enumerate(found):
        assert all(n < number and order[found[n].phase] <= order[job.phase] for n in job.needs)
        assert len(set(job.needs)) == len(job.needs)
    assert {j.phase for j in found} == set(plan.config.phases)


def test_steps_that_arms_share_are_one_job():
    """Seven decoding settings of one base, two of one trained model: nine cells, one corpus, one training."""
    found = jobs(plan_of("ablation=two_stage", "scale.seeds=[0]"), 1000)
    cells = {(j.subject.model, j.subject.policy, j.subject.task, j.subject.seed) for j in found if j.kind == "samples"}
    assert len(cells) == kinds(found)["samples"] == kinds(found)["verdicts"]
    # Filters and shuffled answers change what is trained on, never what is sampled.
    control = kinds(jobs(plan_of("ablation=null_control"), 1000))
    assert control["corpus"] < control["model"]


def test_every_seed_is_a_chain_of_its_own():
    one = kinds(jobs(plan_of("ablation=matched_decoding", "scale.seeds=[0]"), 1000))
    three = kinds(jobs(plan_of("ablation=matched_decoding", "scale.seeds=[0,1,2]"), 1000))
    assert three == Counter({k: 3 * n for k, n in one.items()})


@pytest.mark.parametrize(
    ("problems", "samples", "a_share", "shares"), [(8, 5, 1000, 0), (120, 10, 200, 6), (8, 60, 400, 2)]
)
def test_a_large_cell_is_graded_in_shares(problems, samples, a_share, shares):
    plan = plan_of("ablation=difficulty", f"task.starter.limit={problems}", f"task.starter.samples={samples}")
    found = jobs(plan, a_share)
    assert kinds(found)["share"] == 3 * shares
    for job in found:
        if job.kind == "verdicts":
            assert len([n for n in job.needs if found[n].kind == "share"]) == shares


def test_waves_put_needs_before_what_needs_them():
    found = jobs(plan_of("ablation=iterative_ssd"), 1000)
    arrays = waves(found)
    assert sorted(i for wave in arrays for i in wave) == list(range(len(found)))
    place = {i: number for number, wave in enumerate(arrays) for i in wave}
    assert all(place[n] < place[i] for i, job in enumerate(found) for n in job.needs)
    assert all(len({found[i].kind for i in wave}) == 1 for wave in arrays)


@pytest.mark.slow
def test_jobs_in_any_order_that_works_make_the_record_of_one_process(small, by_this_process, tmp_path):
    config = replace(resolve(small), launcher="ray")
    plan = make_plan(config)
    found = jobs(plan, 1000)
    draw = random.Random(7)
    done: set[int] = set()
    while len(done) < len(found):
        ready = [i for i, j in enumerate(found) if i not in done and set(j.needs) <= done]
        chosen = draw.choice(ready)
        execute(found[chosen], config, tmp_path)
        done.add(chosen)
    assert unfinished(found, plan, tmp_path)[0] == ()
    record = run(replace(config, phases=()), tmp_path)
    same_run(record, by_this_process)
    assert record.head["config"]["launcher"] == "ray"

    # With one verdict gone, exactly that job is left.
    key = record.head["cells"][1]["verdicts"]["key"]
    (tmp_path / "store" / "verdicts" / key / "done.json").unlink()
    (left,) = unfinished(found, plan, tmp_path)[0]
    assert left.kind == "verdicts"
    assert left.subject.arm == record.head["cells"][1]["arm"]
    assert left.needs == ()


def test_a_job_does_not_do_the_work_of_another(small, tmp_path):
    config = resolve(small)
    found = jobs(make_plan(config), 1000)
    last = next(j for j in found if j.kind == "samples" and j.needs)
    with pytest.raises(NotInStore):
        execute(last, config, tmp_path)
    with pytest.raises(NotInStore):
        execute(next(j for j in found if j.kind == "verdicts"), config, tmp_path)


def test_a_driver_whose_nodes_run_other_code_says_so(small, tmp_path):
    with pytest.raises(BadInput, match="is one version of this package installed on all nodes"):
        run(replace(resolve(small), phases=(), launcher="ray"), tmp_path)
