"""Configuration: the only place that knows Hydra.

Groups are composed with Hydra's compose API, then validated into frozen dataclasses; nothing past this module sees an
OmegaConf object. Hydra's own logging, working-directory change and launchers are not used.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import ablations
from harness.errors import BadInput
from harness.models import catalogue
from harness.nearest import nearest
from harness.settings import PHASES, ModelConfig, RayConfig, RunConfig, ScaleConfig, SlurmConfig
from harness.spec import TaskRef

_EVERY_TASK = ("path", "samples", "limit", "max_new_tokens")
"""Keys of a task's settings that are no options of its own."""

GROUPS = ("ablation", "model", "task", "engine", "train", "sandbox", "scale", "launcher")


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
    chosen, treatment, its_values = _checkpoints(overrides)
    groups, values = _split(chosen)
    ablation = next((g.partition("=")[2] for g in groups if g.startswith("ablation=")), None)
    if ablation is None:
        raise BadInput(f"say which ablation: ablation=NAME{nearest('', ablations.names())}")
    tasks = ablations.load(ablation).tasks
    if tasks and not any(g.startswith("task=") for g in groups):
        groups.append(f"task=[{','.join(tasks)}]")
    model = next((g.removeprefix("model=") for g in groups if g.startswith("model=")), "")
    given = {g.partition("=")[0] for g in groups}
    groups += [f"{group}={name}" for group, name in catalogue.usual(model).items() if group not in given]
    tree = _compose(groups)
    known = _flat_keys(tree)
    for text in values:
        key = text.split("=", 1)[0]
        if key not in known:
            raise BadInput(f"{key}: no such key{nearest(key, known)}")
    config = _validate(_compose([*groups, *values]) if values else tree)
    if treatment is None:
        return config
    return dataclasses.replace(config, treatment=_model_named(treatment, its_values))


def _checkpoints(overrides: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Take ``treatment=MODEL`` and ``treatment.KEY=VALUE`` out of the overrides (the latter as ``model.KEY=VALUE``).

    ``base=MODEL`` is another name of ``model=MODEL``.
    """
    rest = [f"model={text[5:]}" if text.startswith("base=") else text for text in overrides]
    treatments = [text.partition("=")[2] for text in rest if text.startswith("treatment=")]
    if len(treatments) > 1:
        raise BadInput(f"treatment={treatments[1]}: given twice")
    values = [f"model.{text.removeprefix('treatment.')}" for text in rest if text.startswith("treatment.")]
    if values and not treatments:
        raise BadInput(f"{values[0].replace('model.', 'treatment.', 1)}: say treatment=MODEL too")
    chosen = [text for text in rest if not text.startswith(("treatment=", "treatment."))]
    return chosen, treatments[0] if treatments else None, values


def _model_named(name: str, given: Sequence[str]) -> ModelConfig:
    """A model by catalogue name, path or Hub id, with its own entry's decoding but for the values given."""
    from pydantic import TypeAdapter, ValidationError

    values: list[str] = []
    groups = [f"ablation={ablations.names()[0]}", *_model_choice(name, values)]
    known = _flat_keys(_compose([*groups, *values]))
    for text in given:
        key = text.partition("=")[0]
        if key not in known:
            its = [k.replace("model.", "treatment.", 1) for k in known if k.startswith("model.")]
            raise BadInput(f"{text.replace('model.', 'treatment.', 1)}: no such key{nearest(key, its)}")
    tree = _compose([*groups, *values, *given])
    try:
        return TypeAdapter(ModelConfig).validate_python(_model_entry(tree))
    except ValidationError as error:
        raise _bad_value("treatment", error) from error


def _model_entry(tree: dict[str, Any]) -> dict[str, Any]:
    """A model's entry without what other groups take from it by interpolation."""
    return {k: v for k, v in tree["model"].items() if k not in ("schedule", "limits", "pool")}


def _split(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate group choices from values, checking the former."""
    groups: list[str] = []
    values: list[str] = []
    # A machine that only grades knows the model by the digests that came with its samples.
    here = "from=grade" not in overrides
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator or not key or key[0] in "+~":
            raise BadInput(f"{text!r}: overrides are written key=value")
        if key not in GROUPS:
            values.append(text)
        elif key == "model":
            groups.extend(_model_choice(value, values, here))
        else:
            _check_choices(key, value)
            groups.append(text)
    return groups, values


def _check_choices(group: str, value: str) -> None:
    names = value.removeprefix("[").removesuffix("]").split(",") if group == "task" else [value]
    for name in names:
        if name.strip() not in options(group):
            raise BadInput(f"{group}={name.strip()}: no such {group}{nearest(name.strip(), options(group))}")


def _model_choice(value: str, values: list[str], here: bool = True) -> list[str]:
    """A catalogue name, or any path (which must exist, if it is to be ``here``) or Hub id, as ``model=custom``."""
    if value in options("model"):
        return [f"model={value}"]
    path = Path(value).expanduser()
    if path.exists() or value.startswith((".", "/", "~")):
        if here and not path.exists():
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


def _phases(first: Any, last: Any) -> tuple[str, ...]:
    """The phases from ``from`` to ``until``, both included."""
    for key, value in (("from", first), ("until", last)):
        if value not in PHASES:
            raise BadInput(f"{key}={value}: no such phase{nearest(str(value), PHASES)}")
    chosen = PHASES[PHASES.index(first) : PHASES.index(last) + 1]
    if not chosen:
        raise BadInput(f"from={first} until={last}: {last} comes before {first}")
    return chosen


def _launch(launcher: dict[str, Any]) -> RayConfig | SlurmConfig | None:
    from pydantic import TypeAdapter, ValidationError

    kinds: dict[str, type[RayConfig] | type[SlurmConfig]] = {"ray": RayConfig, "slurm": SlurmConfig}
    settings = {k: v for k, v in launcher.items() if k != "name"}
    if launcher["name"] not in kinds:
        return None
    for key, value in settings.items():
        if isinstance(value, int | float) and value < (1 if key in ("cpus", "grade_cpus", "grade_samples") else 0):
            raise BadInput(f"launcher.{key}={value}: too small")
    try:
        return TypeAdapter(kinds[launcher["name"]]).validate_python(settings)
    except ValidationError as error:
        raise _bad_value("launcher", error) from error


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
        "model": _model_entry(tree),
        "planning": tree["plan"],
        **{k: tree[k] for k in ("engine", "sandbox", "scale", "seed")},
    }
    try:
        settings: Any = TypeAdapter(ablation.settings).validate_python(chosen)
    except ValidationError as error:
        raise _bad_value("ablation", error) from error
    try:
        config = TypeAdapter(RunConfig).validate_python(plain)
    except ValidationError as error:
        raise _bad_value("", error) from error
    return dataclasses.replace(
        config,
        settings=settings,
        tasks=_tasks(tree["task"], config.scale),
        launch=_launch(tree["launcher"]),
        phases=_phases(tree["from"], tree["until"]),
    )


def _bad_value(prefix: str, error: Any) -> BadInput:
    first = error.errors()[0]
    key = ".".join(filter(None, [prefix, *(str(p) for p in first["loc"])]))
    return BadInput(f"{key}={first['input']}: {first['msg'][0].lower()}{first['msg'][1:]}")


def _tasks(tree: dict[str, Any], scale: ScaleConfig) -> tuple[TaskRef, ...]:
    from harness.tasks.registry import check_profile

    names = [k for k in tree if k not in ("path", "profile")]
    for name in sorted(names):
        check_profile(name, tree["profile"])
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
                options=tuple((k, str(v)) for k, v in sorted(given.items()) if k not in _EVERY_TASK),
            )
        )
    return tuple(refs)
