"""Keeping ``transformers`` from writing progress bars and notices over the program's own output."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_transformers(level: int = logging.ERROR) -> Iterator[None]:
    """Silence the library's progress bars and its log below ``level`` inside the block; restore both afterwards."""
    from transformers.utils import logging as library_logging

    before = library_logging.get_verbosity()
    bars = library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity(level)
    library_logging.disable_progress_bar()
    try:
        yield
    finally:
        library_logging.set_verbosity(before)
        if bars:
            library_logging.enable_progress_bar()
