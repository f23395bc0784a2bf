"""Supervised fine-tuning of a causal language model on a sampled corpus, with TRL's ``SFTTrainer`` and PEFT.

On a CPU the result is a function of the parent's weights, the examples, the recipe, the seed and the number of threads,
also when training was killed and resumed; on a GPU it is not promised to be bit-equal.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.canonical import digest
from harness.errors import BadInput, HarnessError, MissingCapability
from harness.models import digests
from harness.spec import TrainRecipe
from harness.train import tokens
from harness.train.corpus import Example

STEP_VERSION = 1
"""Raised when the same inputs would give other weights."""

RESULT_FILE = "training.json"
WHOLE = "checkpoint_is_whole"
CHECKPOINTS = 8
"""Checkpoints over a training run, at most; the newest two are kept until it ends."""

Progress = Callable[[int, int, float], None]
"""Called after every optimiser step with (steps done, steps in all, loss)."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A finished training run.

    ``losses`` are the mean token losses of the optimiser steps. ``sequence_tokens`` counts tokens passed through the
    model and ``target_tokens`` those with loss, both over all steps, padding excluded. ``ended`` is how many sequences
    have an end token as target; ``truncated`` and ``too_long`` count sequences cut at, or left out for, ``max_length``.
    ``checkpoint`` is the step whose weights these are; ``heldout`` counts sequences kept out of training to choose it.
    """

    path: Path
    weight_digest: str
    losses: tuple[float, ...]
    sequences: int
    sequence_tokens: int
    target_tokens: int
    ended: int
    truncated: int
    too_long: int
    trainable_parameters: int
    versions: tuple[tuple[str, str], ...]
    checkpoint: int = 0
    heldout: int = 0
    heldout_losses: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What a trainer leaves besides the merged weights.

    ``checkpoint`` is the step whose weights were taken; ``heldout_losses`` are (step, loss) of every checkpoint, the
    loss being the mean over held-out sequences of their mean token loss.
    """

    losses: tuple[float, ...]
    trainable_parameters: int
    versions: tuple[tuple[str, str], ...]
    checkpoint: int
    heldout_losses: tuple[tuple[int, float], ...] = ()


class TrainingDiverged(HarnessError):
    """The loss stopped being a number; the recipe's learning rate is the usual cause."""


def train(
    model_path: Path,
    examples: Sequence[Example],
    recipe: TrainRecipe,
    seed: int,
    out_dir: Path,
    progress: Progress | None = None,
    *,
    device: str = "auto",
) -> TrainedModel:
    """Fine-tune, or resume fine-tuning, or return what is already there.

    Work happens in ``OUT_DIR.partial``; ``out_dir`` appears whole, by renaming. A call that finds the remains of a
    killed one with the same inputs goes on from its newest whole checkpoint; other remains are removed.

    Args:
        model_path: the parent (:func:`harness.models.resolve`).
        examples: the corpus, filtered.
        recipe: how to train.
        seed: of adapter initialisation, dropout and the order of examples.
        out_dir: where the merged model goes: safetensors, the parent's config and tokenizer, and ``training.json``.
        progress: told about every step.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        BadInput: for a recipe that cannot run, or nothing to train on.
        MissingCapability: where a library or device is missing.
        TrainingDiverged: where the loss is not finite.
    """
    if (out_dir / RESULT_FILE).is_file():
        return load_result(out_dir)
    check_recipe(recipe)
    try:
        import torch
        from transformers import AutoTokenizer

        if recipe.processes == 1:  # otherwise only the processes of the group need what it imports
            from harness.train import trainer as backend
    except ImportError as error:
        raise MissingCapability(f"training needs {error.name}: pip install 'harness-referee[run]'") from None
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingCapability(f"train.device=cuda: torch {torch.__version__} sees no CUDA device")
    if device == "cpu" and recipe.sharding == "fsdp":
        raise MissingCapability("train.sharding=fsdp: accelerate shards models on GPUs only; on a CPU say ddp")

    sequences = tokens.tokenise(examples, AutoTokenizer.from_pretrained(model_path), recipe.max_length)
    lengths = [len(ids) for ids in sequences.input_ids]
    used, heldout = tokens.hold_out(sequences, recipe.heldout)
    drawn = tokens.schedule(len(used), [lengths[i] for i in used], recipe.steps, recipe.batch_size, seed)
    order = [used[i] for i in drawn]
    inputs = {
        "version": STEP_VERSION,
        "weights": digests.weight_digest(model_path),
        "config": digests.config_digest(model_path),
        "sequences": digest([sequences.input_ids, sequences.prompt_tokens]),
        "recipe": digest(recipe),
        "seed": seed,
    }
    work = out_dir.with_name(out_dir.name + ".partial")
    _claim(work, inputs)
    shutil.rmtree(work / "merged", ignore_errors=True)
    job: dict[str, Any] = {
        "model_path": model_path,
        "sequences": sequences,
        "order": order,
        "heldout": heldout,
        "recipe": recipe,
        "seed": seed,
        "checkpoints": work / "checkpoints",
        "resume": whole_checkpoint(work / "checkpoints"),
        "merged": work / "merged",
        "device": device,
    }
    if recipe.processes == 1:
        run = backend.run(**job, progress=progress)
    else:
        from harness.train.distribute import run_distributed

        run = run_distributed(job, work / "job", progress)
    if not all(math.isfinite(loss) for loss in run.losses):
        bad = next(i for i, loss in enumerate(run.losses) if not math.isfinite(loss))
        raise TrainingDiverged(
            f"training diverged: the loss is {run.losses[bad]} at step {bad + 1}; lower "
            f"train.learning_rate={recipe.learning_rate}"
        )
    copy_parent_files(model_path, work / "merged")
    result = TrainedModel(
        path=out_dir,
        weight_digest=digests.weight_digest(work / "merged"),
        losses=run.losses,
        sequences=len(used),
        sequence_tokens=sum(lengths[i] for i in order),
        target_tokens=sum(lengths[i] - sequences.prompt_tokens[i] for i in order),
        ended=sum(sequences.ends),
        truncated=len(sequences.truncated),
        too_long=len(sequences.too_long),
        trainable_parameters=run.trainable_parameters,
        versions=run.versions,
        checkpoint=run.checkpoint,
        heldout=len(heldout),
        heldout_losses=run.heldout_losses,
    )
    record = {k: v for k, v in asdict(result).items() if k != "path"}
    (work / "merged" / RESULT_FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (work / "merged").rename(out_dir)
    shutil.rmtree(work)
    return result


def load_result(out_dir: Path) -> TrainedModel:
    """What ``training.json`` says about a finished run."""
    record = json.loads((out_dir / RESULT_FILE).read_text(encoding="utf-8"))
    record["losses"] = tuple(record["losses"])
    record["versions"] = tuple((k, v) for k, v in record["versions"])
    record["heldout_losses"] = tuple((step, loss) for step, loss in record.get("heldout_losses", ()))
    return TrainedModel(path=out_dir, **record)


def check_recipe(recipe: TrainRecipe) -> None:
    """Refuse a recipe that cannot run, before anything is loaded.

    Raises:
        BadInput: naming the key and the value.
    """
    for key in ("steps", "batch_size", "micro_batch_size", "max_length", "lora_rank", "processes"):
        if getattr(recipe, key) < 1:
            raise BadInput(f"train.{key}={getattr(recipe, key)}: must be at least 1")
    if recipe.batch_size % recipe.micro_batch_size:
        raise BadInput(
            f"train.micro_batch_size={recipe.micro_batch_size}: must divide train.batch_size={recipe.batch_size}"
        )
    if recipe.batch_size % (recipe.micro_batch_size * recipe.processes):
        raise BadInput(
            f"train.processes={recipe.processes}: processes × train.micro_batch_size={recipe.micro_batch_size} must "
            f"divide train.batch_size={recipe.batch_size}"
        )
    if (recipe.processes > 1) != (recipe.sharding != "none"):
        wanted = "ddp or fsdp" if recipe.processes > 1 else "none"
        raise BadInput(f"train.sharding={recipe.sharding}: with train.processes={recipe.processes} it must be {wanted}")
    if recipe.save_steps < 0:
        raise BadInput(f"train.save_steps={recipe.save_steps}: must be 0 (eight checkpoints a run) or above")
    if (recipe.checkpoint == "heldout") != (recipe.heldout > 0):
        raise BadInput(
            f"train.heldout={recipe.heldout}: train.checkpoint={recipe.checkpoint} needs "
            + ("examples to choose by" if recipe.checkpoint == "heldout" else "0")
        )
    if not 0 <= recipe.min_lr_ratio <= 1:
        raise BadInput(f"train.min_lr_ratio={recipe.min_lr_ratio}: must be from 0 to 1")
    if not 0 <= recipe.warmup_ratio < 1:
        raise BadInput(f"train.warmup_ratio={recipe.warmup_ratio}: must be from 0 to below 1")
    if recipe.objective not in ("cross_entropy", "entropy"):
        raise BadInput(f"train.objective={recipe.objective}: must be cross_entropy or entropy")
    if not recipe.learning_rate > 0:
        raise BadInput(f"train.learning_rate={recipe.learning_rate}: must be above 0")


def _claim(work: Path, inputs: dict[str, Any]) -> None:
    """Make ``work`` ours: keep the remains of a run with the same inputs, remove any others."""
    note = work / "inputs.json"
    text = json.dumps(inputs, sort_keys=True)
    if not (note.is_file() and note.read_text(encoding="utf-8") == text):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        partial = note.with_suffix(".new")
        partial.write_text(text, encoding="utf-8")
        partial.replace(note)


def copy_parent_files(parent: Path, child: Path) -> None:
    """Give a trained model its parent's config, generation settings, tokenizer and chat template, byte for byte.

    Libraries rewrite these files when they save a model; a changed one would be another difference between the arms.
    """
    names = ("config.json", "generation_config.json", digests.CHAT_TEMPLATE_FILE, *digests.TOKENIZER_FILES)
    for name in names:
        (child / name).unlink(missing_ok=True)
        if (parent / name).is_file():
            shutil.copyfile(parent / name, child / name)


def save_steps(recipe: TrainRecipe) -> int:
    """Optimiser steps between checkpoints."""
    return recipe.save_steps or max(1, -(-recipe.steps // CHECKPOINTS))


def whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; those that were not are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rsplit("-", 1)[1]))
    whole = [p for p in found if (p / WHOLE).is_file()]
    for path in found:
        if path not in whole:
            shutil.rmtree(path)
    return whole[-1] if whole else None


def mark_whole(checkpoint: Path) -> None:
    """Say that a checkpoint is complete, after everything in it has reached the disk."""
    for path in checkpoint.rglob("*"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    (checkpoint / WHOLE).touch()
