"""The project's own problems for POSIX shell scripts: text in on standard input, text out.

Another language is where the paper's table of other domains shows its largest loss (HumanEval-Shell of one 4B model,
arXiv:2604.01193, Table 5); this small set asks the same question without MultiPL-E's translation of Python tests.

Workers of the sandbox hold a Python interpreter and, under bubblewrap, no shell at all. So the task brings its own, the
same for every executor: this machine's statically linked BusyBox is handed to the job on its standard input, written to
the job's private ``/tmp`` and started there as ``sh`` by a few lines of Python (:data:`DRIVER`), with its applets
(``sort``, ``awk``, ``tr`` …) as the only commands. It runs as the candidate, under the candidate's limits. The digest
of the binary is part of the task's version, since another BusyBox may behave otherwise.

What this does not promise: that a bash script passes (BusyBox's ``sh`` knows some of its extensions, not all; the
prompt asks for POSIX); that exit statuses or standard error are looked at; that machines without BusyBox can grade it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput, MissingCapability
from harness.grade.extract import blocks
from harness.grade.files import read_lines
from harness.tasks.answers import visible
from harness.tasks.base import AnswerField, Problem, Program
from harness.tasks.selection import content_digest
from sandbox.api import Limits, StdinTests

FORM_VERSION = 1
"""Raised when the wording of the prompt, the driver or the reading of answers changes."""

INSTRUCTION = (
    "Write a POSIX shell script (run by sh, not bash) for this. It reads its input from standard input. "
    "Answer with only the script in one sh code block."
)

LIMITS = Limits(cpu_seconds=5.0, wall_seconds=50.0, memory_bytes=512 * 2**20, output_bytes=2**20, processes=16)

TAGS = frozenset({"", "sh", "bash", "shell", "posix", "ash", "dash", "console"})
_FIRST_WORD = re.compile(
    r"(awk|cat|cut|echo|for|grep|head|if|nl|paste|printf|read|rev|sed|set|sort|tac|tail|tr|uniq|wc|while|xargs)(\s|$)"
    r"|#!|\w+="
)

DRIVER = """
import base64, json, os, subprocess, sys, zlib
given = json.loads(sys.stdin.read())
os.makedirs("/tmp/bin", exist_ok=True)
shell = "/tmp/bin/busybox"
with open(shell, "wb") as file:
    file.write(zlib.decompress(base64.b85decode(given["shell"])))
os.chmod(shell, 0o755)
subprocess.run([shell, "--install", "-s", "/tmp/bin"], check=True)
with open("/tmp/script.sh", "w", encoding="utf-8", errors="surrogateescape") as file:
    file.write(SCRIPT)
os.makedirs("/tmp/work", exist_ok=True)
done = subprocess.run([shell, "sh", "/tmp/script.sh"], input=given["stdin"].encode(), stdout=subprocess.PIPE,
                      stderr=subprocess.DEVNULL, cwd="/tmp/work", env={"PATH": "/tmp/bin", "LC_ALL": "C"})
sys.stdout.write(done.stdout.decode("utf-8", "surrogateescape"))
"""


@dataclass(frozen=True, slots=True)
class ShellTask:
    """The task. ``Problem.tests`` is a list of ``[stdin, stdout]`` pairs."""

    name: str
    items: tuple[Problem, ...]
    version: str = ""

    def __post_init__(self) -> None:
        if not self.version:
            where = find_busybox()
            shell = hashlib.sha256(where.read_bytes()).hexdigest()[:12] if where else "none"
            object.__setattr__(self, "version", f"{FORM_VERSION}-{content_digest(self.items)[:12]}-sh-{shell}")

    def problems(self) -> Sequence[Problem]:
        """All problems, in the order of their file."""
        return self.items

    def messages(self, problem: Problem) -> list[dict[str, str]]:
        """One user turn."""
        return [{"role": "user", "content": f"{INSTRUCTION}\n\n{problem.prompt}"}]

    def program(self, problem: Problem, answer: str, form: AnswerField) -> Program:
        """The script with the driver round it. A completion or a solution is a script as it stands."""
        script = script_of(answer) if form == "response" else answer
        if not script.strip():
            return Program(None, "no shell script in the response")
        return Program(f"SCRIPT = {script!r}\n{DRIVER}")

    def plan(self, problem: Problem) -> StdinTests:
        """Every case, with the shell beside its input; only the expected output stays on the other side.

        Raises:
            MissingCapability: where this machine has no static BusyBox.
        """
        shell = packed_busybox()
        return StdinTests(
            tuple((json.dumps({"shell": shell, "stdin": given}), expected) for given, expected in problem.tests)
        )

    def limits(self, problem: Problem) -> Limits:
        """The same limits for every problem."""
        return LIMITS


def load_shell(path: Path | None = None) -> ShellTask:
    """The problems. Loading needs no shell; grading does.

    Raises:
        BadInput: for a row that is not in the form (a broken installation).
    """
    path = path or Path(__file__).with_name("data") / "shell.jsonl"
    found = []
    for number, row in enumerate(read_lines(path), 1):
        try:
            tests = [[str(given), str(expected)] for given, expected in row["cases"]]
            problem = Problem(row["id"], row["prompt"], "", tests, row["solution"], row["stratum"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path}, problem {number}: needs id, prompt, solution, stratum and cases") from error
        found.append(problem)
    return ShellTask("shell", tuple(found))


def script_of(answer: str) -> str:
    """The script of a raw answer: its last block in a shell's or no language, else the text where it looks like one.

    A block tagged as another language (``python``) is no shell script: that a model answers in its favourite language
    is an answer-format failure, which is to be seen and not to be run.
    """
    text = visible(answer)
    found = [b for b in blocks(text) if b.code.strip()]
    if found:
        scripts = [b.code for b in found if b.tag in TAGS]
        return scripts[-1] + "\n" if scripts else ""
    return text + "\n" if _FIRST_WORD.match(text) else ""


@functools.cache
def find_busybox() -> Path | None:
    """This machine's BusyBox, if it has a statically linked one (``HARNESS_BUSYBOX`` names another)."""
    for name in (os.environ.get("HARNESS_BUSYBOX"), shutil.which("busybox"), "/bin/busybox", "/usr/bin/busybox"):
        if name and Path(name).is_file() and _static(Path(name)):
            return Path(name)
    return None


@functools.cache
def packed_busybox() -> str:
    """BusyBox, compressed, as text.

    Raises:
        MissingCapability: where there is none.
    """
    where = find_busybox()
    if where is None:
        raise MissingCapability(
            "task=shell: no statically linked BusyBox on this machine: `apt-get install busybox-static` mends it"
        )
    return base64.b85encode(zlib.compress(where.read_bytes(), 9)).decode("ascii")


def _static(path: Path) -> bool:
    """Whether an ELF file asks for no dynamic loader (it has no ``PT_INTERP`` segment)."""
    data = path.read_bytes()
    if data[:4] != b"\x7fELF" or data[4] != 2:
        return False
    little = data[5] == 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if little else "big")

    start, size, count = number(32, 8), number(54, 2), number(56, 2)
    return all(number(start + i * size, 4) != 3 for i in range(count))
