"""Records: what is in them, how large they are, how older ones are read."""

from __future__ import annotations

import copy
import json
import random
import shutil

import pytest
from making_records import DESIGN, plan_of

from harness.canonical import digest, file_digest, text_digest
from harness.errors import BadInput
from harness.ledger.identity import run_id
from harness.ledger.migrate import SCHEMA_VERSION, migrate
from harness.ledger.record import Record, count, load_record, write_record
from harness.ledger.schema import NAMES, faults, schema
from harness.ledger.statement import statement_lines, statements


def only(runs) -> Record:
    (head,) = runs.glob("*/record.json")
    return load_record(head.parent)


def test_a_record_is_as_its_schema_says(run_folder):
    assert faults("record", only(run_folder).head) == []


@pytest.mark.parametrize("key", ["run_id", "code", "tasks", "cells", "environment", "files", "rule", "seeds"])
def test_the_schema_misses_what_is_missing(run_folder, key):
    head = dict(only(run_folder).head)
    del head[key]
    assert faults("record", head)


def test_every_schema_is_a_schema():
    from jsonschema import Draft202012Validator

    for name in NAMES:
        Draft202012Validator.check_schema(schema(name))
        assert faults(name, {})


def test_each_prompt_has_the_digest_of_its_messages(run_folder):
    record = only(run_folder)
    (task,) = plan_of(DESIGN).tasks
    prompts = record.head["tasks"][0]["prompts"]
    assert set(prompts) == {p.id for p in task.problems}
    for p in task.problems:
        assert prompts[p.id] == digest(task.task.messages(p))


def test_the_run_id_covers_configuration_code_and_inputs_and_nothing_else(run_folder):
    head = only(run_folder).head
    assert run_id(head) == head["run_id"]
    for path in (("config", "seed"), ("code", "commit"), ("cells", 0, "samples", "digest"), ("models", 0, "weights")):
        other = copy.deepcopy(head)
        place = other
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = "another"
        assert run_id(other) != head["run_id"], path
    later = copy.deepcopy(head)
    later["finished"] += 1
    later["environment"]["cpu"] = "another"
    assert run_id(later) == head["run_id"]


def test_a_version_1_record_is_read_and_its_file_left_alone(run_folder, tmp_path):
    new = only(run_folder)
    folder = tmp_path / "old"
    shutil.copytree(new.path, folder)
    old = json.loads((folder / "record.json").read_text())
    old["schema"] = 1
    for key in ("seeds", "tokens"):
        del old[key]
    for task in old["tasks"]:
        del task["prompts"], task["grader"]
    for cell in old["cells"]:
        del cell["tokens"], cell["model"]
    del old["environment"]["gpu"], old["environment"]["driver"]
    (folder / "record.json").write_text(json.dumps(old))
    before = file_digest(folder / "record.json")
    record = load_record(folder)
    assert record.head["schema"] == SCHEMA_VERSION
    assert record.head["written_as"] == 1
    assert record.head["seeds"] == [0]
    assert record.head["tasks"][0]["prompts"] is None
    assert faults("record", record.head) == []
    assert run_id(record.head) == record.run_id
    assert file_digest(folder / "record.json") == before
    assert record.counts() == new.counts()


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, None, "2"])
def test_an_unknown_version_is_refused(version):
    with pytest.raises(BadInput, match="schema"):
        migrate({"schema": version}, "record.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_what_is_no_record_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_record(tmp_path)
    assert "\n" not in str(caught.value)


def test_counts_leave_out_what_could_not_be_graded():
    row = {"arm": "a", "seed": 0, "task": "t", "problem": "p", "stratum": "", "tokens": 3, "finish": "stop"}
    rows = [
        {**row, "outcome": "passed", "passed": True},
        {**row, "outcome": "infra_error", "passed": False},
        {**row, "outcome": "no_code", "passed": False, "finish": "length"},
    ]
    (cell,) = count(rows)
    assert (cell["n"], cell["passed"], cell["infra"], cell["no_code"], cell["truncated"]) == (2, 1, 1, 1, 1)
    assert cell["tokens"] == 9


def test_a_quick_run_fits_git(run_folder, tmp_path):
    """Quick scale: seven arms, 164 HumanEval problems once and 120 starter problems five times, texts all different."""
    rng = random.Random(0)
    words = [f"name_{i}" for i in range(3000)]
    verdicts, samples = [], []
    sizes = {"humaneval": (164, 1, 160), "starter": (120, 5, 96)}
    for arm in [a["name"] for a in only(run_folder).head["arms"]]:
        for task, (problems, per, tokens) in sizes.items():
            for p in range(problems):
                for i in range(per):
                    text = " ".join(rng.choices(words, k=tokens))
                    where = {"arm": arm, "seed": 0, "task": task, "problem": f"{task}/{p}", "index": i}
                    shared = {"tokens": tokens, "finish": "stop"}
                    samples.append({**where, "text": text, **shared})
                    row = {
                        "outcome": rng.choice(["passed", "wrong_answer", "runtime_error"]),
                        "cpu_seconds": round(rng.random(), 4),
                        "detail": f"NameError: {rng.choice(words)}",
                        "tests_passed": 0,
                        "tests_total": 1,
                        "program_digest": text_digest(text + "p")[:32],
                        "sample_digest": text_digest(text),
                    }
                    verdicts.append({**where, "stratum": "", **row, "passed": row["outcome"] == "passed", **shared})
    head = {k: v for k, v in only(run_folder).head.items() if k not in ("files", "schema")}
    record = write_record(tmp_path / "quick", head, verdicts, samples, [])
    sizes_on_disk = {p.name: p.stat().st_size for p in record.path.iterdir()}
    assert sum(v for k, v in sizes_on_disk.items() if k != "samples.jsonl.zst") < 2e6
    assert sizes_on_disk["samples.jsonl.zst"] <= 5e6


def test_one_statement_a_file_in_in_toto_form(run_folder):
    record = only(run_folder)
    made = statements(record)
    assert [s["subject"][0]["name"] for s in made] == ["record.json", *sorted(record.head["files"])]
    for s in made:
        assert faults("statement", s) == []
        (subject,) = s["subject"]
        assert subject["digest"]["sha256"] == file_digest(record.path / subject["name"])
        names = {d["name"]: d for d in s["predicate"]["buildDefinition"]["resolvedDependencies"]}
        assert names["code"]["digest"] == {"gitCommit": "a" * 40}
        assert "model 0 weights" in names
    assert statement_lines(record) == statement_lines(load_record(record.path))
