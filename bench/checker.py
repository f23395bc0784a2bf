"""Does the ``livecodebench`` profile say what LiveCodeBench's checker says? The checker itself beside it, on programs.

``python bench/checker.py [--checker FILE] [--programs N] [--seed S]``. The checker is the copy that lighteval carries:
``pip install --no-deps --target DIR lighteval==0.13.0``, then
``--checker DIR/lighteval/tasks/tasks/lcb/codegen_metrics.py``. It executes programs beside itself, so it is given only
what is made here: every way of reading numbers × of printing their sum × of wrapping a program × of ending the input.
The exit code is 1 when a verdict differs. How often ``strict`` differs from both is printed too: that is the size of
the effect of a grader's rules on programs of which most are right.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import json
import os
import random
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from harness.grade import open_sandbox
from harness.grade.profiles import PROFILES
from sandbox import Job, Limits, Report, StdinTests

READ = {
    "input": "n = int(input())\nxs = [int(input()) for _ in range(n)]",
    "stripped": (
        "n = int(input())\nxs = []\nwhile len(xs) < n:\n    line = input().strip()\n    if line: xs.append(int(line))"
    ),
    "readline": "import sys\nn = int(sys.stdin.readline())\nxs = [int(sys.stdin.readline()) for _ in range(n)]",
    "alias": "import sys\ninput = sys.stdin.readline\nn = int(input())\nxs = [int(input()) for _ in range(n)]",
    "read": "import sys\nxs = list(map(int, sys.stdin.read().split()))[1:]",
    "loop": "import sys\nxs = [int(line) for line in sys.stdin if line.strip()][1:]",
    "readlines": "import sys\nxs = [int(line) for line in sys.stdin.readlines() if line.strip()][1:]",
    "sentinel": "import sys\nxs = [int(line) for line in iter(sys.stdin.readline, '') if line.strip()][1:]",
    "imported": "from sys import stdin\nn = int(stdin.readline())\nxs = [int(stdin.readline()) for _ in range(n)]",
    "imported read": "from sys import stdin\nxs = list(map(int, stdin.read().split()))[1:]",
    "imported loop": "from sys import stdin\nxs = [int(line) for line in stdin if line.strip()][1:]",
    "end of file": "xs = []\nwhile True:\n    try: xs.append(int(input()))\n    except EOFError: break\nxs = xs[1:]",
    "open": "xs = list(map(int, open(0).read().split()))[1:]",
    "device": "xs = list(map(int, open('/dev/stdin').read().split()))[1:]",
    "fileinput": "import fileinput\nxs = [int(line) for line in fileinput.input() if line.strip()][1:]",
    "os.read": "import os\nxs = list(map(int, os.read(0, 1 << 20).split()))[1:]",
}
WRITE = {
    "print": "print(sum(xs))",
    "print to a file": "import sys\nprint(sum(xs), file=sys.stdout)",
    "no line end": "print(sum(xs), end='')",
    "spaces": "print('  ', sum(xs), '  ')",
    "decimal": "print(float(sum(xs)))",
    "write": "import sys\nsys.stdout.write(str(sum(xs)) + '\\n')",
    "writelines": "import sys\nsys.stdout.writelines([str(sum(xs)), '\\n'])",
    "imported": "from sys import stdout\nstdout.write(str(sum(xs)))",
    "buffer": "import sys\nsys.stdout.buffer.write(str(sum(xs)).encode())",
    "os.write": "import os\nos.write(1, str(sum(xs)).encode())",
    "stderr": "import sys\nprint(sum(xs), file=sys.stderr)",
    "wrong": "print(sum(xs) + 1)",
}


def _inside(header: str, body: str, footer: str = "") -> str:
    return f"{header}\n{textwrap.indent(body, '    ')}\n{footer}"


WRAP: dict[str, Callable[[str], str]] = {
    "none": lambda b: b,
    "main": lambda b: _inside("def main():", b, "main()"),
    "guard": lambda b: _inside("def main():", b, "if __name__ == '__main__':\n    main()"),
    "guard, exit": lambda b: _inside("def main():", b, 'if __name__ == "__main__":\n    main()\n    exit()'),
    "sys.exit": lambda b: "import sys\n" + _inside("def main():", b, "sys.exit(main())"),
    "SystemExit": lambda b: b + "\nraise SystemExit(3)",
    "thread": lambda b: _inside(
        "import threading\ndef main():", b, "t = threading.Thread(target=main)\nt.start()\nt.join()"
    ),
    "class": lambda b: _inside("class Solver:\n  def solve(self):", b, "Solver().solve()"),
    "global": lambda b: _inside("seen = {}\ndef main():\n    global seen\n    seen = {1: 2}", b, "main()"),
    "constant": lambda b: _inside("MOD = 10**9 + 7\ndef main():\n    assert MOD > 0", b, "main()"),
    "try": lambda b: _inside("try:", b, "except Exception:\n    print('failed')"),
    "closure": lambda b: "k = 3\nf = lambda: [k * i for i in range(k)]\nassert f() == [0, 3, 6]\n" + b,
    "recursion": lambda b: "def d(n):\n    return 0 if n == 0 else 1 + d(n - 1)\nassert d(3000) == 3000\n" + b,
}
INPUT = {"ended": "2\n3\n4\n", "open": "2\n3\n4", "blank lines": "2\n\n3\n\n4\n"}
EXPECTED = "7\n"
LIMITS = Limits(cpu_seconds=6.0, wall_seconds=120.0, memory_bytes=2**30)

Case = tuple[str, str, str, str]


def cases(number: int, seed: int) -> list[Case]:
    """Different combinations, drawn without replacement."""
    every = list(itertools.product(READ, WRITE, WRAP, INPUT))
    return random.Random(seed).sample(every, min(number, len(every)))


def source(case: Case) -> str:
    """The program of a combination."""
    read, write, wrap, _ = case
    return WRAP[wrap](f"{READ[read]}\n{WRITE[write]}") + "\n"


def ours(chosen: Sequence[Case], profile: str) -> list[Report]:
    """Reports by a profile's rules, in order."""
    rules = PROFILES[profile]
    jobs = [
        Job(str(i), rules.environment.program(source(c)), StdinTests(((INPUT[c[3]], EXPECTED),), rules.text), LIMITS)
        for i, c in enumerate(chosen)
    ]
    with open_sandbox("bubblewrap") as executor:
        reports = {r.key: r for r in executor.run(jobs)}
    return [reports[job.key] for job in jobs]


def theirs(chosen: Sequence[Case], checker: ModuleType) -> Iterator[bool]:
    """The checker's verdicts, in order."""
    sys.argv[1:] = []  # programs that use fileinput would take ours for files
    for case in chosen:
        sample = {"input_output": json.dumps({"inputs": [INPUT[case[3]]], "outputs": [EXPECTED], "fn_name": None})}
        results = checker.check_correctness(sample, source(case), timeout=6)
        yield all(r is True for r in results)


def load_checker(path: str) -> ModuleType | None:
    """The checker's module, from a file or from an installed lighteval."""
    file = Path(path) if path else None
    if file is None and (spec := importlib.util.find_spec("lighteval")) is not None and spec.origin:
        file = Path(spec.origin).parent / "tasks" / "tasks" / "lcb" / "codegen_metrics.py"
    if file is None or not file.is_file():
        return None
    found = importlib.util.spec_from_file_location("lcb_checker", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["lcb_checker"] = module
    found.loader.exec_module(module)
    return module


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Programs of the checker write to this process's own standard streams; keep them off the report."""
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checker", default="", help="lighteval's codegen_metrics.py")
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    checker = load_checker(arguments.checker)
    if checker is None:
        sys.stdout.write("not run: LiveCodeBench's checker is not here (--help says how to get it)\n")
        return 0
    chosen = cases(arguments.programs, arguments.seed)
    mine, strict = ours(chosen, "livecodebench"), ours(chosen, "strict")
    with quiet():
        verdicts = list(theirs(chosen, checker))
    different = [(c, m, t) for c, m, t in zip(chosen, mine, verdicts, strict=True) if m.passed != t]
    changed = sum(m.passed != s.passed for m, s in zip(mine, strict, strict=True))
    lines = [
        f"{len(chosen)} programs (seed {arguments.seed}); the checker passes {sum(verdicts)}",
        f"livecodebench profile: passes {sum(m.passed for m in mine)}, another verdict on {len(different)}",
        f"strict profile: passes {sum(s.passed for s in strict)}, another verdict on {changed}",
        *(f"  {' / '.join(c)}: checker {t}, profile {m.outcome} {m.detail}" for c, m, t in different),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
