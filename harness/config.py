"""Configuration: the only place that knows Hydra.

Groups are composed with Hydra's compose API, then validated into frozen dataclasses; nothing past this module sees an
OmegaConf object. Hydra's own logging, working-directory change and launchers are not used.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import ablations
from harness.ablation import Decoding
from harness.errors import BadInput
from harness.nearest import nearest
from harness.spec import TaskRef, TrainRecipe

GROUPS = ("ablation", "model", "task", "engine", "train", "sandbox", "scale", "launcher")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """An entry of the model catalogue, or what ``model=PATH_OR_HUB_ID`` gave."""

    name: str
    source: str
    revision: str
    decoding: Decoding


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which engine generates, and on what. ``threads`` 0 takes every core."""

    name: str
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]
    max_batch_rows: int
    threads: int


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Which executor grades. ``workers`` 0 takes one a core."""

    kind: Literal["auto", "docker", "bubblewrap"]
    workers: int
    runtime: str
    image: str

    def options(self) -> dict[str, str]:
        """The settings that were given, for :func:`sandbox.open_executor`."""
        return {k: v for k, v in (("runtime", self.runtime), ("image", self.image)) if v}


@dataclass(frozen=True, slots=True)
class ScaleConfig:
    """How much of everything. The mappings have a ``default`` and entries for single tasks."""

    name: str
    evidence: bool
    seeds: tuple[int, ...]
    samples: dict[str, int]
    limit: dict[str, int]
    max_new_tokens: dict[str, int]
    train_prompts: int
    train_max_new_tokens: int
    train_steps: int


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything a run needs, resolved."""

    ablation: str
    settings: Any
    model: ModelConfig
    tasks: tuple[TaskRef, ...]
    engine: EngineConfig
    train: TrainRecipe
    sandbox: SandboxConfig
    scale: ScaleConfig
    launcher: str
    seed: int


def options(group: str) -> list[str]:
    """The names a group offers.

    >>> options("scale")
    ['full', 'quick', 'smoke']
    """
    if group == "ablation":
        return ablations.names()
    folder = resources.files("harness") / "conf" / group
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def resolve(overrides: Sequence[str]) -> RunConfig:
    """Compose and validate ``key=value`` overrides.

    Raises:
        BadInput: with the key, the value and the nearest valid one.
    """
    groups, values = _split(overrides)
    if not any(g.startswith("ablation=") for g in groups):
        raise BadInput(f"say which ablation: ablation=NAME{nearest('', ablations.names())}")
    known = _flat_keys(_compose(groups))
    for text in values:
        key = text.split("=", 1)[0]
        if key not in known:
            raise BadInput(f"{key}: no such key{nearest(key, known)}")
    return _validate(_compose([*groups, *values]))


def _split(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate group choices from values, checking the former."""
    groups: list[str] = []
    values: list[str] = []
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator or not key or key[0] in "+~":
            raise BadInput(f"{text!r}: overrides are written key=value")
        if key not in GROUPS:
            values.append(text)
        elif key == "model":
            groups.extend(_model_choice(value, values))
        else:
            _check_choices(key, value)
            groups.append(text)
    return groups, values


def _check_choices(group: str, value: str) -> None:
    names = value.removeprefix("[").removesuffix("]").split(",") if group == "task" else [value]
    for name in names:
        if name.strip() not in options(group):
            raise BadInput(f"{group}={name.strip()}: no such {group}{nearest(name.strip(), options(group))}")


def _model_choice(value: str, values: list[str]) -> list[str]:
    """A catalogue name, or any path or Hub id (which becomes ``model=custom`` with that source)."""
    if value in options("model"):
        return [f"model={value}"]
    path = Path(value).expanduser()
    if path.exists() or value.startswith((".", "/", "~")):
        if not path.exists():
            raise BadInput(f"model={value}: no such folder")
        values.append(f"model.source={_quoted(str(path.resolve()))}")
    elif value.count("/") == 1:
        values.append(f"model.source={_quoted(value)}")
    else:
        raise BadInput(f"model={value}: no such model{nearest(value, options('model'))} (or give a path or a Hub id)")
    return ["model=custom"]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _compose(overrides: Sequence[str]) -> dict[str, Any]:
    from hydra import compose, initialize_config_module
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    store = ConfigStore.instance()
    for name in ablations.names():
        settings = ablations.load(name).settings
        store.store(group="ablation", name=name, node={"name": name, **dataclasses.asdict(settings())})
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("harness.conf", version_base="1.3"):
            composed = compose("config", list(overrides))
            plain = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise BadInput(" ".join(str(error).split())) from error
    assert isinstance(plain, dict)
    return {str(k): v for k, v in plain.items()}


def _flat_keys(tree: dict[str, Any], prefix: str = "") -> set[str]:
    keys: set[str] = set()
    for name, value in tree.items():
        keys.add(prefix + name)
        if isinstance(value, dict):
            keys |= _flat_keys(value, f"{prefix}{name}.")
    return keys


def _validate(tree: dict[str, Any]) -> RunConfig:
    from pydantic import TypeAdapter, ValidationError

    chosen = dict(tree["ablation"])
    ablation = ablations.load(chosen.pop("name"))
    scale = tree["scale"]
    plain = {
        "ablation": ablation.name,
        "settings": None,
        "tasks": (),
        "train": {**tree["train"], "steps": scale["train_steps"]},
        "launcher": tree["launcher"]["name"],
        **{k: tree[k] for k in ("model", "engine", "sandbox", "scale", "seed")},
    }
    try:
        settings: Any = TypeAdapter(ablation.settings).validate_python(chosen)
    except ValidationError as error:
        raise _bad_value("ablation", error) from error
    try:
        config = TypeAdapter(RunConfig).validate_python(plain)
    except ValidationError as error:
        raise _bad_value("", error) from error
    return dataclasses.replace(config, settings=settings, tasks=_tasks(tree["task"], config.scale))


def _bad_value(prefix: str, error: Any) -> BadInput:
    first = error.errors()[0]
    key = ".".join(filter(None, [prefix, *(str(p) for p in first["loc"])]))
    return BadInput(f"{key}={first['input']}: {first['msg'][0].lower()}{first['msg'][1:]}")


def _tasks(tree: dict[str, Any], scale: ScaleConfig) -> tuple[TaskRef, ...]:
    names = [k for k in tree if k not in ("path", "profile")]
    if tree["profile"] != "strict":
        # The other profiles are rules for inputs and outputs; these tasks are graded by their own test scripts.
        raise BadInput(f"task.profile={tree['profile']}: {', '.join(sorted(names))} can only be graded as 'strict'")
    if tree["path"] and len(names) > 1:
        raise BadInput(f"task.path={tree['path']}: names one file, but {len(names)} tasks are chosen")
    refs = []
    for name in sorted(names):
        given = tree[name]

        def pick(field: str, table: dict[str, int], name: str = name, given: dict[str, Any] = given) -> int:
            value = given[field] if given[field] is not None else table.get(name, table["default"])
            if not isinstance(value, int) or isinstance(value, bool) or value < (0 if field == "limit" else 1):
                raise BadInput(f"task.{name}.{field}={value}: must be a whole number, at least 1 (limit: 0 takes all)")
            return value

        refs.append(
            TaskRef(
                name=name,
                samples_per_problem=pick("samples", scale.samples),
                max_new_tokens=pick("max_new_tokens", scale.max_new_tokens),
                limit=pick("limit", scale.limit),
                path=os.path.expanduser(tree["path"] or given.get("path") or ""),
                profile=tree["profile"],
            )
        )
    return tuple(refs)
