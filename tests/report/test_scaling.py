"""docs/scaling.md is what the plans say; shared work is counted once."""

from __future__ import annotations

import shlex

import pytest

from harness.config import resolve
from harness.pipeline.cost import estimate
from harness.pipeline.plan import make_plan
from harness.pipeline.work import added, together, work
from harness.report import scaling


@pytest.mark.slow
def test_the_committed_page_is_current():
    assert scaling.PAGE.read_text() == scaling.page(), "run python -m harness.report.scaling"


def test_every_command_of_the_page_is_one_that_the_program_takes():
    lines = [line for line in scaling.PAGE.read_text().splitlines() if line.startswith("harness plan ")]
    assert len(lines) == 2 * len(scaling.LIST) + 1
    for line in [lines[0], lines[len(scaling.LIST) - 1], lines[-1]]:  # resolving all takes long; the page test does it
        resolve(shlex.split(line.removeprefix("harness plan ")))


def test_the_list_has_every_ablation():
    import ablations

    assert {*scaling.LIST, *scaling.NOT_LISTED} == set(ablations.names())


@pytest.fixture(scope="module")
def night():
    names = ("released_checkpoints", "matched_decoding", "locks_and_forks")
    overrides = ("model=qwen3_4b_instruct", scaling.V6, "scale=full", *scaling.NIGHT)
    return {name: scaling.entry(name, overrides) for name in names}


def test_pieces_add_up_to_the_plans_total(night):
    for e in night.values():
        assert sum(e.pieces.values()) == pytest.approx(e.cost.hours.total, rel=1e-9)


def test_what_is_shared_is_counted_once(night):
    first, second = night["released_checkpoints"].pieces, night["matched_decoding"].pieces
    both = together([first, second])
    shared = sum(hours for piece, hours in first.items() if piece in second)
    # Five decodings of the base are arms of both.
    assert len([piece for piece in first if piece in second]) == 5
    assert sum(both.values()) == pytest.approx(sum(first.values()) + sum(second.values()) - shared)
    assert added(second, first) == pytest.approx(sum(second.values()) - shared)
    assert added(second, second) == 0


def test_the_order_takes_what_asks_most_for_each_added_hour(night):
    order = scaling.by_information(list(night.values()))
    assert order[0][0].name == "released_checkpoints"
    assert sum(hours for _, _, hours in order) == pytest.approx(
        sum(together([e.pieces for e in night.values()]).values())
    )
    asked = [q for _, new, _ in order for q in new]
    assert len(asked) == len(set(asked))
    rates = [len(new) / hours for _, new, hours in order]
    alone = {e.name: len(e.questions) / e.cost.hours.total for e in night.values()}
    assert rates[0] == pytest.approx(max(alone.values()))


def test_a_model_whose_hours_cannot_be_estimated_is_refused():
    from harness.errors import BadInput

    plan = make_plan(resolve(["ablation=difficulty", "model=someone/some-model", "scale=smoke"]), outline=True)
    assert estimate(plan).hours is None
    with pytest.raises(BadInput, match="cannot be estimated"):
        work(plan)
