"""Digests depend on content, not on how it is stored."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.errors import BadInput
from harness.models import digests


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


def test_weights_have_one_digest_however_they_are_split_ordered_or_labelled(folder):
    before = digests.weight_digest(folder)
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors, reverse=True)
    (folder / "model.safetensors").unlink()
    save_file({n: tensors[n] for n in names[::2]}, folder / "model-00001-of-00002.safetensors", {"run": "1"})
    save_file({n: tensors[n] for n in names[1::2]}, folder / "model-00002-of-00002.safetensors", {"run": "2"})
    assert digests.weight_digest(folder) == before


@pytest.mark.parametrize("change", ["value", "name", "dtype", "shape"])
def test_any_change_of_a_tensor_changes_the_digest(folder, change):
    before = digests.weight_digest(folder)
    tensors = load_file(folder / "model.safetensors")
    name = "model.norm.weight"
    if change == "value":
        tensors[name][0] += 1e-6
    elif change == "name":
        tensors["model.other.weight"] = tensors.pop(name)
    elif change == "dtype":
        tensors[name] = tensors[name].view(torch.int32)
    else:
        tensors[name] = tensors[name].reshape(2, -1)
    save_file(tensors, folder / "model.safetensors")
    assert digests.weight_digest(folder) != before


def test_config_digest_ignores_only_what_does_not_compute(folder):
    before = digests.config_digest(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "transformers_version": "0", "use_cache": False}))
    assert digests.config_digest(folder) == before
    (folder / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-5}))
    assert digests.config_digest(folder) != before


def test_chat_template_is_found_where_either_convention_puts_it(folder):
    template = (folder / "chat_template.jinja").read_text()
    assert "<|im_start|>" in template
    before = digests.chat_template_digest(folder)
    (folder / "chat_template.jinja").unlink()
    assert digests.chat_template(folder) == ""
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for stored in (template, [{"name": "tools", "template": "x"}, {"name": "default", "template": template}]):
        (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": stored}))
        assert digests.chat_template_digest(folder) == before


def test_damaged_or_missing_files_get_one_clear_line(folder, tmp_path):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(BadInput, match="cut short"):
        digests.weight_digest(folder)
    weights.write_bytes(b"\xff" * 64)
    with pytest.raises(BadInput, match="not a safetensors file"):
        digests.weight_digest(folder)
    weights.write_bytes((20).to_bytes(8, "little") + b"{" * 50)
    with pytest.raises(BadInput, match="not a safetensors file"):
        digests.weight_digest(folder)
    weights.unlink()
    with pytest.raises(BadInput, match="no safetensors weights"):
        digests.weight_digest(folder)
    with pytest.raises(BadInput, match="no tokenizer"):
        digests.tokenizer_digest(tmp_path)
