"""How the report writes numbers: points with a sign, a true minus, a dash for what is undefined."""

from __future__ import annotations

from collections.abc import Sequence

UNDEFINED = "—"

SHARES = (
    *("no_code", "format_failure", "truncated"),
    *("distinct_programs", "distinct_ngrams", "kept_mass", "tail_mass", "probability", "tv_predicted"),
)
"""Metrics that lie in 0…1 by definition, besides pass@k."""


def is_rate(metric: str) -> bool:
    """Whether a metric is a share of samples or problems, shown in per cent; others keep their own unit."""
    return metric.startswith("pass@") or metric.partition("@")[0] in SHARES


def signed(value: float, digits: int = 1) -> str:
    """``+3.1``, ``−0.4``; zero has no sign.

    >>> signed(-0.04), signed(2.25)
    ('0.0', '+2.2')
    """
    text = plain(value, digits)
    return text if text == UNDEFINED or not float(text.replace("−", "-")) or text[0] == "−" else f"+{text}"


def plain(value: float | None, digits: int = 1) -> str:
    """A number with a true minus; ``—`` where undefined; no negative zero."""
    if value is None or value != value:
        return UNDEFINED
    rounded = round(value, digits) + 0.0
    return f"{rounded:.{digits}f}".replace("-", "−")


def span(interval: Sequence[float], digits: int = 1, sign: bool = True) -> str:
    """``[−1.0, +7.2]``."""
    write = signed if sign else plain
    return f"[{write(interval[0], digits)}, {write(interval[1], digits)}]"


def p_text(p: float) -> str:
    """A p-value to four places; never printed as zero."""
    return UNDEFINED if p != p else "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def size_text(count: int, noun: str) -> str:
    """``1 problem``, ``12 problems``.

    >>> size_text(1, "problem"), size_text(2350, "sample")
    ('1 problem', '2,350 samples')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
