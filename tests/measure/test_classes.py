"""Token classes of known snippets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.classes import ROLES, code_spans, given_names, lexemes, token_classes

PROMPT = 'def add_all(items, n=2):\n    """Add."""\n'
GIVEN = given_names(PROMPT)

SOURCE = '''\
import math

def add_all(items: list, n=2) -> int:
    """Doc."""
    total, other = 0, 1
    for i, x in enumerate(items):
        if x > n and not other:
            total += math.floor(x)
        else:
            total = len([y for y in items if y])
    return helper(total) if n else None  # note

def helper(v):
    return v
'''

WANTED = {
    "choice": "import for enumerate if total floor total len for if return helper if def return total",
    "definition": "math other i x y helper v",
    "given": "add_all items n items n items n",
    "use": "list int x other math x y y total v",
    "keyword": "def and not in else in else",
    "bracket": "( ) ( ) ( ) ( [ ] ) ( ) ( )",
    "delimiter": ": , -> : , , , : : . : :",
    "operator": "= = > += =",
    "literal": "2 0 1 None",
    "prose": '"""Doc."""|# note',
}


def words(text: str) -> list[str]:
    return sorted(text.split("|") if "|" in text else text.split())


@pytest.mark.parametrize("kind", WANTED)
def test_a_function_by_class(kind: str) -> None:
    found = [SOURCE[t.start : t.end] for t in lexemes(SOURCE, GIVEN) if t.kind == kind]
    assert sorted(found) == words(WANTED[kind])


def test_names_that_the_prompt_gives() -> None:
    assert {"add_all", "items", "n"} == GIVEN
    assert given_names("no code here") == frozenset()


@pytest.mark.parametrize(
    ("source", "text", "kind"),
    [
        ("if a: return b\n", "return", "choice"),  # a statement on its header's line
        ("x = 1; y = 2\n", "y", "choice"),
        ("f(x=a)\n", "x", "use"),
        ("(z := 3)\n", "z", "definition"),
        ("with open(p) as handle:\n    pass\n", "handle", "definition"),
        ("a.append(1)\n", "append", "choice"),
        ("b = a.items\n", "items", "use"),  # an attribute is not the parameter of that name
        ("try:\n    pass\nexcept E:\n    pass\n", "except", "keyword"),
        ("d[k] = v\n", "v", "use"),
        ("x: int = 1\n", "int", "use"),
        ("...\n", "...", "literal"),
        ("@wraps\ndef f(): pass\n", "wraps", "use"),
    ],
)
def test_single_positions(source: str, text: str, kind: str) -> None:
    found = [t.kind for t in lexemes(source, GIVEN) if source[t.start : t.end] == text]
    assert found == [kind] * len(found)
    assert found


def test_only_the_first_binding_of_a_name_is_a_definition() -> None:
    source = "for k in a:\n    pass\nfor k in b:\n    pass\n"
    assert [t.kind for t in lexemes(source) if source[t.start : t.end] == "k"] == ["definition", "use"]


def test_code_that_stops_anywhere_keeps_the_labels_it_had() -> None:
    """A label may need the next token, never the rest of the program."""
    whole = lexemes(SOURCE, GIVEN)
    for cut in range(0, len(SOURCE), 3):
        part = lexemes(SOURCE[:cut], GIVEN)
        for a, b in zip(part[:-2], whole, strict=False):
            assert (a.start, a.end) == (b.start, b.end)
            if a.kind != b.kind:
                # Only the left side of an assignment may wait for its "=".
                line = SOURCE[SOURCE.rfind("\n", 0, a.start) + 1 : cut]
                assert "=" not in line


FENCED = "Sure:\n```python\nx = 1\n```\nand\n```bash\nls\n```\n~~~\ny = 2\n"


def test_where_the_code_of_an_answer_stands() -> None:
    assert [FENCED[a:b] for a, b in code_spans(FENCED)] == ["x = 1\n", "y = 2\n"]
    assert code_spans("```python\r\nz = 1\r\n```\r\n") == [(11, 18)]
    assert code_spans("no code at all") == []
    bare = "Here it is\ndef f():\n    return 1\nHope it helps"
    assert [bare[a:b] for a, b in code_spans(bare)] == ["def f():\n    return 1"]
    assert code_spans("```python") == []


def pieces(*parts: str) -> tuple[str, list[tuple[int, int]]]:
    text, spans = "", []
    for part in parts:
        spans.append((len(text), len(text) + len(part)))
        text += part
    return text, spans


def test_model_tokens_take_the_class_where_they_begin() -> None:
    text, spans = pieces(
        "```", "python", "\n", "def", " add", "_all", "(items", "):", "\n   ", " return", " so", "rted", "(", "it",
        "ems", ")\n", "```", "",
    )  # fmt: skip
    assert token_classes(text, spans, GIVEN) == [
        "outside", "outside", "outside", "keyword", "given", "piece", "bracket", "bracket", "layout", "choice",
        "choice", "piece", "bracket", "given", "piece", "bracket", "outside", "outside",
    ]  # fmt: skip


def test_every_class_has_a_role() -> None:
    assert {t.kind for t in lexemes(SOURCE, GIVEN)} <= ROLES.keys()
    assert {r for r in ROLES.values() if r} == {"lock", "fork"}


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="abdefi =()[]:,.\n\t'\"#`~1é\\", max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    spans = [(i, i + 1) for i in range(len(text))]
    for fenced in (text, f"```python\n{text}"):
        for start, end in code_spans(fenced):
            assert 0 <= start < end <= len(fenced)
    found = token_classes(text, spans, frozenset("ab"))
    assert len(found) == len(text)
    assert set(found) <= ROLES.keys()
