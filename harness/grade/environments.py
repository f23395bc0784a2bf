"""A program in the surroundings that a grading profile gives it: what is imported, wrapped, stood in for or taken away.

Everything here turns source into source. The result runs in the sandbox like any other program.
"""

from __future__ import annotations

import ast
import functools
import importlib.resources
import re
import warnings
from dataclasses import dataclass

ENTRY = "referee_entry"
"""Name under which a function task's program offers the function to call."""

_STARS = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing"),
)
STAR_IMPORTS = "".join(f"from {m} import *\n" for m in _STARS) + "".join(f"import {m}\n" for m in _STARS[:-2])
"""LiveCodeBench's prelude: everything of these modules, in this order (a later name hides an earlier one)."""

SSD_IMPORTS = (
    "from itertools import (accumulate, chain, combinations, count, cycle, groupby, islice, permutations, product,"
    " repeat, zip_longest)\n"
    "from copy import deepcopy\n"
    "from string import ascii_lowercase\n"
    "from math import ceil, comb, floor, gcd, inf, isqrt, log, log10, log2, prod, sqrt\n"
    "from collections import Counter, OrderedDict, defaultdict, deque\n"
    "from bisect import bisect_left, bisect_right, insort\n"
    "from heapq import heapify, heappop, heappush, merge\n"
    "from functools import cache, lru_cache, partial, reduce\n"
    "from random import randrange, shuffle\n"
    "from operator import iand, itemgetter, sub\n"
    "from re import search as re_search\n"
    "from os.path import commonprefix\n"
    "from typing import (Any, Callable, Dict, Generator, Iterable, Iterator, List, Optional, Set, Tuple, Union)\n"
    "import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, string, sys\n"
)
"""Names that the SSD evaluator binds before a program. ``np`` and ``pd`` follow where the program mentions them."""

_FUTURE = re.compile(r"^from __future__ import .*$", re.MULTILINE)
_SOLUTION = re.compile(r"^class[ \t]+Solution\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Environment:
    """What surrounds a program.

    ``prelude`` names the imports before it (``none``, ``star``, ``ssd``). ``recursion_limit`` 0 leaves Python's own.
    ``wraps`` makes a whole program a function, called with stand-ins for its standard streams; ``opens`` makes ``open``
    give its input. ``reloads`` executes a program again for every call of its function. ``without`` names built-in
    functions that are taken away, with the process and file functions of ``os``; ``None`` takes nothing away.
    """

    prelude: str = "none"
    recursion_limit: int = 0
    wraps: bool = False
    opens: bool = False
    reloads: bool = False
    without: tuple[str, ...] | None = None

    def program(self, code: str) -> str:
        """A whole program that reads standard input."""
        if not self.wraps:
            return code
        return (
            f"{self._setup(code)}_referee['streams'] = _referee['Streams']()\n__name__ = 'tmp_sol'\n"
            f"{self._prelude(code)}{as_function(code)}\n_referee['streams'].run(wrapped_function, {self.opens})\n"
        )

    def function(self, code: str, name: str) -> str:
        """A program whose function, or method of a class ``Solution``, is called from outside as :data:`ENTRY`."""
        if self.without is None:
            return _plain_function(code, name)
        if self.reloads:
            of_class = "class Solution:" in code or "class Solution(" in code
            source = self._prelude(code) + "\n" + code
            return f"{self._setup(code)}{ENTRY} = _referee['reloaded']({source!r}, {of_class}, {name!r})\n"
        of_class = "class Solution" in code
        return (
            f"{self._setup(code)}{self._prelude(code)}\n\n{code}\n"
            f"{ENTRY} = _referee['method'](globals(), {of_class}, {name!r})\n"
        )

    def _setup(self, code: str) -> str:
        # What is taken away must not be missing when these are loaded, which there has happened long before.
        before = _data_imports(code) if self.prelude == "ssd" else ""
        return f"{before}_referee = {{}}\nexec({_standins()!r}, _referee)\n_referee['disarm']({self.without or ()!r})\n"

    def _prelude(self, code: str) -> str:
        imports = {"none": "", "star": STAR_IMPORTS, "ssd": SSD_IMPORTS}[self.prelude]
        if self.prelude == "ssd":
            imports += _data_imports(code)
        if self.recursion_limit:
            imports += f"import sys\nsys.setrecursionlimit({self.recursion_limit})\n"
        return imports


def _data_imports(code: str) -> str:
    """``np`` and ``pd`` where the program mentions them: loading them takes longer than most programs run.

    A machine without them must not fail every program, which is what happens there.
    """
    return "".join(
        f"try:\n    import {module} as {short}\nexcept ImportError:\n    pass\n"
        for short, module in (("np", "numpy"), ("pd", "pandas"))
        if re.search(rf"\b{short}\b", code)
    )


def _plain_function(code: str, name: str) -> str:
    """Our own surroundings: the imports that starter code takes for granted, a fresh ``Solution`` for every call."""
    futures = "\n".join(_FUTURE.findall(code))
    call = f"Solution().{name}" if _SOLUTION.search(code) else name
    return (
        f"{futures}\n{STAR_IMPORTS}\n\n{_FUTURE.sub('', code)}\n\n\n"
        f"def {ENTRY}(*arguments):\n    return {call}(*arguments)\n"
    )


def as_function(code: str) -> str:
    """A whole program as a function ``wrapped_function``: imports stay outside, a last ``__main__`` guard is opened.

    What follows from that is part of the rule: names assigned at the top level become local to the function, so that a
    ``global`` statement in a function of the program finds nothing. Code that does not parse is left as it is.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(code).body
            body = _without_guard(body)
            imports = [s for s in body if isinstance(s, ast.Import | ast.ImportFrom)]
            rest = [s for s in body if not isinstance(s, ast.Import | ast.ImportFrom)]
            wrapped = ast.parse("def wrapped_function():\n    pass").body[0]
            assert isinstance(wrapped, ast.FunctionDef)
            wrapped.body = rest or wrapped.body
            return "\n".join(ast.unparse(s) for s in [*imports, wrapped])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def _without_guard(body: list[ast.stmt]) -> list[ast.stmt]:
    if body and isinstance(body[-1], ast.If) and ast.unparse(body[-1].test) == "__name__ == '__main__'":
        return [*body[:-1], *body[-1].body]
    return body


@functools.cache
def _standins() -> str:
    return (importlib.resources.files("harness.grade") / "standins.py").read_text(encoding="utf-8")
