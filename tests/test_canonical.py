"""Canonical JSON: one meaning, one text, one key."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.canonical import LATER, canonical_json, digest, key64, text_digest, to_plain
from harness.spec import Policy, Stage

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain)
def test_canonical_form_is_json_and_a_fixed_point(value):
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_key_order_does_not_matter(mapping):
    assert digest(dict(reversed(mapping.items()))) == digest(mapping)


def test_one_and_one_point_zero_are_one_number_and_true_is_not():
    assert digest({"t": 1}) == digest({"t": 1.0})
    assert digest({"t": 1}) != digest({"t": True})
    assert digest(Policy.single(1)) == digest(Policy.single(1.0))


def test_sequences_are_one_kind_and_class_names_count():
    assert digest((1, 2)) == digest([1, 2])
    assert to_plain(Stage()) == {"kind": "Stage", "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {1, 2}, b"x", object()])
def test_values_without_a_canonical_form_are_refused(value):
    with pytest.raises((TypeError, ValueError)):
        canonical_json(value)


def test_text_digest_is_sha256_of_utf8_and_keeps_lone_surrogates():
    assert text_digest("é") == hashlib.sha256("é".encode()).hexdigest()
    assert text_digest("\ud800") != text_digest("\ud801")


def test_keys_do_not_depend_on_the_process():
    here = key64(0, "eval", "starter", "starter/001", 3)
    script = "from harness.canonical import key64; print(key64(0, 'eval', 'starter', 'starter/001', 3))"
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert int(there) == here
    assert 0 <= here < 2**64


def test_a_field_added_later_does_not_change_old_keys():
    @dataclasses.dataclass(frozen=True)
    class Noun:
        a: int = 1

    old = digest(Noun())

    @dataclasses.dataclass(frozen=True)
    class Noun:
        a: int = 1
        b: float = dataclasses.field(default=0.0, metadata=LATER)

    assert digest(Noun()) == old
    assert digest(Noun(b=0.5)) != old
