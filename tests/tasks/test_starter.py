"""The starter lists: their size, their form, and that they are the ones that were frozen."""

from __future__ import annotations

import ast
import doctest
import re
from collections import Counter

import pytest

from harness.tasks.base import Problem
from harness.tasks.registry import load_task
from harness.tasks.selection import content_digest, id_list_digest
from harness.tasks.starter import CONTENT_DIGESTS, ID_LIST_DIGESTS, STRATA

LISTS = ("starter", "starter_dev")


def problems(name: str) -> list[Problem]:
    return list(load_task(name).problems())


EVERY = [pytest.param(p, id=p.id) for name in LISTS for p in problems(name)]


def test_sizes() -> None:
    assert len(problems("starter")) >= 110
    assert len(problems("starter_dev")) >= 40


@pytest.mark.parametrize("name", LISTS)
def test_the_lists_are_the_frozen_ones(name: str) -> None:
    assert id_list_digest(p.id for p in problems(name)) == ID_LIST_DIGESTS[name]
    assert content_digest(problems(name)) == CONTENT_DIGESTS[name]


@pytest.mark.parametrize("name", LISTS)
def test_ids_and_levels(name: str) -> None:
    found = problems(name)
    assert [p.id for p in found] == [f"{name}/{i:03d}" for i in range(1, len(found) + 1)]
    assert set(Counter(p.stratum for p in found)) == set(STRATA)


def test_both_lists_have_the_same_shares_of_levels() -> None:
    shares = [
        {s: n / len(problems(name)) for s, n in Counter(p.stratum for p in problems(name)).items()} for name in LISTS
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.03)


def words(problem: Problem) -> list[str]:
    return re.findall(r"\w+", problem.prompt.lower())


def test_the_held_out_list_shares_nothing_with_the_evaluated_one() -> None:
    main, dev = problems("starter"), problems("starter_dev")
    names = [p.entry_point for p in main + dev]
    assert len(set(names)) == len(names)

    def grams(found: list[Problem]) -> set[tuple[str, ...]]:
        return {tuple(words(p)[i : i + 13]) for p in found for i in range(len(words(p)) - 12)}

    assert grams(main)
    assert not grams(main) & grams(dev)


@pytest.mark.parametrize("problem", EVERY)
def test_form(problem: Problem) -> None:
    """At least six different tests, an example that is true, and a prompt that ends inside the function asked for."""
    body = ast.parse(problem.tests).body
    assert [getattr(node, "name", "") for node in body] == ["check"]
    assert isinstance(body[0], ast.FunctionDef)
    asserts = [ast.unparse(node) for node in body[0].body if isinstance(node, ast.Assert)]
    assert len(asserts) == len(body[0].body) == len(set(asserts)) >= 6
    assert all("candidate(" in text for text in asserts)

    function = ast.parse(problem.prompt + problem.canonical_solution).body
    assert [getattr(node, "name", "") for node in function] == [problem.entry_point]

    # The solutions are ours, so running an example here is no execution of untrusted code.
    namespace: dict[str, object] = {}
    exec(problem.prompt + problem.canonical_solution, namespace)
    text = getattr(namespace[problem.entry_point], "__doc__", "")
    examples = doctest.DocTestParser().get_doctest(text, namespace, problem.entry_point, None, 0)
    assert examples.examples
    assert doctest.DocTestRunner(verbose=False).run(examples).failed == 0


@pytest.mark.parametrize("problem", EVERY)
def test_what_a_test_expects_is_no_constant_answer(problem: Problem) -> None:
    """Some two tests expect different values, so that no constant passes."""
    function = ast.parse(problem.tests).body[0]
    assert isinstance(function, ast.FunctionDef)
    expected = set()
    for node in function.body:
        assert isinstance(node, ast.Assert)
        assert isinstance(node.test, ast.Compare)
        expected.add(ast.unparse(node.test.comparators[0]))
    assert len(expected) >= 2
