"""Keeping ``transformers`` from writing progress bars and notices over the program's own output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the library's progress bars and its log below errors inside the block; restore both afterwards."""
    from transformers.utils import logging

    library_logging: Any = logging  # parts of it are unannotated

    before = library_logging.get_verbosity()
    bars = library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
    try:
        yield
    finally:
        library_logging.set_verbosity(before)
        if bars:
            library_logging.enable_progress_bar()
