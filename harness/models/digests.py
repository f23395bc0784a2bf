"""Digests of weights, tokenizers and chat templates that depend on content only.

A weight digest does not promise that two models compute the same function: it covers the tensors' names, types, shapes
and bytes, not how they are split over files, the order in a file or free-text metadata. The architecture is covered by
:func:`config_digest`. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.canonical import digest, file_digest, text_digest
from harness.errors import BadInput

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
)
"""The files that decide which token ids a text has, in the order they are hashed."""

CHAT_TEMPLATE_FILE = "chat_template.jinja"

VOLATILE_CONFIG_KEYS = frozenset({"_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache"})
"""Keys of ``config.json`` that say where a model came from or how to load it, not what it computes."""

_CHUNK = 1 << 22


def safetensors_files(folder: Path) -> list[Path]:
    """The weight files of a model folder, sorted by name."""
    return sorted(folder.glob("*.safetensors"))


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The tensor table of a safetensors file and the offset of its data (format: 8-byte length, JSON, bytes)."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length <= 0 or length > path.stat().st_size:
            raise BadInput(f"{path}: not a safetensors file, or cut short")
        try:
            table = json.loads(stream.read(length))
        except ValueError as error:
            raise BadInput(f"{path}: not a safetensors file ({error})") from None
    table.pop("__metadata__", None)
    return table, 8 + length


def _tensors(folder: Path) -> Iterator[tuple[str, Path, int, int, dict[str, Any]]]:
    found: dict[str, tuple[Path, int, int, dict[str, Any]]] = {}
    for path in safetensors_files(folder):
        table, base = _header(path)
        for name, entry in table.items():
            if name in found:
                raise BadInput(f"{path}: tensor {name} is also in {found[name][0].name}")
            start, end = entry["data_offsets"]
            found[name] = (path, base + start, end - start, entry)
    for name in sorted(found):
        yield (name, *found[name])


def weight_digest(folder: Path) -> str:
    """SHA-256 over every tensor of the folder's safetensors files, by name.

    Raises:
        BadInput: where there is no safetensors file, or one is damaged.
    """
    whole = hashlib.sha256()
    count = 0
    for name, path, offset, size, entry in _tensors(folder):
        tensor = hashlib.sha256()
        with path.open("rb") as stream:
            stream.seek(offset)
            left = size
            while left:
                chunk = stream.read(min(left, _CHUNK))
                if not chunk:
                    raise BadInput(f"{path}: cut short inside tensor {name}")
                tensor.update(chunk)
                left -= len(chunk)
        whole.update(json.dumps([name, entry["dtype"], entry["shape"], tensor.hexdigest()]).encode())
        count += 1
    if not count:
        raise BadInput(f"{folder}: no safetensors weights in it")
    return whole.hexdigest()


def config_digest(folder: Path) -> str:
    """Digest of ``config.json`` without the keys that do not change what the model computes."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return digest({k: v for k, v in config.items() if k not in VOLATILE_CONFIG_KEYS})


def tokenizer_digest(folder: Path) -> str:
    """Digest of the tokenizer's files, byte for byte.

    Raises:
        BadInput: where the folder has no tokenizer.
    """
    present = [(name, file_digest(folder / name)) for name in TOKENIZER_FILES if (folder / name).is_file()]
    if not any(name in ("tokenizer.json", "tokenizer.model", "vocab.json") for name, _ in present):
        raise BadInput(f"{folder}: no tokenizer in it (tokenizer.json)")
    return digest(present)


def chat_template(folder: Path) -> str:
    """The chat template's text, or an empty string where the model has none."""
    separate = folder / CHAT_TEMPLATE_FILE
    if separate.is_file():
        return separate.read_text(encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    if not settings.is_file():
        return ""
    template = json.loads(settings.read_text(encoding="utf-8")).get("chat_template") or ""
    if isinstance(template, list):  # several named templates: the one named "default" is used without asking
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default", "")
    return str(template)


def chat_template_digest(folder: Path) -> str:
    """SHA-256 of :func:`chat_template`."""
    return text_digest(chat_template(folder))
