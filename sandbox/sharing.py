"""May one oracle process run this test script for several programs in turn?

A script decides the verdicts of its own problem anyway, so sharing a process between programs of that problem gives it
no power it has not. What has to be excluded is that something of one program's run is still there in the next one's.
Every run gets a fresh namespace and a freshly seeded ``random``; what remains is state of modules, and only a script of
which it is plain that it changes none is shared.
"""

from __future__ import annotations

import ast

PURE_MODULES = frozenset({
    "bisect", "cmath", "collections", "copy", "datetime", "fractions", "functools", "heapq", "itertools", "math",
    "numbers", "operator", "random", "re", "statistics", "string", "typing",
})  # fmt: skip
"""Modules whose public functions leave no state behind (``random`` is seeded anew for every program)."""

FORBIDDEN_NAMES = frozenset({
    "breakpoint", "compile", "delattr", "eval", "exec", "getattr", "globals", "input", "locals", "open", "setattr",
    "type", "vars",
})  # fmt: skip
"""Built-ins by which a script could change what it does not define."""


def is_shareable(*sources: str) -> bool:
    """Whether the sources change nothing but their own names, as far as can be seen in their text.

    False for anything doubtful: attributes that are assigned, deleted or begin with an underscore, imports of modules
    that are not known to be pure, and built-ins that reach around these rules.
    """
    try:
        trees = [ast.parse(source) for source in sources]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_is_harmless(node) for tree in trees for node in ast.walk(tree))


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, ast.Load) and not node.attr.startswith("_")
    if isinstance(node, ast.Name):
        return node.id not in FORBIDDEN_NAMES and not node.id.startswith("__")
    if isinstance(node, ast.Import):
        return all(alias.name.partition(".")[0] in PURE_MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and (node.module or "").partition(".")[0] in PURE_MODULES
    return True
