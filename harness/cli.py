"""The command line. One short function a command; the work is in :mod:`harness.commands`.

Nothing heavy is imported before a command needs it: ``harness --help`` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError

EXIT_CODES = """\
exit codes: 0 done · 1 a check found a difference · 2 bad input or usage · 3 something missing from the machine ·
130 interrupted"""

KINDS = ("ablations", "models", "tasks", "engines", "sandboxes", "scales", "launchers")

EXPORTS = ("human-eval", "evalplus", "eval-arena", "inspect", "ro-crate")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line."""
    parser = _Parser(
        prog="harness", description="A referee for post-training claims about code models.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, epilog=EXIT_CODES)
        sub.add_argument("--json", action="store_true", help="one JSON document on stdout and nothing else there")
        sub.add_argument("--debug", action="store_true", help="show tracebacks")
        return sub

    def overrides(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("overrides", nargs="*", metavar="key=value", help="Hydra overrides: group=option or key=value")

    def results(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--results", type=Path, default=Path("results"), metavar="DIR", help="where records and tables live"
        )

    def runs(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs and their store live"
        )

    sub = command("run", "Run an ablation, or resume it: ablation=NAME [group=option] [key=value]…")
    overrides(sub)
    runs(sub)
    sub = command("plan", "Show arms, contrasts, cost and smallest detectable effect; execute nothing.")
    overrides(sub)
    results(sub)
    sub = command("list", "List what can be chosen.")
    sub.add_argument("kind", nargs="?", choices=KINDS, help="one kind only")
    sub = command("grade", "Grade someone else's samples: SAMPLES.jsonl task=NAME [sandbox=…]")
    sub.add_argument("samples", type=Path, metavar="SAMPLES.jsonl")
    overrides(sub)
    sub.add_argument("--out", type=Path, metavar="FILE", help="write every input line with its outcome added")
    sub.add_argument("--k", type=int, action="append", help="k of pass@k (repeatable; default 1, 5, 10 where n allows)")
    sub.add_argument("--repeat", type=int, default=1, metavar="R", help="grade R times and report the flip rate")
    sub = command("compare", "Compare two graded files, paired by problem.")
    sub.add_argument("a", type=Path, metavar="A.jsonl")
    sub.add_argument("b", type=Path, metavar="B.jsonl")
    sub.add_argument("--metric", default="pass@1", help="pass@K")
    sub.add_argument(
        "--margin", type=float, default=0.05, help="equivalence margin in the metric's unit (default 0.05)"
    )
    sub = command("tables", "Rebuild results/tables and README's marked blocks from results/records.")
    sub.add_argument("--check", action="store_true", help="write nothing; exit 1 if any byte would differ")
    results(sub)
    sub = command("publish", "Copy a finished run into results/, or withdraw a published one.")
    sub.add_argument("run", type=Path, metavar="RUN")
    sub.add_argument("--allow-dirty", action="store_true", help="publish a run of uncommitted code, as exploratory")
    sub.add_argument("--withdraw", action="store_true", help="append a correction: RUN no longer counts")
    sub.add_argument("--reason", metavar="TEXT", help="why it is withdrawn")
    results(sub)
    sub = command("preregister", "Write down an ablation's design before it is run: ablation=NAME [key=value]…")
    overrides(sub)
    sub.add_argument("--as", dest="name", metavar="NAME", help="file name (default: the ablation's)")
    sub.add_argument("--deviation", metavar="TEXT", help="append how the work departs from the registration, and why")
    results(sub)
    sub = command("audit", "Re-hash, re-derive and re-execute; say what could not be checked.")
    sub.add_argument("subject", nargs="?", metavar="CLAIM|RUN", help="one claim or run (default: everything)")
    sub.add_argument(
        "--regrade", type=float, default=0.0, metavar="SHARE", help="share of the samples to execute again"
    )
    sub.add_argument("--seed", type=int, help="which samples (default: drawn anew and printed)")
    sub.add_argument("--anchor", metavar="HASH", help="a hash of the log noted earlier; it must be in the chain")
    sub.add_argument("--sandbox", default="auto", metavar="KIND", help="auto, docker or bubblewrap (for --regrade)")
    results(sub)
    runs(sub)
    sub = command("export", "Write a run in another project's format.")
    sub.add_argument("run", metavar="RUN", help="a run's folder or the start of its id; a results folder for ro-crate")
    sub.add_argument("--to", required=True, choices=EXPORTS, dest="format", help="the format")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    sub.add_argument("--arm", action="append", help="only this arm (repeatable)")
    sub.add_argument("--task", action="append", help="only this task (repeatable)")
    results(sub)
    runs(sub)
    for name, text in (("push", "Copy a run's files to any fsspec address"), ("fetch", "Bring them back")):
        sub = command(name, f"{text}, by digest.")
        sub.add_argument("run", metavar="RUN", help="a run's folder, or the start of its id")
        sub.add_argument("address", metavar="ADDRESS", help="a folder or an fsspec address (s3://…, gs://…, sftp://…)")
        sub.add_argument(
            "--store", action="store_true", help="also the steps in the store: samples with token ids, verdicts"
        )
        sub.add_argument("--weights", action="store_true", help="also trained weights")
        results(sub)
        runs(sub)
    sub = command("forensics", "Check a published table's arithmetic and granularity.")
    sub.add_argument("file", type=Path, metavar="FILE.yaml")
    sub.add_argument("--out", type=Path, metavar="FILE", help="write the report there instead of printing it")
    sub = command("report", "Write the static site: claims, figures, problems and samples; no server needed.")
    sub.add_argument("--out", type=Path, default=Path("site"), metavar="DIR", help="folder to write (default: site)")
    results(sub)
    sub = command("doctor", "Say what this machine can and cannot do, and the command that mends it.")
    sub.add_argument("--sandbox", action="store_true", help="run the sandbox's acceptance suite on the executor in use")
    sub.add_argument("--clean", action="store_true", help="remove what a killed run left behind")
    overrides(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest:
        # argparse takes one run of positionals; overrides may stand on both sides of an option.
        if not hasattr(arguments, "overrides") or any(r.startswith("-") or "=" not in r for r in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        arguments.overrides += rest
    if arguments.version:
        from importlib.metadata import version

        sys.stdout.write(version("harness-referee") + "\n")
        return 0
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return int(importlib.import_module(f"harness.commands.{arguments.command}").main(arguments))
    except KeyboardInterrupt:
        sys.stderr.write("harness: interrupted; what was finished is kept, the same command resumes\n")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except HarnessError as error:
        if arguments.debug:
            raise
        sys.stderr.write(f"harness: {error}\n")
        return error.exit_code
    except OSError as error:
        if arguments.debug or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        sys.stderr.write(f"harness: {error.strerror}: {error.filename or 'output'}; what was finished is kept\n")
        return 3


if __name__ == "__main__":
    sys.exit(main())
