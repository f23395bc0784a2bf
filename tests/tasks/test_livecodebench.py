"""LiveCodeBench: windows, encodings, prompts, options, and what is refused. Grading is in ``tests/grade``."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.canonical import digest
from harness.config import resolve
from harness.errors import BadInput, MissingCapability
from harness.tasks import livecodebench, livecodebench_data
from harness.tasks.base import Problem
from harness.tasks.livecodebench import LiveCodeBench, erratum, load_livecodebench, outline_livecodebench
from harness.tasks.livecodebench_data import ERRATA, FILES, REVISION, WINDOWS, Window
from harness.tasks.registry import load_task, outline_task, task_names
from sandbox import Calls, StdinTests

FIXTURE = Path(__file__).parents[1] / "fixtures" / "livecodebench"
ROWS = [json.loads(line) for line in (FIXTURE / "test6.jsonl").read_text().splitlines()]


def load(name: str = "livecodebench_v6_delta", **more: Any) -> LiveCodeBench:
    return load_livecodebench(name, str(FIXTURE), **more)


def by_id(task: LiveCodeBench, name: str) -> Problem:
    return next(p for p in task.problems() if p.id == f"made_{name}")


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


# -- which problems ----------------------------------------------------------------------------------------------------


def test_windows_take_whole_months_by_contest_date() -> None:
    """Expected ids by the dates that the fixture's generator gave them."""
    v5, v6, delta = (load(n) for n in ("livecodebench_v5", "livecodebench_v6", "livecodebench_v6_delta"))
    ids = {
        name: {p.id.removeprefix("made_") for p in t.problems()} for name, t in zip("56d", (v5, v6, delta), strict=True)
    }
    assert ids["5"] == {"text_length", "biggest", "deep_chain", "count_pairs"}
    assert ids["6"] == {r["question_id"].removeprefix("made_") for r in ROWS} - {"text_length", "biggest", "too_old"}
    assert ids["5"] & ids["6"] == {"deep_chain", "count_pairs"}  # February 2025 is in both
    assert len(ids["d"]) == len(ROWS) == 13


def test_published_sizes_leave_february_in_both_sets() -> None:
    """454 problems of release 6 are from August 2024 on, so 51 of the paper's 374 and 131 must be the same."""
    v5, v6 = WINDOWS["livecodebench_v5"], WINDOWS["livecodebench_v6"]
    assert (v5.problems, v6.problems, WINDOWS["livecodebench_v6_delta"].problems) == (374, 131, 175)
    assert v5.problems + v6.problems - 454 == 51
    dates = ("2024-07-31", "2024-08-01", "2025-01-31", "2025-02-01T00:00:00", "2025-02-28", "2025-03-01", "2025-06-01")
    assert [v5.takes(d) for d in dates] == [False, True, True, True, True, False, False]
    assert [v6.takes(d) for d in dates] == [False, False, False, True, True, True, False]


def test_a_problem_has_its_date_difficulty_and_platform() -> None:
    problem = by_id(load(), "means")
    assert (problem.date, problem.stratum, dict(problem.meta)["platform"]) == ("2025-04-19", "medium", "leetcode")
    assert problem.entry_point == "means"
    assert {dict(p.meta)["platform"] for p in load().problems()} == {"atcoder", "codeforces", "leetcode"}
    assert {p.stratum for p in load().problems()} == {"easy", "medium", "hard"}
    assert {p.tests["kind"] for p in load().problems()} == {"stdin", "functional"}


def test_no_private_test_is_in_memory_or_in_digested_data_before_it_is_wanted() -> None:
    text = repr(load().problems())
    for row in ROWS:
        assert row["private_test_cases"] not in text
    assert digest([[p.id, p.tests] for p in load().problems()])  # canonical JSON, so usable as a key


def test_the_errata_are_a_list_with_reasons_and_are_taken_out_where_asked(tmp_path: Path) -> None:
    assert len(ERRATA) == 14
    assert all(ERRATA.values())
    rows = [
        {**ROWS[0], "question_id": i, "question_title": t} for i, t in (("abc350_c", "Sort"), ("1", "Find the Peaks"))
    ]
    path = str(write(tmp_path / "rows.jsonl", [*rows, ROWS[1]]))
    kept = load_livecodebench("livecodebench_v6", path)
    assert [bool(erratum(p)) for p in kept.problems()] == [True, True, False]
    left = load_livecodebench("livecodebench_v6", path, (("errata", "exclude"),))
    assert [p.id for p in left.problems()] == ["made_halves"]
    assert kept.version != left.version


def test_the_version_follows_tests_prompt_and_number(tmp_path: Path) -> None:
    whole = load().version
    assert "-13-" in whole
    assert load(options=(("prompt", "official"),)).version != whole
    changed = [dict(r) for r in ROWS]
    changed[1]["private_test_cases"] = changed[1]["private_test_cases"].replace("1.5", "1.6")
    assert changed != ROWS
    assert load_livecodebench("livecodebench_v6_delta", str(write(tmp_path / "r.jsonl", changed))).version != whole


# -- tests -------------------------------------------------------------------------------------------------------------


def test_every_encoding_gives_the_tests_that_were_written() -> None:
    task = load()
    assert task.tests(by_id(task, "add_up")) == (  # pickle protocol 4
        ("2\n1\n2\n", "3\n"), ("3\n1\n2\n3\n", "6\n"), ("1\n-5\n", "-5\n"), ("0\n", "0\n")
    )  # fmt: skip
    assert task.tests(by_id(task, "halves")) == (("1 2\n", "0.5 1.0\n"), ("3 4 5\n", "1.5 2.0 2.5\n"))  # plain JSON
    assert task.tests(by_id(task, "deep_chain"))[1] == ("5000\n", "5000\n")  # pickle protocol 0


def test_plans_by_kind_and_profile() -> None:
    strict, official = load(), load(profile="ssd_official")
    plan = strict.plan(by_id(strict, "count_pairs"))
    assert isinstance(plan, Calls)
    assert [c.args for c in plan.calls] == [("ab", "b"), ("a=1,b=2=3,c", "="), ("x", "y")]
    assert [c.expected for c in plan.calls] == [1, 3, 0]
    whole = official.plan(by_id(official, "add_up"))
    assert isinstance(whole, StdinTests)
    assert len(whole.cases) == 3  # private ones only
    assert official.limits(by_id(official, "add_up")).cpu_seconds == 7 * 3 + 5
    assert strict.limits(by_id(strict, "add_up")).cpu_seconds == 6


def test_tests_are_unpacked_for_a_few_problems_at_a_time() -> None:
    task = load()
    for problem in task.problems():
        first = task.plan(problem)
        assert task.plan(problem) is first
        assert len(task.prepared) <= livecodebench.REMEMBERED
    assert task.plan(task.problems()[0])  # read again


def test_hostile_rows_load_and_are_refused_when_their_tests_are_wanted() -> None:
    task = load_livecodebench("livecodebench_v6", str(FIXTURE / "hostile.jsonl"))
    assert len(task.problems()) == 12
    for problem in task.problems():
        with pytest.raises(BadInput, match=f"problem {problem.id}, private tests: "):
            task.tests(problem)


def test_a_file_that_changes_under_a_task_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ROWS)
    task = load_livecodebench("livecodebench_v6_delta", str(path))
    write(path, [*ROWS[1:], ROWS[0]])
    with pytest.raises(BadInput, match="changed since it was read"):
        task.tests(task.problems()[0])


# -- prompts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["add_up", "evens"])
@pytest.mark.parametrize(("prompt", "roles"), [("paper", "su"), ("official", "su"), ("release", "u")])
def test_prompts_hold_the_statement_and_the_starter_code(name: str, prompt: str, roles: str) -> None:
    task = load(options=(("prompt", prompt),))
    problem = by_id(task, name)
    messages = task.messages(problem)
    assert "".join(m["role"][0] for m in messages) == roles
    user = messages[-1]["content"]
    starter = dict(problem.meta)["starter_code"]
    assert problem.prompt in user
    assert starter in user
    assert ("stdin" in user or "standard input" in user) is not bool(starter)
    for given, expected in task.tests(problem)[1:]:
        assert given not in user or len(given) < 4
        assert expected not in user or len(expected) < 4


def test_the_official_wordings_are_those_that_were_published() -> None:
    """Digests of the published templates, filled with a question ``Q`` and starter code ``S``, as they were read."""
    problem = Problem("q", "Q", "", {}, meta=(("starter_code", ""),))
    from harness.tasks.livecodebench_prompts import official, release

    told = {
        "official, stdin": official(problem, "")[1]["content"],
        "official, starter": official(problem, "S")[1]["content"],
        "release, stdin": release(problem, "")[0]["content"],
        "release, starter": release(problem, "S")[0]["content"],
    }
    assert told["official, stdin"].startswith(
        "### Question:\nQ\n\n### Format: Read the inputs from stdin solve the problem"
    )
    assert told["official, stdin"].endswith(
        "as follows.\n```python\n# YOUR CODE HERE\n```\n\n### Answer: (use the provided format with backticks)\n\n"
    )
    assert "### Format: You will use the following starter code" in told["official, starter"]
    assert "within delimiters.\n```python\nS\n```\n\n### Answer" in told["official, starter"]
    assert told["release, stdin"].endswith("writes output to STDOUT.\n```python\n  # YOUR CODE HERE\n```")
    assert told["release, starter"].endswith("within delimiters as follows.\n```python\nS\n```")
    assert told["release, starter"].startswith("You will be given a question (problem specification) and will generate")


# -- options, profiles, names ------------------------------------------------------------------------------------------


def test_the_command_line_reaches_options_and_profile() -> None:
    path = f"task.livecodebench_v6.path={FIXTURE}"
    config = resolve([
        "ablation=matched_decoding", "task=livecodebench_v6", path, "task.profile=ssd_official",
        "task.livecodebench_v6.prompt=official", "task.livecodebench_v6.errata=exclude",
    ])  # fmt: skip
    (ref,) = config.tasks
    assert (ref.profile, dict(ref.options)) == ("ssd_official", {"prompt": "official", "errata": "exclude"})
    task = load_task(ref.name, ref.path, ref.options, ref.profile)
    assert isinstance(task, LiveCodeBench)
    assert (task.prompt, task.profile.name) == ("official", "ssd_official")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["task=humaneval", "task.profile=ssd_official"], "task.profile=ssd_official: humaneval can only be graded as"),
        (["task=[starter,livecodebench_v6]", "task.profile=livecodebench"], "starter can only be graded as 'strict'"),
        (["task=livecodebench_v6", "task.profile=ssd_oficial"], "no such profile; did you mean 'ssd_official'"),
        (["task=livecodebench_v6", "task.livecodebench_v6.promt=paper"], "did you mean 'task.livecodebench_v6.prompt'"),
    ],
)
def test_profiles_where_they_do_not_apply_are_one_line(overrides: list[str], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        resolve(["ablation=matched_decoding", *overrides])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_values_get_the_nearest_one() -> None:
    with pytest.raises(BadInput, match="prompt=offical: no such prompt; did you mean 'official'"):
        load(options=(("prompt", "offical"),))
    with pytest.raises(BadInput, match="humaneval can only be graded as 'strict'"):
        load_task("humaneval", profile="livecodebench")


def test_names() -> None:
    assert set(WINDOWS) <= set(task_names())


@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_a_plan_knows_the_published_number_without_any_file(name: str) -> None:
    assert len(outline_task(name).problems()) == WINDOWS[name].problems
    assert len(outline_task(name, str(FIXTURE)).problems()) < 14
    with pytest.raises(BadInput, match="no such option"):
        outline_livecodebench(name, (("prmpt", "paper"),))


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"platform": "elsewhere"}, "platform 'elsewhere' is none of"),
        ({"difficulty": "trivial"}, "difficulty 'trivial' is none of"),
        ({"contest_date": "soon"}, "'soon' is no date"),
        ({"contest_date": None}, "contest_date is missing or not a text"),
        ({"metadata": "["}, "are no JSON"),
        ({"metadata": json.dumps({"func_name": "no name"})}, "is no Python name"),
        ({"public_test_cases": "{}"}, "tests are no list"),
        ({"public_test_cases": json.dumps([{"input": "1"}])}, "needs input and output"),
        ({"public_test_cases": json.dumps([{"input": "1", "output": "1", "testtype": "functional"}])}, "of kind stdin"),
    ],
)
def test_rows_out_of_form_are_named(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [ROWS[1], {**ROWS[0], **change}])
    with pytest.raises(BadInput) as caught:
        load_livecodebench("livecodebench_v6", str(path))
    assert words in str(caught.value)
    assert "rows.jsonl, line 2" in str(caught.value)


@pytest.mark.parametrize("line", ["not json", "[1]", '{"a": 1}', "[" * 100_000])
def test_lines_that_are_no_rows_are_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(BadInput, match=r"rows\.jsonl, line 1: "):
        load_livecodebench("livecodebench_v6", str(path))


def test_paths_that_give_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_livecodebench("livecodebench_v6", str(tmp_path / "none.jsonl"))
    with pytest.raises(BadInput, match=r"none of test\.jsonl"):
        load_livecodebench("livecodebench_v6", str(tmp_path))
    with pytest.raises(BadInput, match="no problem of"):
        load_livecodebench("livecodebench_v5", str(write(tmp_path / "r.jsonl", [ROWS[0]])))
    with pytest.raises(BadInput, match="occurs twice"):
        load_livecodebench("livecodebench_v6", str(write(tmp_path / "r.jsonl", [ROWS[0], ROWS[0]])))


def test_a_test_that_we_cannot_read_is_a_fault_of_the_tests(tmp_path: Path) -> None:
    rows = [
        {**r, "private_test_cases": '[{"input": "{", "output": "1"}]'} for r in ROWS if "Evens" in r["question_title"]
    ]
    path = str(write(tmp_path / "rows.jsonl", rows))
    strict = load_livecodebench("livecodebench_v6", path)
    with pytest.raises(BadInput, match="made_evens: a test cannot be read"):
        strict.judge(strict.problems()[0], "x = 1", "solution")
    theirs = load_livecodebench("livecodebench_v6", path, profile="livecodebench")
    judged = theirs.judge(theirs.problems()[0], "x = 1", "solution")
    assert judged is not None
    assert not judged.passed


# -- from the Hub ------------------------------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fixture's rows as two published files; gives the names of the files that were asked for."""
    old, new = tmp_path / "test5.jsonl", tmp_path / "test6.jsonl"
    write(old, [r for r in ROWS if r["contest_date"] < "2025-02"])
    write(new, [r for r in ROWS if r["contest_date"] >= "2025-02"])
    asked: list[str] = []

    def fetch(name: str, task: str) -> Path:
        asked.append(name)
        return tmp_path / name

    files = {p.name: (p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest()) for p in (old, new)}
    monkeypatch.setattr(livecodebench, "FILES", files)
    monkeypatch.setattr(livecodebench, "hub_file", fetch)
    for name, problems in (("livecodebench_v5", 4), ("livecodebench_v6", 10)):
        window = replace(WINDOWS[name], files=("test5.jsonl", "test6.jsonl"), problems=problems)
        monkeypatch.setitem(livecodebench_data.WINDOWS, name, window)
    return asked


def test_newest_files_are_read_first_and_only_until_the_set_is_complete(published: list[str]) -> None:
    assert len(load_livecodebench("livecodebench_v6").problems()) == 10
    assert published == ["test6.jsonl"]
    published.clear()
    task = load_livecodebench("livecodebench_v5")
    assert published == ["test6.jsonl", "test5.jsonl"]
    assert [p.id for p in task.problems()][:2] == ["made_text_length", "made_biggest"]  # in the order of the files


@pytest.mark.parametrize("problems", [9, 11])
def test_another_number_than_the_published_one_is_refused(
    problems: int, published: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    window: Window = replace(livecodebench_data.WINDOWS["livecodebench_v6"], problems=problems)
    monkeypatch.setitem(livecodebench_data.WINDOWS, "livecodebench_v6", window)
    with pytest.raises(MissingCapability, match=f"10 problems .* published number is {problems}"):
        load_livecodebench("livecodebench_v6")


def test_other_bytes_than_the_published_ones_are_refused(published: list[str], tmp_path: Path) -> None:
    with (tmp_path / "test6.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(BadInput, match="its bytes differ"):
        load_livecodebench("livecodebench_v6")


class _Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hub as the client needs to fetch a file of a data set; it serves the fixture."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.asked.append(self.path)
        if not self.path.startswith("/datasets/"):  # the client asks for more than files
            self.send_error(404)
            return
        data = (FIXTURE / Path(self.path).name).read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def test_the_hubs_client_is_asked_for_the_pinned_revision_and_another_file_is_refused(tmp_path: Path) -> None:
    """The real client against a server on this machine that hands out the fixture in place of the published file."""
    pytest.importorskip("huggingface_hub")
    _Hub.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE"))},
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
            "HF_HOME": str(tmp_path),
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
        }
        command = [
            sys.executable,
            "-m",
            "harness.cli",
            "grade",
            FIXTURE / "samples.jsonl",
            "task=livecodebench_v6_delta",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        server.shutdown()
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].endswith(
        f"not the file published at revision {REVISION[:8]} (its bytes differ)"
    )
    files = {path for path in _Hub.asked if path.startswith("/datasets/")}
    assert files == {f"/datasets/livecodebench/code_generation_lite/resolve/{REVISION}/test6.jsonl"}
    fetched = [p for p in tmp_path.rglob("test6.jsonl") if p.stat().st_size]
    assert fetched
    assert fetched[0].read_bytes() == (FIXTURE / "test6.jsonl").read_bytes()


def test_the_fixture_is_what_its_script_writes(tmp_path: Path) -> None:
    shutil.copy(FIXTURE / "make.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "make.py"], check=True, timeout=60)
    for name in ("test6.jsonl", "samples.jsonl", "hostile.jsonl"):
        made = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        kept = [json.loads(line) for line in (FIXTURE / name).read_text().splitlines()]
        assert [r.get("question_id", r.get("task_id")) for r in made] == [
            r.get("question_id", r.get("task_id")) for r in kept
        ]
        for new, old in zip(made, kept, strict=True):
            # Compressed bytes may differ between versions of zlib; everything else may not.
            assert {k: v for k, v in new.items() if k != "private_test_cases"} == {
                k: v for k, v in old.items() if k != "private_test_cases"
            }


def test_published_files_are_six_of_known_size() -> None:
    assert list(FILES) == ["test.jsonl", *(f"test{i}.jsonl" for i in range(2, 7))]
    assert sum(size for size, _ in FILES.values()) == 4_485_994_821  # the size that the data set's own card gives
    assert all(len(sha) == 64 for _, sha in FILES.values())


def test_the_command_that_a_page_shows_for_a_run_names_profile_and_options() -> None:
    from harness.canonical import to_plain
    from harness.report.site.provenance import run_command

    given = ["task.profile=ssd_official", "task.livecodebench_v6.errata=exclude", "task.livecodebench_v6.limit=9"]
    config = to_plain(resolve(["ablation=matched_decoding", "task=livecodebench_v6", *given]))
    command = run_command({"config": config, "ablation": "matched_decoding"})
    assert all(value in command.split() for value in given)
    assert "prompt=" not in command  # as it is by default
    assert to_plain(resolve(command.split()[2:])) == config
