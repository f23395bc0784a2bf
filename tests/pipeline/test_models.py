"""Models made from models: seeds, ancestry, interpolation."""

from __future__ import annotations

import shutil

import pytest

from harness.errors import BadInput
from harness.pipeline.plan import ancestors, distilled, seeded
from harness.spec import BaseModel, CorpusRecipe, DistilledModel, InterpolatedModel, Policy, TrainRecipe
from harness.train.interpolate import interpolate

BASE = BaseModel("m")
CORPUS = CorpusRecipe("starter_pool", "0", 8, Policy.single(1.0), 32)


def student(parent=BASE, **more):
    return DistilledModel(parent, CORPUS, TrainRecipe(), seed=0, **more)


def test_a_seed_reaches_every_model_a_model_is_made_from():
    mixed = InterpolatedModel(BASE, student(student(), round=2, start=BASE), 0.5)
    new = seeded(mixed, 7)
    assert [m.seed for m in distilled([new])] == [7, 7]
    assert new.second.start == BASE


def test_ancestors_come_before_what_they_make_and_once():
    one = student()
    two = student(one, round=2, start=BASE)
    order = ancestors(InterpolatedModel(one, two, 0.5))
    assert order[0] == BASE
    assert order.index(one) < order.index(two) < len(order) - 1
    assert len(order) == len(set(order)) == 4


def test_interpolation_is_the_first_model_at_0_the_second_at_1_and_the_mean_between(tiny_model, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    name = "model.norm.weight"
    tensors = {k: v + 1 if k == name else v for k, v in load_file(other / "model.safetensors").items()}
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    start = load_file(tiny_model / "model.safetensors")
    for weight in (0.0, 0.5, 1.0):
        out = tmp_path / str(weight)
        interpolate(tiny_model, other, weight, out)
        mixed = load_file(out / "model.safetensors")
        assert set(mixed) == set(start)
        torch.testing.assert_close(mixed[name], start[name] + weight)
        assert (out / "config.json").exists()
    from harness.models.digests import weight_digest

    assert weight_digest(tmp_path / "0.0") == weight_digest(tiny_model)
    assert weight_digest(tmp_path / "1.0") == weight_digest(other)


def test_models_with_other_tensors_are_refused(tiny_model, tmp_path):
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    tensors = load_file(other / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"model\.norm\.weight"):
        interpolate(tiny_model, other, 0.5, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_weight_outside_the_line_is_refused():
    with pytest.raises(BadInput, match=r"weight=1\.5"):
        InterpolatedModel(BASE, BASE, 1.5)
