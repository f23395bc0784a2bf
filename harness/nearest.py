"""The end of an error line about an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(wrong: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for a near miss, else the list of what there is."""
    options = sorted(known)
    close = difflib.get_close_matches(wrong, options, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; there is {', '.join(options)}" if options else ""
