"""The part of training that needs torch: TRL's trainer set up so that nothing in it is left to defaults that matter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from harness.models.transformers_quiet import quiet_transformers
from harness.spec import TrainRecipe
from harness.train import sft, tokens
from harness.train.objective import ObjectiveTrainer

CPU_ACTIVATION_TOKENS = 512
"""Tokens of a micro-batch beyond which activations are recomputed on a CPU. Measured with a 135M model in float32:
about 3.6 MB a token, so 512 tokens keep a training process near 2.3 GiB."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the trainer leaves besides the merged weights."""

    losses: tuple[float, ...]
    trainable_parameters: int
    versions: tuple[tuple[str, str], ...]


class InOrder(torch.utils.data.Sampler[int]):
    """Yields positions of the prepared order as they come."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n))

    def __len__(self) -> int:
        return self.n


class OrderedTrainer(ObjectiveTrainer):
    """``SFTTrainer`` over a prepared order of examples."""

    def _get_train_sampler(self, train_dataset: Any = None) -> InOrder:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return InOrder(len(rows))


class CheckedCollator:
    """Wraps TRL's collator and asserts labels and padding of every batch it makes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        expected = sum(sum(label != tokens.IGNORE for label in row["labels"]) for row in rows)
        batch: dict[str, Any] = self.inner(rows)
        tokens.check_batch(batch, expected)
        return batch


class Reporter(TrainerCallback):
    """Marks whole checkpoints and passes losses to the caller."""

    def __init__(self, progress: sft.Progress | None) -> None:
        self.progress = progress

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Runs after everything of a checkpoint was written."""
        sft.mark_whole(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Runs after every optimiser step (``logging_steps=1``)."""
        logs = kwargs.get("logs") or {}
        if self.progress is not None and "loss" in logs:
            self.progress(state.global_step, state.max_steps, float(logs["loss"]))


def run(
    *,
    model_path: Path,
    sequences: tokens.Sequences,
    order: Sequence[int],
    recipe: TrainRecipe,
    seed: int,
    checkpoints: Path,
    merged: Path,
    progress: sft.Progress | None,
    device: str,
) -> Run:
    """Train from the newest whole checkpoint, merge the adapter once, and save weights under ``merged``."""
    from datasets import Dataset
    from datasets.utils import logging as datasets_logging

    datasets_logging.set_verbosity_error()
    with quiet_transformers(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the libraries' notices to each other
        tokenizer = AutoTokenizer.from_pretrained(model_path)
        model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
        parent_dtype = stored_dtype(model_path)
        if tokenizer.pad_token is None:  # padding is masked out of attention and loss, so any token will do
            tokenizer.pad_token = tokenizer.eos_token
        n = len(sequences.keys)
        rows = Dataset.from_dict(
            {"input_ids": [list(s) for s in sequences.input_ids], "labels": [sequences.labels(i) for i in range(n)]}
        ).select(list(order))
        trainer = OrderedTrainer(
            model=model,
            args=arguments(recipe, seed, checkpoints, device, max(map(len, sequences.input_ids))),
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=lora(recipe) if recipe.method == "lora" else None,
            callbacks=[Reporter(progress)],
        )
        trainer.objective = recipe.objective
        trainer.data_collator = CheckedCollator(trainer.data_collator)
        trainer.remove_callback(PrinterCallback)
        resume = sft.whole_checkpoint(checkpoints)
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
        trained: Any = trainer.accelerator.unwrap_model(trainer.model)
        trainable = sum(int(p.numel()) for p in trained.parameters() if p.requires_grad)
        if recipe.method == "lora":
            trained = trained.merge_and_unload(safe_merge=True)
        trained.to(parent_dtype).save_pretrained(merged)
    packages = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
    versions = tuple((name, version(name)) for name in packages)
    return Run(losses, trainable, (*versions, ("threads", str(torch.get_num_threads())), ("device", device)))


def stored_dtype(model_path: Path) -> torch.dtype:
    """The type the parent's weights are stored in, which the child's are stored in too."""
    from transformers import AutoConfig

    dtype = AutoConfig.from_pretrained(model_path).dtype
    return dtype if isinstance(dtype, torch.dtype) else torch.float32


def arguments(recipe: TrainRecipe, seed: int, checkpoints: Path, device: str, longest: int) -> SFTConfig:
    """The recipe in the trainer's terms; ``longest`` is the longest sequence in tokens."""
    # Recomputing activations gives the same gradients and costs a third of the time: on a CPU only where it must be.
    recompute = device != "cpu" or recipe.micro_batch_size * longest > CPU_ACTIVATION_TOKENS
    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.micro_batch_size,
        gradient_accumulation_steps=recipe.batch_size // recipe.micro_batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": recipe.min_lr_ratio},
        warmup_steps=round(recipe.warmup_ratio * recipe.steps),
        optim="adamw_torch",
        adam_beta1=recipe.betas[0],
        adam_beta2=recipe.betas[1],
        adam_epsilon=1e-8,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        max_length=None,  # sequences arrive cut
        packing=False,
        padding_free=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        bf16=recipe.dtype == "bfloat16",
        fp16=False,
        gradient_checkpointing=recompute,
        use_cpu=device == "cpu",
        seed=seed % (1 << 32),
        data_seed=seed % (1 << 32),
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        save_strategy="steps",
        save_steps=max(1, -(-recipe.steps // sft.CHECKPOINTS)),
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        eval_strategy="no",
        push_to_hub=False,
    )


def lora(recipe: TrainRecipe) -> Any:
    """Adapters on every linear layer of the blocks (not on the output head)."""
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear",
        bias="none",
        task_type="CAUSAL_LM",
    )
