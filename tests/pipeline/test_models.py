"""Models made from models: seeds, ancestry, interpolation, scaling, and corpora of which nothing is left."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from harness.ablation import Context, Decoding
from harness.canonical import to_plain
from harness.config import resolve
from harness.errors import BadInput
from harness.pipeline.manifest import totals
from harness.pipeline.plan import ancestors, distilled, sampled, seeded
from harness.pipeline.run import _model_row
from harness.pipeline.weights import corpus_of, weights
from harness.pipeline.workshop import Workshop
from harness.spec import BaseModel, CorpusRecipe, DistilledModel, InterpolatedModel, Policy, ScaledModel, TrainRecipe
from harness.train.interpolate import interpolate
from harness.train.pools import load_pool

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


def test_seeds_and_ancestry_of_a_scaled_model():
    scaled = ScaledModel(student(), CORPUS, seed=0)
    new = seeded(scaled, 7)
    assert (new.seed, new.parent.seed, new.parent.parent) == (7, 7, BASE)
    assert ancestors(scaled) == [BASE, student(), scaled]
    assert distilled([scaled]) == [student()]
    assert sampled([scaled, BASE, student()]) == [student(), scaled]
    assert sampled([InterpolatedModel(BASE, scaled, 0.5)]) == [student(), scaled]


@pytest.fixture
def design():
    return Context(BASE, Decoding(0.7, 1.6, 0.9, 20, 0.8, 20, 0.8), CORPUS, TrainRecipe())


def test_what_an_ablation_does_not_name_is_as_in_ssd(design):
    # The canonical text is the store's key: written out, so that a change of it is seen.
    ssd = design.ssd()
    assert (
        ssd == design.distil() == DistilledModel(BASE, replace(CORPUS, policy=design.decoding.train), TrainRecipe(), 0)
    )
    assert set(to_plain(ssd)) == {"kind", "parent", "corpus", "training", "seed", "round"}
    assert "objective" not in to_plain(ssd)["training"]
    assert "entropy_theta" not in to_plain(ssd)["corpus"]["policy"]["stages"][0]
    greedy = Policy.single(0.0)
    assert design.ssd(greedy) == design.distil(greedy) != ssd


def test_what_an_ablation_names_is_what_changes(design):
    made = design.distil(filters=("coded",), transforms=("shuffle_tokens",), objective="entropy", steps=3)
    assert (made.corpus.filters, made.corpus.transforms) == (("coded",), ("shuffle_tokens",))
    assert (made.training.objective, made.training.steps) == ("entropy", 3)
    assert design.distil(filters=()).corpus.filters == ()
    second = design.distil(parent=made, start=BASE, accumulate=True)
    assert (second.parent, second.start, second.round, second.accumulate) == (made, BASE, 2, True)
    assert design.distil(parent=second).round == 3
    scaled = design.scaled()
    assert (scaled.parent, scaled.corpus, scaled.round) == (BASE, design.ssd().corpus, 1)
    assert design.scaled(parent=made).round == 2


@pytest.fixture(scope="module")
def shop(tiny_model, tmp_path_factory):
    options = ("ablation=matched_decoding", "scale=smoke", "engine.threads=1", "engine.device=cpu")
    with Workshop(resolve([*options, f"model={tiny_model}"]), tmp_path_factory.mktemp("runs")) as opened:
        yield opened


@pytest.fixture(scope="module")
def made(tiny_model, shop):
    """SSD's model of the tiny one at a size that takes seconds, by the recipe's own names."""
    corpus = CorpusRecipe("starter_pool", load_pool("starter_pool").digest, 6, Policy.single(1.0, 20, 0.9), 24)
    training = TrainRecipe(steps=2, batch_size=2, micro_batch_size=2, lora_rank=2, lora_alpha=4, max_length=512)
    return DistilledModel(BaseModel(str(tiny_model)), replace(corpus, filters=("empty",)), training, seed=0)


def test_a_scaled_model_shares_the_corpus_and_is_the_parent_times_one_number(shop, made, tiny_model):
    import torch
    from transformers import AutoModelForCausalLM

    model = ScaledModel(made.parent, made.corpus, made.seed)
    assert corpus_of(shop, model).key == corpus_of(shop, made).key
    resolved = weights(shop, model)
    row = _model_row(shop, model)
    fit = row["fit"]
    assert (row["kind"], row["parent"]) == ("scaled", weights(shop, made.parent).weight_digest)
    assert row["weights"] == resolved.weight_digest != row["parent"]
    assert row["corpus"] == corpus_of(shop, made).output_digest("corpus.jsonl")
    assert fit["loss_after"] < fit["loss_before"]
    assert fit["examples"] + fit["dropped"] == 6
    ids = torch.tensor([[4, 8, 15, 16, 23, 42]])
    with torch.inference_mode():
        parent, child = (AutoModelForCausalLM.from_pretrained(p)(ids).logits for p in (tiny_model, resolved.path))
    torch.testing.assert_close(child, fit["scale"] * parent, rtol=1e-4, atol=1e-4)
    assert fit["scale"] > 1.0  # truncated sampling at T = 1 leaves out the tail, which is what sharpening does


def test_a_corpus_of_which_nothing_is_kept_leaves_the_model_it_would_have_started_from(shop, made):
    none = replace(made, corpus=replace(made.corpus, filters=("codeless", "coded")))
    base = weights(shop, made.parent)
    assert weights(shop, none) == base
    row = _model_row(shop, none)
    assert (row["kind"], row["weights"], row["train"]["examples"], row["train"]["dropped"]) == (
        "distilled",
        base.weight_digest,
        0,
        6,
    )
    assert totals([], [row])["trained_on"] == 0
    again = replace(none, parent=none, round=2)  # a round after it samples from the base and goes on
    assert weights(shop, again) == base
    scaled = ScaledModel(made.parent, none.corpus, 0)
    assert weights(shop, scaled) == base
    assert (_model_row(shop, scaled)["fit"]["scale"], _model_row(shop, scaled)["fit"]["examples"]) == (1.0, 0)


def test_a_corpus_whose_prompts_fill_the_sequence_leaves_the_model_too(shop, made):
    tight = replace(made, training=replace(made.training, max_length=4))
    assert weights(shop, tight) == weights(shop, made.parent)
    facts = _model_row(shop, tight)["train"]
    assert (facts["examples"], facts["sequences"]) == (0, 0)
    assert facts["too_long"] > 0


def test_models_that_differ_in_transforms_and_objective_share_one_corpus(shop, made):
    others = [
        made,
        replace(made, corpus=replace(made.corpus, transforms=("shuffle_tokens",))),
        replace(made, corpus=replace(made.corpus, transforms=("format_only",))),
        replace(made, training=replace(made.training, objective="entropy")),
    ]
    assert len({corpus_of(shop, m).key for m in others}) == 1
    assert len({weights(shop, m).weight_digest for m in others}) == 4
