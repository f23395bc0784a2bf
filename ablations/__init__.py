"""The questions, one file each, and their registry.

A file in this folder that defines ``ABLATION`` is an ablation; its name is the file's name.
"""

from __future__ import annotations

import importlib
import pkgutil

from harness.ablation import Ablation
from harness.errors import BadInput
from harness.nearest import nearest


def names() -> list[str]:
    """Every ablation's name, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def load(name: str) -> Ablation:
    """The ablation called ``name``.

    Raises:
        BadInput: if there is none.
    """
    if name not in names():
        raise BadInput(f"ablation={name}: no such ablation{nearest(name, names())}")
    ablation: Ablation = importlib.import_module(f"{__name__}.{name}").ABLATION
    if ablation.name != name:
        raise TypeError(f"ablations/{name}.py defines an ablation called {ablation.name!r}")
    return ablation
