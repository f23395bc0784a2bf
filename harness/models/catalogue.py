"""What the catalogue knows of a model besides where it is and how it is decoded.

Reads two kinds of files and loads nothing: ``harness/conf/model/NAME.yaml`` (what a run is made with) and
``catalogue.yaml`` here (groups a run takes, architecture, expected lengths, released counterparts).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness.ablation import Decoding
from harness.errors import BadInput
from harness.models.architecture import Architecture, from_config
from harness.nearest import nearest
from harness.spec import BaseModel


@dataclass(frozen=True, slots=True)
class Lengths:
    """Expected tokens of an answer to a benchmark's problem and to a training prompt: assumptions, not measurements."""

    answer: int
    corpus: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A base model and the weights that SSD's authors released for it, with the decoding of both."""

    base: BaseModel
    released: BaseModel
    decoding: Decoding


def names() -> tuple[str, ...]:
    """Every catalogue name, sorted."""
    return tuple(sorted(_known()))


def usual(name: str) -> dict[str, str]:
    """Groups that a run with this model takes unless told otherwise (``{"engine": "vllm"}``)."""
    return dict(_inherited(name, "usual") or {})


def lengths(name: str) -> Lengths | None:
    """Expected lengths, or ``None`` for a model without any."""
    found = _known().get(name, {}).get("lengths")
    return None if found is None else Lengths(**found)


def architecture(name: str, source: str) -> Architecture | None:
    """Of a catalogue entry, or of a model folder; ``None`` where nothing is known without fetching it."""
    found = _inherited(name, "architecture")
    if found is not None:
        return Architecture(**found)
    folder = Path(source).expanduser()
    return from_config(folder) if source and (folder / "config.json").is_file() else None


def published(name: str) -> BaseModel:
    """The catalogue entry ``name`` as a model.

    Raises:
        BadInput: for a name the catalogue does not have.
    """
    if name not in _known():
        raise BadInput(f"model={name}: not in the catalogue{nearest(name, names())}")
    entry = _entry(name)
    return BaseModel(entry["source"], entry["revision"], tuple((k, v) for k, v in entry.get("template", ())))


def released_pair(source: str) -> Pair:
    """The pair that a base model, or its released counterpart, belongs to.

    Raises:
        BadInput: where no SSD weights were released for it; the message names the models that have some.
    """
    pairs = {name: found["released"] for name, found in _known().items() if "released" in found}
    for base, released in pairs.items():
        if source in (_entry(base)["source"], _entry(released)["source"]):
            return Pair(published(base), published(released), Decoding(**_entry(base)["decoding"]))
    raise BadInput(f"model {source}: no SSD weights were released for it; choose model={' or '.join(sorted(pairs))}")


@cache
def _known() -> dict[str, dict[str, Any]]:
    import yaml

    text = (resources.files("harness.models") / "catalogue.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found


@cache
def _entry(name: str) -> dict[str, Any]:
    import yaml

    text = (resources.files("harness") / "conf" / "model" / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def _inherited(name: str, key: str) -> Any:
    found = _known().get(name, {})
    return found[key] if key in found else _inherited(found["like"], key) if "like" in found else None
