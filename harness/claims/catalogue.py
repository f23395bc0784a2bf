"""Reading ``results/claims.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from harness.errors import BadInput
from harness.nearest import nearest
from harness.spec import Contrast

Side = Literal["paper", "critic", "ours"]

STATUSES = ("supported", "refuted", "equivalent", "inconclusive", "untested")


@dataclass(frozen=True, slots=True)
class ContrastTest:
    """A contrast that tests a claim, and in which records it is looked for.

    ``quoted`` is the published difference as a fraction (0.129 is 12.9 points) where the claim has a number. Empty
    ``models`` or ``tasks`` take any; ``stratum`` restricts the problems.
    """

    ablation: str
    contrast: Contrast
    quoted: float | None = None
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    stratum: str = ""


@dataclass(frozen=True, slots=True)
class VerdictTest:
    """An ablation's verdict that tests a claim: ``reads`` maps the verdict's status to the claim's."""

    ablation: str
    reads: Mapping[str, str]
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


Test = ContrastTest | VerdictTest


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement. ``quote`` holds its numbers as printed; ``needs`` says what would test it where nothing does.

    ``where`` says of a question who can answer it: ``scale`` (an ablation of ours, with models larger than the
    default), ``later`` (an ablation that does not exist yet), ``authors``; empty is an ablation of ours, anywhere.
    """

    id: str
    side: Side
    group: str
    statement: str
    source: str
    quote: str = ""
    question: str = ""
    needs: str = ""
    where: Literal["", "scale", "later", "authors"] = ""
    tests: tuple[Test, ...] = ()


def load(path: Path) -> list[Claim]:
    """Every claim of a claims file.

    Raises:
        BadInput: naming the claim and the key, for anything that is no claim; a ``status`` is one such key.
    """
    import yaml

    try:
        # The C loader reads a file of this size ten times as fast; both accept the same documents.
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(document, dict) or not isinstance(document.get("claims"), list):
        raise BadInput(f"{path}: needs a list called claims")
    claims = [_claim(entry, f"{path}, claim {number}") for number, entry in enumerate(document["claims"], 1)]
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise BadInput(f"{path}: two claims are called {claim.id!r}")
        seen.add(claim.id)
    return claims


def _claim(entry: Any, where: str) -> Claim:
    if not isinstance(entry, dict):
        raise BadInput(f"{where}: a mapping is wanted")
    name = str(entry.get("id", ""))
    where = f"{where} ({name})" if name else where
    if "status" in entry:
        raise BadInput(f"{where}: status is typed by hand; it is computed from records")
    _known(entry, {f.name for f in fields(Claim)}, where)
    for key in ("id", "side", "group", "statement", "source"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise BadInput(f"{where}: {key} is missing")
    if entry["side"] not in get_args(Side):
        raise BadInput(f"{where}: side={entry['side']}: must be {', '.join(get_args(Side))}")
    if entry.get("where", "") not in ("", "scale", "later", "authors"):
        raise BadInput(f"{where}: where={entry['where']}: must be scale, later or authors")
    tests = tuple(_test(t, f"{where}, test {i}") for i, t in enumerate(entry.get("tests", []), 1))
    if not tests and not entry.get("needs"):
        raise BadInput(f"{where}: nothing tests it, so 'needs' must say what would")
    texts = {k: str(v).strip() for k, v in entry.items() if k != "tests"}
    return Claim(**texts, tests=tests)  # type: ignore[arg-type]


def _test(entry: Any, where: str) -> Test:
    if not isinstance(entry, dict) or not isinstance(entry.get("ablation"), str):
        raise BadInput(f"{where}: needs an ablation")
    scope = {k: tuple(map(str, entry.get(k, ()))) for k in ("models", "tasks")}
    if "reads" in entry:
        _known(entry, {"ablation", "reads", "models", "tasks"}, where)
        wrong = {*entry["reads"], *entry["reads"].values()} - set(STATUSES)
        if wrong:
            raise BadInput(f"{where}: reads {min(wrong)!r}{nearest(str(min(wrong)), STATUSES)}")
        return VerdictTest(entry["ablation"], dict(entry["reads"]), **scope)
    keys = {"treatment", "control", "metric", "test", "margin"}
    _known(entry, {"ablation", "quoted", "models", "tasks", "stratum", *keys}, where)
    try:
        contrast = Contrast(**{k: entry[k] for k in keys if k in entry})
    except TypeError as error:
        raise BadInput(f"{where}: needs treatment and control") from error
    quoted = entry.get("quoted")
    if quoted is not None and not isinstance(quoted, int | float):
        raise BadInput(f"{where}: quoted={quoted}: must be a number")
    return ContrastTest(entry["ablation"], contrast, quoted, stratum=str(entry.get("stratum", "")), **scope)


def _known(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in entry:
        if key not in known:
            raise BadInput(f"{where}: {key}: no such key{nearest(str(key), known)}")
