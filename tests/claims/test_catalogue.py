"""The claims file: complete, agreeing with the published tables, and without a status of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import ablations
from harness.claims.catalogue import ContrastTest, VerdictTest, load
from harness.errors import BadInput
from harness.ledger.schema import faults

RESULTS = Path(__file__).parents[2] / "results"
MODELS = {
    "Qwen3-4B-Thinking": "qwen3-4b-thinking",
    "Qwen3-30B-Thinking": "qwen3-30b-thinking",
    "GPT-OSS-20B (high)": "gpt-oss-20b",
    "Llama-3.1-8B-Instruct": "llama31-8b-instruct",
    "Qwen3-4B-Instruct": "qwen3-4b-instruct",
    "Qwen3-30B-Instruct": "qwen3-30b-instruct",
}


@pytest.fixture(scope="module")
def claims():
    return {c.id: c for c in load(RESULTS / "claims.yaml")}


@pytest.fixture(scope="module")
def tables():
    return yaml.safe_load((RESULTS / "published" / "ssd.yaml").read_text())["tables"]


def test_the_file_is_as_its_schema_says():
    assert faults("claims", yaml.safe_load((RESULTS / "claims.yaml").read_text())) == []


def numbers(quote: str) -> list[float]:
    return [float(x.replace("−", "-")) for x in re.findall(r"[+−]?\d+\.\d", quote)]


@pytest.mark.parametrize("benchmark", ["v5", "v6"])
def test_every_cell_of_table_2_is_a_claim_with_its_numbers(claims, tables, benchmark):
    for row in tables[f"table2_{benchmark}"]["rows"]:
        for metric in ("pass@1", "pass@5"):
            for i, stratum in enumerate(tables[f"table2_{benchmark}"]["columns"]):
                name = f"t2-{benchmark}-{MODELS[row['name']]}-p{metric[-1]}"
                claim = claims[name if stratum == "all" else f"{name}-{stratum}"]
                base, ssd = row["base"][metric][i], row["SSD"][metric][i]
                assert numbers(claim.quote)[:2] == [base, ssd]
                (test,) = claim.tests
                assert isinstance(test, ContrastTest)
                assert (test.contrast.treatment, test.contrast.control) == ("ssd@eval", "base")
                assert test.contrast.metric == metric
                assert test.stratum == ("" if stratum == "all" else stratum)
                if test.quoted is not None:
                    assert test.quoted == pytest.approx((ssd - base) / 100, abs=1e-9)
                else:
                    assert ssd == base


def test_every_cell_of_table_5_is_a_claim_with_its_numbers(claims, tables):
    for row in tables["table5"]["rows"]:
        for i, column in enumerate(tables["table5"]["columns"]):
            claim = claims[f"t5-{column.replace('_', '-')}-{MODELS[row['name']]}"]
            assert numbers(claim.quote)[:2] == [row["base"][i], row["SSD"][i]]


def test_every_open_question_has_its_entry(claims):
    questions = [c.question for c in claims.values() if c.question]
    assert sorted(questions, key=lambda q: int(q[1:])) == [f"Q{n}" for n in range(1, 36)]
    assert all(c.side == "critic" for c in claims.values() if c.question)


def test_what_tests_a_claim_exists(claims):
    """A contrast's arms are arms of its ablation, and a verdict that is read is one the ablation can give."""
    from harness.config import resolve
    from harness.pipeline.plan import make_plan

    arms = {}
    for claim in claims.values():
        for test in claim.tests:
            assert test.ablation in ablations.names(), claim.id
            if isinstance(test, VerdictTest):
                assert set(test.reads) <= set(ablations.load(test.ablation).outcomes), claim.id
            else:
                if test.ablation not in arms:
                    pair = ["model=qwen3_4b_instruct"] if test.ablation == "released_checkpoints" else []
                    plan = make_plan(resolve([f"ablation={test.ablation}", "scale=smoke", *pair]), outline=True)
                    arms[test.ablation] = {a.name for a in (*plan.arms, *plan.derived)}
                assert {test.contrast.treatment, test.contrast.control} <= arms[test.ablation], claim.id


GOOD = {"id": "a", "side": "paper", "group": "g", "statement": "s", "source": "x", "needs": "n"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "supported"}, "typed by hand"),
        ({"sied": "paper"}, "did you mean 'side'"),
        ({"side": "judge"}, "side=judge"),
        ({"statement": ""}, "statement is missing"),
        ({"needs": ""}, "nothing tests it"),
        ({"tests": [{"treatment": "a", "control": "b"}]}, "needs an ablation"),
        ({"tests": [{"ablation": "x", "treatment": "a"}]}, "needs treatment and control"),
        ({"tests": [{"ablation": "x", "treatment": "a", "control": "b", "quoted": "much"}]}, "must be a number"),
        ({"tests": [{"ablation": "x", "reads": {"suported": "refuted"}}]}, "did you mean 'supported'"),
        ({"tests": [{"ablation": "x", "reads": {}, "status": "supported"}]}, "no such key"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, change, words):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "claims": [{**GOOD, **change}]}))
    with pytest.raises(BadInput, match=re.escape(words)) as caught:
        load(path)
    assert "claim 1" in str(caught.value)


def test_two_claims_of_one_name(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "claims": [GOOD, GOOD]}))
    with pytest.raises(BadInput, match="two claims are called 'a'"):
        load(path)
