"""``harness compare A B``: the paired comparison of two graded files."""

from __future__ import annotations

import argparse
import re

from harness.commands.output import emit, write
from harness.errors import BadInput


def main(arguments: argparse.Namespace) -> int:
    from harness.grade.files import read_counts
    from harness.stats.compare import compare, render

    match = re.fullmatch(r"pass@([1-9]\d*)", arguments.metric)
    if not match:
        raise BadInput(f"--metric {arguments.metric}: must be pass@K with K at least 1")
    if not 0 < arguments.margin < 1:
        raise BadInput(f"--margin {arguments.margin}: must be above 0 and below 1 (0.05 is five points)")
    a, b = read_counts(arguments.a), read_counts(arguments.b)
    for one, other, here, there in ((a, b, arguments.a, arguments.b), (b, a, arguments.b, arguments.a)):
        missing = sorted(set(one) - set(other))
        if missing:
            raise BadInput(f"{there}: lacks {len(missing)} problem(s) that {here} has, such as {missing[0]!r}")
    names = sorted(a)
    result = compare(
        [a[x][0] for x in names],
        [a[x][1] for x in names],
        [b[x][0] for x in names],
        [b[x][1] for x in names],
        k=int(match[1]),
        margin=arguments.margin,
        names=(arguments.a.name, arguments.b.name),
    )
    if arguments.json:
        emit(result.as_json())
    else:
        write(render(result))
    return 0
