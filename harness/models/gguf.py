"""De-quantising a GGUF file, once, into an ordinary model folder.

The result is the same numbers the quantised file stands for (a 4-bit block times its scale, plus its offset), in
float32; it does not recover what quantisation lost.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from harness.errors import BadInput, MissingCapability
from harness.models.transformers_quiet import quiet_transformers


def convert(gguf: Path, out: Path) -> None:
    """Write ``gguf`` as a folder of safetensors, config, generation settings, tokenizer and chat template.

    Args:
        gguf: the file.
        out: a folder that exists and is empty; the caller renames it into place.

    Raises:
        BadInput: where the file is no GGUF model that ``transformers`` can read.
        MissingCapability: where ``transformers`` or ``gguf`` is not installed.
    """
    try:
        import gguf as _gguf  # noqa: F401  (transformers needs it and says so less clearly)
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingCapability(f"reading {gguf.name} needs {error.name}: pip install 'harness-referee[run]'") from None

    # The GGUF reader's progress bar ignores the library's own switch; errors still arrive as exceptions.
    with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):
        try:
            quantised = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        except (ValueError, OSError, KeyError) as error:
            raise BadInput(f"{gguf}: not a GGUF model that can be read ({error})") from None
        config = quantised.config
        # A model loaded from GGUF carries a quantization_config and refuses save_pretrained for it, although its
        # tensors are plain floats by now: the same tensors in a model built from the cleaned config save normally.
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        auto: Any = AutoModelForCausalLM
        plain = auto.from_config(config, dtype=torch.float32)
        plain.load_state_dict(quantised.state_dict())
        plain.tie_weights()
        plain.generation_config = quantised.generation_config
        plain.save_pretrained(out)
        tokenizer.save_pretrained(out)
