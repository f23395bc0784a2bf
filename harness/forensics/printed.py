"""One printed number: its digits, how it was rounded, and every value that prints so.

Numbers are counted in *ticks* (units of the last printed digit) and compared in half-ticks, so that no check depends
on binary floating point.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

RoundingMode = Literal["nearest", "down", "either"]
Unit = Literal["percent", "fraction"]

T = TypeVar("T", int, NDArray[np.int64])

_PASS_AT = re.compile(r"pass@([1-9][0-9]*)")


def samples_drawn(metric: str) -> int | None:
    """The k of ``pass@k``; 1 for ``accuracy`` (a mean of right-or-wrong outcomes); None for any other metric."""
    if metric == "accuracy":
        return 1
    match = _PASS_AT.fullmatch(metric)
    return int(match.group(1)) if match else None


@dataclass(frozen=True, slots=True)
class Rounding:
    """How numbers were printed. ``either`` covers tables that may have been rounded or cut off."""

    decimals: int = 1
    mode: RoundingMode = "nearest"
    unit: Unit = "percent"

    def bounds(self, ticks: T) -> tuple[T, T]:
        """Lowest and highest value, in half-ticks, that print as ``ticks`` (a number or an array of them)."""
        below = 0 if self.mode == "down" else 1
        above = 1 if self.mode == "nearest" else 2
        return 2 * ticks - below, 2 * ticks + above

    @property
    def width(self) -> int:
        """Length of the interval of values that print alike, in half-ticks."""
        return 3 if self.mode == "either" else 2

    @property
    def full(self) -> int:
        """Ticks in a proportion of one."""
        return int((100 if self.unit == "percent" else 1) * 10**self.decimals)


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed number, ``ticks`` units of its last digit; a ``proportion`` cannot leave 0 to 1."""

    ticks: int
    rounding: Rounding
    proportion: bool = True

    def bounds(self) -> tuple[int, int]:
        """The closed interval of values, in half-ticks, that print as this number.

        Both ends are included, which is lenient towards ties.
        """
        low, high = self.rounding.bounds(self.ticks)
        if self.proportion:
            return max(low, 0), min(high, 2 * self.rounding.full)
        if self.ticks < 0 and self.rounding.mode != "nearest":
            # A negative number cut off moves towards zero.
            return 2 * self.ticks - 2, 2 * self.ticks + (0 if self.rounding.mode == "down" else 1)
        if self.ticks == 0 and self.rounding.mode != "nearest":
            return -2, 2
        return low, high

    @property
    def value(self) -> float:
        """The number as printed, in its own unit."""
        return float(self.ticks / 10**self.rounding.decimals)

    @property
    def share(self) -> float:
        """The number as a proportion of one."""
        return self.ticks / self.rounding.full

    @property
    def text(self) -> str:
        return f"{self.value:.{self.rounding.decimals}f}"

    @property
    def signed(self) -> str:
        """With an explicit sign, as gains are printed."""
        return signed(self.value, self.rounding.decimals)


def signed(value: float, decimals: int) -> str:
    """``value`` with an explicit sign; zero has none."""
    text = f"{abs(value):.{decimals}f}"
    return text if not float(text) else ("+" if value > 0 else "−") + text
