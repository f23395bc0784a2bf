"""The event log: a chain in which every change shows."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput, CheckFailed
from harness.ledger import log
from harness.ledger.schema import faults as schema_faults


def chain(folder, count=4):
    for i in range(count):
        log.append(folder, "deviation", {"prereg": f"p{i}"}, f"reason {i}")
    return (folder / log.LOG).read_bytes()


def test_entries_carry_the_hash_of_the_line_before(tmp_path):
    lines = chain(tmp_path).splitlines()
    assert json.loads(lines[0])["prev"] == "0" * 64
    for before, after in itertools.pairwise(lines):
        assert json.loads(after)["prev"] == hashlib.sha256(before).hexdigest()
    assert log.head_hash(log.read(tmp_path)) == hashlib.sha256(lines[-1]).hexdigest()
    assert log.faults(tmp_path) == []


def test_entries_are_as_the_schema_says(tmp_path):
    for line in chain(tmp_path).splitlines():
        assert schema_faults("event", json.loads(line)) == []
    assert schema_faults("event", {"index": 0, "kind": "praise"})


def test_an_entry_needs_a_reason(tmp_path):
    with pytest.raises(BadInput, match="reason"):
        log.append(tmp_path, "deviation", {"prereg": "p"}, "  ")


def test_nothing_is_put_on_top_of_a_broken_chain(tmp_path):
    data = chain(tmp_path)
    (tmp_path / log.LOG).write_bytes(data.replace(b"reason 1", b"reason X"))
    with pytest.raises(CheckFailed, match="entry 2 does not carry"):
        log.append(tmp_path, "deviation", {"prereg": "p"}, "more")


def test_two_writers_leave_one_chain(tmp_path):
    def write():
        for _ in range(10):
            log.append(tmp_path, "deviation", {"prereg": "p"}, "why")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    events = log.read(tmp_path)
    assert log.faults(tmp_path) == []
    assert [e.index for e in events] == list(range(40))


@given(st.data())
def test_any_changed_byte_but_in_the_last_entry_breaks_the_chain(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("chain")
    raw = bytearray(chain(folder))
    last = raw.rindex(b"\n", 0, len(raw) - 1)
    at = data.draw(st.integers(0, last))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert log.parse(bytes(raw))[1]


@given(st.permutations(range(4)).filter(lambda p: p != [0, 1, 2, 3]))
def test_any_other_order_breaks_the_chain(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("chain")
    lines = chain(folder).splitlines(keepends=True)
    assert log.parse(b"".join(lines[i] for i in order))[1]


@given(st.sets(st.integers(0, 3), min_size=1, max_size=3).filter(lambda s: s != set(range(4 - len(s), 4))))
def test_any_entry_removed_before_another_breaks_the_chain(tmp_path_factory, gone):
    folder = tmp_path_factory.mktemp("chain")
    lines = chain(folder).splitlines(keepends=True)
    assert log.parse(b"".join(line for i, line in enumerate(lines) if i not in gone))[1]


def test_a_correction_withdraws_until_the_run_is_published_again(tmp_path):
    run = "a" * 32
    whole = {"run": run, "folder": "f", "record": "0", "provenance": "0", "left_out": {}, "exploratory": False}
    log.append(tmp_path, "publish", whole, "finished run")
    assert log.corrected(log.read(tmp_path)) == {}
    log.append(tmp_path, "correction", {"run": run, "folder": "f"}, "wrong tests")
    assert log.corrected(log.read(tmp_path)) == {run: "wrong tests"}
    log.append(tmp_path, "publish", whole, "the tests were right")
    assert log.corrected(log.read(tmp_path)) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "praise"},
        {"subject": {}},
        {"subject": "p0"},
        {"subject": {"prereg": "p0", "more": 1}},
        {"index": "0"},
        {"reason": None},
        {"extra": 1},
    ],
)
def test_an_entry_that_is_none_is_a_fault_and_no_entry(tmp_path, change):
    entry = json.loads(chain(tmp_path, 1)) | change
    events, faults = log.parse(json.dumps(entry).encode() + b"\n")
    assert events == []
    assert "entry 0 cannot be read" in faults[0]


def test_a_subject_that_does_not_belong_is_refused(tmp_path):
    with pytest.raises(ValueError, match="about folder, run"):
        log.append(tmp_path, "correction", {"run": "a"}, "why")
    assert not (tmp_path / log.LOG).read_bytes()
