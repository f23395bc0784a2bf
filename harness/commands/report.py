"""``harness report``: the static site of the committed records."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from harness.commands.output import emit
from harness.progress import say


def main(arguments: argparse.Namespace) -> int:
    from harness.report.site import build_site

    site = build_site(arguments.results, arguments.out)
    if arguments.json:
        emit({**asdict(site), "path": str(site.path)})
    else:
        rest = f"{(site.bytes - site.samples_bytes) / 1e6:.1f} MB and {site.samples_bytes / 1e6:.1f} MB of samples"
        say(f"wrote {site.pages} pages of {site.records} records, {rest}; open {site.path / 'index.html'}")
    return 0
