"""What pass@j allows pass@k to be.

Per problem, 1 − C(n−c, k)/C(n, k) grows with k and is concave in it, and is concave in c. Hence for j < k and any n
pass@j ≤ pass@k ≤ (k/j)·pass@j, problem by problem and so on average; and at a given n the sum over problems is largest
when the successes are spread evenly and smallest when they are piled on as few problems as possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations

from harness.forensics._md import plural
from harness.forensics.cells import parts, stated_samples
from harness.forensics.finding import Finding, certainty_of
from harness.forensics.granularity import count_range
from harness.forensics.model import Line, PublishedTable, grid_lines
from harness.forensics.printed import Printed, samples_drawn
from harness.forensics.sizes import Sizes


def extreme_sums(successes: int, problems: int, samples: int, k: int) -> tuple[Fraction, Fraction]:
    """Smallest and largest pass@k (as a proportion) that ``successes`` in ``problems`` × ``samples`` can give."""
    whole = math.comb(samples, k)

    def term(count: int) -> Fraction:
        return Fraction(whole - math.comb(samples - count, k), whole)

    each, extra = divmod(successes, problems)
    even = (problems - extra) * term(each) + (extra * term(each + 1) if extra else 0)
    full, rest = divmod(successes, samples)
    return (full + term(rest)) / problems, even / problems


def _pairs(lines: Iterable[Line]) -> list[tuple[Line, Line, int, int]]:
    """Lines of one arm in two metrics pass@j, pass@k with j < k."""
    groups: dict[tuple[str, str, str, str], dict[int, Line]] = {}
    for line in lines:
        k = samples_drawn(line.metric)
        if k is not None and line.metric != "accuracy":
            groups.setdefault((line.table, line.row, line.arm, line.benchmark), {})[k] = line
    return [(g[j], g[k], j, k) for g in groups.values() for j, k in combinations(sorted(g), 2)]


def _any_n(first: Printed, second: Printed, j: int, k: int) -> tuple[float, str] | None:
    """Ticks by which the pair breaks a bound that holds for every n, and the bound in words."""
    low, high = first.bounds()
    low_k, high_k = second.bounds()
    unit = 2 * 10**first.rounding.decimals
    decimals = first.rounding.decimals + 2
    if high_k < low:
        return (low - high_k) / 2, f"pass@{k} {second.text} is below pass@{j} {first.text}; it can never be"
    if j * low_k > k * high:
        most = k * high / j / unit
        ratio = f"{k}" if j == 1 else f"{k}/{j}"
        return (low_k - k * high / j) / 2, (
            f"pass@{k} is at most {ratio} × pass@{j} for every n: pass@{j} printed as {first.text} allows at most "
            f"{most:.{decimals}f}, and {second.text} is printed"
        )
    return None


def _at_n(first: Printed, second: Printed, problems: int, samples: int, k: int) -> str | None:
    """Why the pair cannot occur at this n, or None if it can (or if the pass@1 cell itself cannot)."""
    trials = problems * samples
    few, many = count_range(first, trials)
    if few > many or k > samples:
        return None
    full = 2 * second.rounding.full
    low_k, high_k = (Fraction(b, full) for b in second.bounds())
    least = extreme_sums(few, problems, samples, k)[0]
    most = extreme_sums(many, problems, samples, k)[1]
    scale = second.rounding.full / 10**second.rounding.decimals
    digits = second.rounding.decimals + 2
    if low_k > most:
        need = next(c for c in range(many + 1, trials + 1) if extreme_sums(c, problems, samples, k)[1] >= low_k)
        allowed = f"{plural(many, 'success')} at most, hence pass@{k} of at most {float(most) * scale:.{digits}f}"
        return (
            f"{first.text} means {'no success and pass@' + str(k) + ' of 0' if many == 0 else allowed}; {second.text} "
            f"needs {plural(need, 'success')} or more, that is pass@1 of at least "
            f"{need / trials * scale:.{digits}f}"
        )
    if high_k < least:
        forced = f"{float(least) * scale:.{digits}f}"
        return f"{first.text} means {plural(few, 'success')} or more, hence pass@{k} of at least {forced}"
    return None


def check_pairs(table: PublishedTable, sizes: dict[str, Sizes]) -> tuple[int, list[Finding]]:
    """All pairs of printed pass@j and pass@k of the same cell: how many were looked at, and which cannot be.

    Sweeps are included. Where a sweep's cell shows the best of several candidates for each metric by itself, the
    bounds still hold, because they hold for each candidate and grow with pass@j.
    """
    findings, looked = [], 0
    for first, second, j, k in _pairs((*table.lines, *grid_lines(table))):
        benchmark = table.benchmark(first.benchmark)
        names = ("all", *benchmark.strata)
        counts = {part: c for part, _, c in parts(first, benchmark, sizes.get(first.benchmark))}
        known = sizes.get(first.benchmark)
        samples = stated_samples(first, benchmark)
        cells = zip(names, (first.total, *first.strata), (second.total, *second.strata), strict=True)
        for name, one, other in cells:
            if one is None or other is None:
                continue
            looked += 1
            always = _any_n(one, other, j, k)
            why = None
            if j == 1 and samples is not None and samples == stated_samples(second, benchmark) and name in counts:
                whys = [_at_n(one, other, problems, samples, k) for problems in counts[name]]
                why = whys[0] if all(whys) else None
            if always is None and why is None:
                continue
            where = f"{first.table} · {first.row} · {first.arm} · {first.benchmark} · {name}"
            text = (
                f"{always[1]}."
                if always
                else f"pass@1 {one.text} with pass@{k} {other.text} cannot occur at n = {samples}."
            )
            assumes = ["rounding", "same samples"]
            if why:
                text += f" With {counts[name][0]} problems × {samples} samples, {why}."
                if not always:
                    assumes += ["samples", *([known.assumption] if known and name != "all" else [])]
            findings.append(
                Finding(
                    "pass@k pair",
                    certainty_of(always[0], conditional=False) if always else "conditional",
                    where,
                    text[0].upper() + text[1:] if text.startswith("at") else text,
                    tuple(assumes),
                    {"part": name, f"pass@{j}": one.value, f"pass@{k}": other.value, "any_n": always is not None},
                )
            )
    return looked, findings
