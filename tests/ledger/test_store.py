"""The store: whole files or none, finished steps only when everything is there."""

from __future__ import annotations

import pytest

from harness.errors import CheckFailed
from harness.ledger.store import StepRequest, Store, dump_lines, load_lines, write_atomic


def request(**settings):
    return StepRequest("samples", 1, settings, {"weights": "abc"})


def test_a_step_is_keyed_by_what_is_asked(tmp_path):
    store = Store(tmp_path)
    assert store.step(request(t=1)).path == store.step(request(t=1.0)).path
    assert store.step(request(t=1)).path != store.step(request(t=2)).path
    assert request(t=1).key != StepRequest("samples", 2, {"t": 1}, {"weights": "abc"}).key


def test_parts_survive_and_a_step_is_done_only_when_finished(tmp_path):
    step = Store(tmp_path).step(request(t=1))
    step.write_part(3, b"x\n")
    again = Store(tmp_path).step(request(t=1))
    assert again.part(3) == b"x\n"
    assert again.part(2) is None
    assert not again.done
    again.finish({"out.jsonl": b"data"}, {"n": 1})
    assert step.done
    assert step.read("out.jsonl") == b"data"
    assert step.facts() == {"n": 1}


def test_a_changed_output_is_noticed(tmp_path):
    step = Store(tmp_path).step(request(t=1))
    step.finish({"out.jsonl": b"data"}, {})
    (step.path / "out.jsonl").write_bytes(b"datb")
    with pytest.raises(CheckFailed, match=r"out\.jsonl"):
        step.read("out.jsonl")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "f"
    write_atomic(target, b"old")
    with pytest.raises(TypeError):
        write_atomic(target, "not bytes")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_lines_keep_what_models_can_emit():
    rows = [{"text": 'lone \ud800, NUL \x00, "quotes", newline \n, \u2028'}]
    assert load_lines(dump_lines(rows)) == rows
    assert dump_lines(rows).isascii()
    assert dump_lines(rows).count(b"\n") == 1
