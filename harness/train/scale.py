"""One factor on all of a model's logits, fitted to a corpus by maximum likelihood and written into the weights.

Multiplying every logit by s is decoding at temperature 1/s, at every position alike. The s fitted here minimises the
mean token-level cross-entropy of the corpus, which training minimises too, so the scaled model is the best student that
has learned nothing but a temperature. (Guo et al. 2017, "On Calibration of Modern Neural Networks", fit the same one
number to labels.)

The loss is convex in s: with z the logits and y the token, it is the mean of log Σ exp(s·z) − s·z_y, whose first and
second derivatives are the means of E_s[z] − z_y and Var_s[z], E_s and Var_s under softmax(s·z).

What this does not promise: an exact factor in the stored weights of a bfloat16 model, whose final norm is rounded to 8
bits a channel.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput, MissingCapability
from harness.models import digests
from harness.models.transformers_quiet import quiet_transformers
from harness.train.corpus import Example
from harness.train.tokens import IGNORE, Sequences, tokenise

if TYPE_CHECKING:
    from torch import Tensor

LOWEST, HIGHEST = 1 / 32, 32.0
"""Where the search ends. A corpus of arg-max tokens alone has no best factor: larger is always better."""

FIRST = (0.5, 0.8, 1.0, 1.25, 2.0)
"""Factors evaluated first, together: most fits lie between two of them."""

TOLERANCE = 1e-5
"""Relative change of the factor at which the search stops."""

MOST_POSITIONS = 1 << 17
"""Response positions used at most. The factor's standard error is then near 0.003, far below what a benchmark shows."""

ROWS, SEQUENCES = 256, 4
"""Positions whose logits, and sequences whose activations, are held at once."""

NORM = "model.norm"
"""The module whose output the output head reads, in the architectures that can be scaled here."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The mean loss in nats at one factor, with its first and second derivatives."""

    value: float
    slope: float
    curvature: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The factor, and the loss before (factor 1) and after. ``at_bound``: the loss still falls beyond it."""

    scale: float
    before: float
    after: float
    at_bound: bool


@dataclass(frozen=True, slots=True)
class ScaledWeights:
    """A scaled model on disk. ``positions`` of ``all_positions`` response positions, of ``sequences``, were used."""

    path: Path
    weight_digest: str
    fit: Fit
    sequences: int
    positions: int
    all_positions: int


def fit_scale(evaluate: Callable[[Sequence[float]], list[Loss]]) -> Fit:
    """Minimise a convex loss over the factor by Newton's method, kept inside a bracket that shrinks.

    Args:
        evaluate: the losses at several factors, so that one pass over the data serves them all.
    """
    seen = dict(zip(FIRST, evaluate(FIRST), strict=True))
    before = seen[1.0].value
    if seen[1.0].slope == 0:
        return Fit(1.0, before, before, False)
    for bound, outwards in ((LOWEST, 1.0), (HIGHEST, -1.0)):
        if all(outwards * loss.slope > 0 for loss in seen.values()):
            (seen[bound],) = evaluate((bound,))
            if outwards * seen[bound].slope > 0:
                return Fit(bound, before, seen[bound].value, True)
    low = max(s for s, loss in seen.items() if loss.slope <= 0)
    high = min(s for s, loss in seen.items() if loss.slope >= 0)
    scale = min((low, high), key=lambda s: abs(seen[s].slope))
    while True:
        loss = seen[scale]
        if loss.slope <= 0:
            low = scale
        if loss.slope >= 0:
            high = scale
        following = scale - loss.slope / loss.curvature if loss.curvature > 0 else high
        if not low < following < high:
            following = (low * high) ** 0.5
        if abs(following - scale) <= TOLERANCE * scale or high - low <= TOLERANCE * low:
            return Fit(scale, before, loss.value, False)
        scale = following
        (seen[scale],) = evaluate((scale,))


def losses(hidden: Tensor, targets: Tensor, head: Callable[[Tensor], Tensor], scales: Sequence[float]) -> list[Loss]:
    """The mean loss at each factor, with derivatives, in one pass over positions.

    Args:
        hidden: what the output head reads, ``[positions, width]``.
        targets: int64 ``[positions]``, the tokens that follow.
        head: maps ``[rows, width]`` to logits ``[rows, vocabulary]``.
        scales: factors above 0.
    """
    import torch

    total = torch.zeros(len(scales), 3, dtype=torch.float64)
    for start in range(0, len(targets), ROWS):
        logits = head(hidden[start : start + ROWS]).float()
        logits = logits - logits.amax(dim=-1, keepdim=True)  # changes no difference, and keeps the sums small
        target = logits.gather(-1, targets[start : start + ROWS, None]).squeeze(-1)
        for i, scale in enumerate(scales):
            log_p = torch.log_softmax(scale * logits, dim=-1)
            weighted = log_p.exp() * logits
            mean = weighted.sum(dim=-1)
            spread = (weighted * logits).sum(dim=-1) - mean**2
            chosen = log_p.gather(-1, targets[start : start + ROWS, None])
            parts = (-chosen, mean - target, spread.clamp(min=0))
            total[i] += torch.stack([p.double().sum().cpu() for p in parts])
    return [Loss(*(row / len(targets)).tolist()) for row in total]


def scale_model(
    parent: Path, examples: Sequence[Example], out_dir: Path, *, device: str = "auto", dtype: str = "float32"
) -> ScaledWeights:
    """Fit the factor on a corpus and write the scaled model; ``out_dir`` appears whole, by renaming.

    Where the corpus has more than :data:`MOST_POSITIONS` response positions, sequences spaced evenly over it are used.

    Args:
        parent: a model folder.
        examples: what is kept of the corpus.
        out_dir: where the scaled model goes.
        device: ``auto``, ``cpu`` or ``cuda``.
        dtype: of weights and activations while fitting.

    Raises:
        BadInput: for an architecture whose logits are not linear in a final norm's weights.
        NothingToTrainOn: where no example has a response that fits the model.
        MissingCapability: where a library is missing.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingCapability(f"scaling needs {error.name}: pip install 'harness-referee[run]'") from None
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(parent)
        auto: Any = AutoModelForCausalLM
        model = auto.from_pretrained(parent, dtype=getattr(torch, dtype)).to(device).eval()
    longest = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    sequences = tokenise(examples, tokenizer, longest)
    used = spaced(sequences, MOST_POSITIONS)
    with torch.inference_mode():
        check_linear(model, sequences.input_ids[0][:8])
        hidden, targets = states(model, sequences, used)
        head = model.get_output_embeddings()
        fit = fit_scale(lambda scales: losses(hidden, targets, head, scales))
    digest = write_scaled(parent, fit.scale, out_dir)
    return ScaledWeights(out_dir, digest, fit, len(used), len(targets), sequences.target_tokens)


def spaced(sequences: Sequences, most: int) -> list[int]:
    """Sequences spaced evenly that have about ``most`` response positions together; all where they have no more."""
    step = max(1, -(-sequences.target_tokens // most))
    return list(range(0, len(sequences.keys), step))


def states(model: Any, sequences: Sequences, used: Sequence[int]) -> tuple[Tensor, Tensor]:
    """What the output head reads before each response token, ``[positions, width]``, and those tokens."""
    import torch

    order = sorted(used, key=lambda i: len(sequences.input_ids[i]))
    hidden, targets = [], []
    for start in range(0, len(order), SEQUENCES):
        batch = order[start : start + SEQUENCES]
        longest = max(len(sequences.input_ids[i]) for i in batch)
        padding = [longest - len(sequences.input_ids[i]) for i in batch]
        rows = list(zip(batch, padding, strict=True))
        ids = torch.tensor([[*sequences.input_ids[i], *[0] * n] for i, n in rows], device=model.device)
        mask = torch.tensor([[1] * (longest - n) + [0] * n for _, n in rows], device=model.device)
        labels = torch.tensor([[*sequences.labels(i), *[IGNORE] * n] for i, n in rows], device=model.device)[:, 1:]
        out = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
        hidden.append(out[labels != IGNORE])
        targets.append(labels[labels != IGNORE])
    return torch.cat(hidden), torch.cat(targets)


def check_linear(model: Any, ids: Sequence[int]) -> None:
    """Try on a few tokens that doubling the final norm doubles every logit, and that the head alone makes the logits.

    Raises:
        BadInput: where it does not (no such norm, a norm with an offset of its own, soft-capped logits, a head with a
            bias).
    """
    import torch

    norm = getattr(getattr(model, "model", None), "norm", None)
    name = type(model).__name__
    if norm is None or getattr(norm, "weight", None) is None or model.get_output_embeddings() is None:
        raise BadInput(f"{name}: no {NORM} before its output head, so its logits cannot be scaled in the weights")
    tokens = torch.tensor([list(ids)], device=model.device)
    parameters = [p for p in (norm.weight, getattr(norm, "bias", None)) if p is not None]
    before = model(input_ids=tokens, use_cache=False).logits
    direct = model.get_output_embeddings()(model.model(input_ids=tokens, use_cache=False).last_hidden_state)
    for p in parameters:
        p.data.mul_(2)
    after = model(input_ids=tokens, use_cache=False).logits
    for p in parameters:
        p.data.mul_(0.5)  # doubling and halving are exact
    margin = 1e-3 * float(before.abs().max())
    if max(float((after - 2 * before).abs().max()), float((direct - before).abs().max())) > margin:
        raise BadInput(f"{name}: its logits are not linear in {NORM}, so they cannot be scaled in the weights")


def write_scaled(source: Path, scale: float, out_dir: Path) -> str:
    """Copy a model folder with its final norm multiplied by ``scale``; returns the new weight digest.

    Raises:
        BadInput: where the folder has no such tensor.
    """
    from safetensors.torch import load_file, save_file

    partial = out_dir.with_name(out_dir.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    names = (f"{NORM}.weight", f"{NORM}.bias")
    found = False
    for path in source.iterdir():
        if not path.is_file() or path.name == "training.json":
            continue
        tensors = load_file(path) if path.suffix == ".safetensors" else {}
        if not any(name in tensors for name in names):
            shutil.copyfile(path, partial / path.name)
            continue
        found = True
        scaled = {n: (t.float() * scale).to(t.dtype) if n in names else t for n, t in tensors.items()}
        save_file(scaled, partial / path.name, metadata={"format": "pt"})
    if not found:
        raise BadInput(f"{source}: no tensor {names[0]} in it, so its logits cannot be scaled in the weights")
    digest = digests.weight_digest(partial)
    shutil.rmtree(out_dir, ignore_errors=True)
    os.rename(partial, out_dir)
    return digest
