"""Straight-line interpolation between two models' weights (Wortsman et al. 2022, arXiv:2109.01903).

What it does not promise: that a point on the line is a sensible model; two fine-tunings of one base usually give one,
unrelated models do not.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.errors import BadInput
from harness.models import digests


def interpolate(first: Path, second: Path, weight: float, out_dir: Path) -> str:
    """Write ``(1 − weight) · first + weight · second`` and return its weight digest.

    Tensors are mixed in float32 and stored in the first model's types. ``out_dir`` appears whole, by renaming.

    Args:
        first: a model folder; its configuration and tokenizer are copied.
        second: a model folder with the same tensors.
        weight: share of the second model, 0 to 1.
        out_dir: where the mixture goes.

    Raises:
        BadInput: if the two do not have the same tensors.
    """
    from safetensors.torch import load_file, save_file

    partial = out_dir.with_name(out_dir.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    theirs = {name: tensor for path in digests.safetensors_files(second) for name, tensor in load_file(path).items()}
    seen: set[str] = set()
    for path in digests.safetensors_files(first):
        mixed = {}
        for name, tensor in load_file(path).items():
            other = theirs.get(name)
            if other is None or other.shape != tensor.shape:
                raise BadInput(f"interpolation: tensor {name} is not in both models, or not of one shape")
            mixed[name] = ((1 - weight) * tensor.float() + weight * other.float()).to(tensor.dtype)
        seen |= set(mixed)
        save_file(mixed, partial / path.name, metadata={"format": "pt"})
    if set(theirs) != seen:
        raise BadInput(f"interpolation: tensor {min(set(theirs) - seen)} is only in the second model")
    for path in first.iterdir():
        if path.is_file() and path.suffix != ".safetensors" and path.name != "training.json":
            shutil.copyfile(path, partial / path.name)
    digest = digests.weight_digest(partial)
    shutil.rmtree(out_dir, ignore_errors=True)
    os.rename(partial, out_dir)
    return digest
