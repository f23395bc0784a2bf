"""Mutants of a program: small faults of the kind that people and models write, drawn by a seeded generator.

The same source and generator state give the same mutants on every machine with the same Python minor version
(:func:`ast.unparse` decides the layout). Most mutants are wrong; some are equivalent to the original, which is wanted:
graders have to agree on both.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator

Edit = Callable[[], None]
"""Changes one place of a tree, in place."""

_BINARY: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Pow),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.Mod),
    ast.Mod: (ast.FloorDiv, ast.Sub),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq, ast.GtE),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "len", "sorted": "list", "set": "list",
          "list": "tuple", "tuple": "list", "int": "float", "str": "repr", "append": "extend", "lower": "upper",
          "upper": "lower", "startswith": "endswith", "strip": "lstrip"}  # fmt: skip


def mutants(source: str, rng: random.Random, count: int) -> list[str]:
    """Up to ``count`` different mutants of a program, none equal to it; one edit each, in a quarter of them two."""
    original = ast.unparse(ast.parse(source))
    found: dict[str, None] = {}
    for _ in range(4 * count):
        if len(found) == count:
            break
        tree = ast.parse(source)
        for _ in range(2 if rng.random() < 0.25 else 1):
            edits = [edit for node in ast.walk(tree) for edit in _edits(node)]
            if edits:
                rng.choice(edits)()
        text = ast.unparse(ast.fix_missing_locations(tree))
        if text != original:
            found[text] = None
    return list(found)


def _edits(node: ast.AST) -> Iterator[Edit]:
    """Every way in which one node can be changed."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for operator in _BINARY.get(type(node.op), ()):
            yield _setting(node, "op", operator())
    elif isinstance(node, ast.Compare):
        for comparison in _COMPARE[type(node.ops[0])]:
            yield _setting(node, "ops", [comparison(), *node.ops[1:]])
    elif isinstance(node, ast.BoolOp):
        yield _setting(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        yield _setting(node, "values", node.values[:1])
    elif isinstance(node, ast.UnaryOp):
        yield _setting(node, "op", ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not())
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Slice) and node.step is not None:
        yield _setting(node, "step", None)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from _returns(node)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _setting(node, "test", ast.UnaryOp(ast.Not(), node.test))
    yield from _statements(node)


def _constants(node: ast.Constant) -> Iterator[Edit]:
    value = node.value
    if isinstance(value, bool):
        yield _setting(node, "value", not value)
    elif isinstance(value, int):
        for other in (value + 1, value - 1):
            yield _setting(node, "value", other)
    elif isinstance(value, float):
        yield _setting(node, "value", value * 2)
    elif isinstance(value, str) and len(value) < 20:  # longer ones are doc strings
        yield _setting(node, "value", value + " " if value else "x")


def _calls(node: ast.Call) -> Iterator[Edit]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in _CALLS:
        yield _setting(function, "id", _CALLS[function.id])
    elif isinstance(function, ast.Attribute) and function.attr in _CALLS:
        yield _setting(function, "attr", _CALLS[function.attr])
    if len(node.args) == 2:
        yield _setting(node, "args", node.args[::-1])
    if node.keywords:
        yield _setting(node, "keywords", node.keywords[1:])


def _returns(node: ast.Return) -> Iterator[Edit]:
    assert node.value is not None
    yield _setting(node, "value", None)
    yield _setting(node, "value", ast.List([node.value], ast.Load()))
    yield _setting(node, "value", ast.UnaryOp(ast.Not(), node.value))
    yield _setting(node, "value", ast.Call(ast.Name("print", ast.Load()), [node.value], []))
    if isinstance(node.value, ast.Tuple):
        yield _setting(node, "value", ast.Tuple(node.value.elts[::-1], ast.Load()))


def _statements(node: ast.AST) -> Iterator[Edit]:
    """Drop a statement, or swap two neighbours. Definitions and imports stay."""
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if not isinstance(block, list) or isinstance(node, ast.Module | ast.ClassDef):
            continue
        for i, statement in enumerate(block):
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
                continue
            yield _setting(block, i, ast.Pass())
            if i + 1 < len(block):
                yield _swapping(block, i)
            if isinstance(statement, ast.Break):
                yield _setting(block, i, ast.Continue())
            elif isinstance(statement, ast.Continue):
                yield _setting(block, i, ast.Break())


def _setting(target: ast.AST | list[ast.stmt], place: str | int, value: object) -> Edit:
    def edit() -> None:
        if isinstance(target, list):
            target[place] = value  # type: ignore[index, call-overload]
        else:
            setattr(target, str(place), value)

    return edit


def _swapping(block: list[ast.stmt], i: int) -> Edit:
    def edit() -> None:
        block[i], block[i + 1] = block[i + 1], block[i]

    return edit
