"""The part of training that needs torch: TRL's trainer set up so that nothing in it is left to defaults that matter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
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

from harness.errors import MissingCapability
from harness.models.transformers_quiet import quiet_transformers
from harness.spec import TrainRecipe
from harness.train import sft, tokens
from harness.train.objective import ObjectiveTrainer

CPU_ACTIVATION_TOKENS = 512
"""Tokens of a micro-batch beyond which activations are recomputed on a CPU. Measured with a 135M model in float32:
about 3.6 MB a token, so 512 tokens keep a training process near 2.3 GiB."""


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
        """Runs after this process wrote its part of a checkpoint, which is whole once every process has."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
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
    heldout: Sequence[int],
    recipe: TrainRecipe,
    seed: int,
    checkpoints: Path,
    resume: Path | None,
    merged: Path,
    progress: sft.Progress | None,
    device: str,
) -> sft.Run:
    """Train from ``resume`` or the start, merge the adapter once, and save weights under ``merged``.

    With ``recipe.processes`` above 1 every process of the group calls this with the same arguments
    (:mod:`harness.train.distribute`); the first one saves the weights.
    """
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
        examples = Dataset.from_dict(
            {"input_ids": [list(s) for s in sequences.input_ids], "labels": [sequences.labels(i) for i in range(n)]}
        )
        trainer = OrderedTrainer(
            model=model,
            args=arguments(recipe, seed, checkpoints, device, max(map(len, sequences.input_ids))),
            train_dataset=examples.select(list(order)),
            eval_dataset=examples.select(list(heldout)) if heldout else None,
            processing_class=tokenizer,
            peft_config=lora(recipe) if recipe.method == "lora" else None,
            callbacks=[Reporter(progress)],
        )
        trainer.objective = recipe.objective
        if (recipe.sharding == "fsdp") != (str(trainer.accelerator.distributed_type.value) == "FSDP"):
            # accelerate falls back to whole copies without a word where it cannot shard.
            raise MissingCapability(f"train.sharding={recipe.sharding}: accelerate would not do that here")
        trainer.data_collator = CheckedCollator(trainer.data_collator)
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        history = trainer.state.log_history
        losses = tuple(float(entry["loss"]) for entry in history if "loss" in entry)
        heldout_losses = tuple((int(e["step"]), float(e["eval_loss"])) for e in history if "eval_loss" in e)
        taken = (trainer.state.best_global_step or recipe.steps) if recipe.checkpoint == "heldout" else recipe.steps
        trained, trainable = whole_model(trainer, model_path, recipe)
        if trainer.is_world_process_zero():
            if recipe.method == "lora":
                trained = trained.merge_and_unload(safe_merge=True)
            trained.to(parent_dtype).save_pretrained(merged)
        trainer.accelerator.wait_for_everyone()
    packages = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
    how = [("threads", str(torch.get_num_threads())), ("device", device), ("processes", str(recipe.processes))]
    if recipe.processes > 1:
        how += [("sharding", recipe.sharding), ("backend", torch.distributed.get_backend())]
    return sft.Run(losses, trainable, (*((n, version(n)) for n in packages), *how), taken, heldout_losses)


def whole_model(trainer: SFTTrainer, model_path: Path, recipe: TrainRecipe) -> tuple[Any, int]:
    """The trained model with all its tensors in this process, and how many parameters were trained.

    Sharded tensors are collected in the first process only, into a fresh copy of the parent; what the others get back
    is not to be used.
    """
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    trainable = sum(int(p.numel()) for p in model.parameters() if p.requires_grad)
    if recipe.sharding != "fsdp":
        return model, trainable
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not trainer.is_world_process_zero():
        return model, trainable
    fresh: Any = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    if recipe.method == "lora":
        from peft import get_peft_model

        fresh = get_peft_model(fresh, lora(recipe))
    missing = set(fresh.state_dict()) - set(state)
    fresh.load_state_dict(state, strict=False)
    tied = set(getattr(fresh, "all_tied_weights_keys", None) or {})
    if missing - tied:
        raise AssertionError(f"tensors that sharding lost: {sorted(missing - tied)[:3]}")
    return fresh, trainable


def stored_dtype(model_path: Path) -> torch.dtype:
    """The type the parent's weights are stored in, which the child's are stored in too."""
    from transformers import AutoConfig

    dtype = AutoConfig.from_pretrained(model_path).dtype
    return dtype if isinstance(dtype, torch.dtype) else torch.float32


def arguments(recipe: TrainRecipe, seed: int, checkpoints: Path, device: str, longest: int) -> SFTConfig:
    """The recipe in the trainer's terms; ``longest`` is the longest sequence in tokens."""
    # Recomputing activations gives the same gradients and costs a third of the time: on a CPU only where it must be.
    recompute = device != "cpu" or recipe.micro_batch_size * longest > CPU_ACTIVATION_TOKENS
    sharded: Any = recipe.sharding == "fsdp" or None
    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.micro_batch_size,
        # One optimiser step takes batch_size consecutive sequences of the order, dealt out a micro-batch a process.
        gradient_accumulation_steps=recipe.batch_size // (recipe.micro_batch_size * recipe.processes),
        # The loss is the mean over the tokens of the whole batch: not a mean of means over micro-batches or processes.
        average_tokens_across_devices=True,
        # Eq. 2 of the paper is cross-entropy alone; a mixture-of-experts config would add a balancing loss otherwise.
        router_aux_loss_coef=0.0,
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
        gradient_checkpointing=recompute and not sharded,
        fsdp=sharded,
        fsdp_config=fsdp_settings(recompute) if sharded else None,
        ddp_backend=None if recipe.processes == 1 else "gloo" if device == "cpu" else "nccl",
        ddp_find_unused_parameters=False,
        ddp_timeout=3 * 3600,  # seconds the others wait while the first process reads or writes a large model
        use_cpu=device == "cpu",
        seed=seed % (1 << 32),
        data_seed=seed % (1 << 32),
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        save_strategy="steps",
        save_steps=sft.save_steps(recipe),
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        eval_strategy="steps" if recipe.checkpoint == "heldout" else "no",
        eval_steps=sft.save_steps(recipe),
        per_device_eval_batch_size=1,  # so that the loss is a mean over sequences, however they are dealt out
        load_best_model_at_end=recipe.checkpoint == "heldout",
        metric_for_best_model="eval_loss" if recipe.checkpoint == "heldout" else None,
        greater_is_better=False if recipe.checkpoint == "heldout" else None,
        push_to_hub=False,
    )


def fsdp_settings(recompute: bool) -> dict[str, Any]:
    """Every block's parameters, gradients and optimiser state are split over the processes (ZeRO stage 3)."""
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "reshard_after_forward": True,
        "activation_checkpointing": recompute,
        "state_dict_type": "SHARDED_STATE_DICT",
    }


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
