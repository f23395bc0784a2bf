# ruff: noqa: E501  (programs are data here, kept as they are read)
"""Attacks on time, memory, processes, output and disk."""

from __future__ import annotations

from dataclasses import replace

from sandbox.api import Outcome
from sandbox.selfcheck.probe import DOUBLE, QUICK, Probe, attack

_GOOD = "def double(x):\n    return 2 * x\n"
_FEW = Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR
_TIME = (Outcome.CPU_TIMEOUT,)
_MEMORY = (Outcome.MEMORY,)
_OUTPUT = (Outcome.OUTPUT_LIMIT,)
_PROCESSES = Outcome.PROCESS_LIMIT, Outcome.CPU_TIMEOUT, Outcome.WALL_TIMEOUT, Outcome.MEMORY, Outcome.WRONG_ANSWER
_SHORT_WALL = replace(QUICK, wall_seconds=2.0, cpu_seconds=0.2)

PROBES: tuple[Probe, ...] = (
    attack("time", "endless loop with every exception swallowed", """
import time
begin = time.process_time()
while time.process_time() - begin < 1.6:
    try:
        while time.process_time() - begin < 1.6:
            pass
    except BaseException:
        continue
return 'breach'""", expect=_TIME),
    attack("time", "ignoring SIGALRM, SIGTERM and SIGXCPU", """
import signal, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
begin = time.process_time()
while time.process_time() - begin < 1.6:
    pass
return 'breach'""", expect=_TIME),
    attack("time", "raising its own CPU limit", """
import resource, time
try:
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
except (OSError, ValueError):
    pass
begin = time.process_time()
while time.process_time() - begin < 1.6:
    pass
return 'breach'""", expect=_TIME),
    attack("time", "spending CPU time in children", """
import os, time
children = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        begin = time.process_time()
        while time.process_time() - begin < 0.6:
            pass
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
return 'breach'""", expect=_TIME),
    attack("time", "spending CPU time in orphans while it sleeps", """
import os, time
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            while True:
                pass
        os._exit(0)
time.sleep(3)
return 'breach'""", expect=_TIME, limits=replace(QUICK, cpu_seconds=0.3)),
    attack("time", "sleeping past the wall limit without CPU time", """
import time
time.sleep(2.5)
return 'breach'""", expect=(Outcome.WALL_TIMEOUT,), limits=_SHORT_WALL),
    attack("time", "blocking for ever on a descriptor", """
import os
r, w = os.pipe()
os.read(r, 1)""", expect=(Outcome.WALL_TIMEOUT,), limits=_SHORT_WALL, control="none"),
    attack("time", "catastrophic regular expression", """
import re
re.match(r"(a+)+$", "a" * 40 + "b")""", expect=_TIME, control="none"),
    attack("memory", "2 GB at once", """
data = bytearray(2 * 2**30)
return 'breach'""", expect=_MEMORY),
    attack("memory", "growing slowly under the limit, then over", """
import time
kept = []
for _ in range(700):
    kept.append(bytearray(b"x" * 2**20))
    time.sleep(0.001)
return 'breach'""", expect=_MEMORY),
    attack("memory", "many processes that share out the allocation", """
import os
r, w = os.pipe()
pids = []
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        data = bytearray(b"x" * (180 * 2**20))
        os.write(w, b"1")
        import time
        time.sleep(30)
        os._exit(0)
    pids.append(pid)
os.close(w)
seen = 0
while seen < 10:
    part = os.read(r, 10)
    if not part:
        break
    seen += len(part)
    if seen == 10:
        return 'breach'
""", expect=(Outcome.WRONG_ANSWER, Outcome.MEMORY, Outcome.RUNTIME_ERROR, Outcome.CPU_TIMEOUT, Outcome.WALL_TIMEOUT),
        limits=replace(QUICK, cpu_seconds=10.0)),
    attack("memory", "a memory error that is swallowed, with a wrong answer after it", """
try:
    bytearray(2 * 2**30)
    return 'breach'
except MemoryError:
    pass""", expect=_FEW),
    attack("output", "100 MB to standard output", """
for _ in range(100):
    print("x" * 2**20)
return 'breach'""", expect=_OUTPUT),
    attack("output", "100 MB to standard error", """
import sys
for _ in range(100):
    sys.stderr.write("x" * 2**20)
return 'breach'""", expect=_OUTPUT),
    attack("output", "100 MB by raw writes, errors ignored", """
import os
for _ in range(1600):
    try:
        os.write(1, b"x" * 65536)
    except OSError:
        pass
return 'breach'""", expect=_OUTPUT),
    attack("disk", "a million files", """
import os
count = 0
try:
    for count in range(1_000_000):
        os.close(os.open(f"/tmp/{count}", os.O_CREAT | os.O_WRONLY))
        if count > 20_000:
            return 'breach'
except OSError:
    pass""", expect=(*_FEW, Outcome.CPU_TIMEOUT, Outcome.OUTPUT_LIMIT)),
    attack("disk", "filling the scratch folder", """
written = 0
try:
    for number in range(400):
        with open(f"/tmp/{number}", "wb") as f:
            for _ in range(4):
                written += f.write(b"x" * 2**20)
        if written > 300 * 2**20:
            return 'breach'
except OSError:
    pass""", expect=(*_FEW, Outcome.MEMORY)),
    attack("disk", "one huge file", """
import os
try:
    with open("/tmp/huge", "wb") as f:
        os.posix_fallocate(f.fileno(), 0, 300 * 2**20)
    return 'breach'
except OSError:
    pass""", expect=(*_FEW, Outcome.MEMORY)),
    attack("processes", "fork bomb", """
import os, time
deadline = time.time() + 1.5
while time.time() < deadline:
    try:
        if os.fork() == 0:
            continue
    except OSError:
        break
try:
    if sum(name.isdigit() for name in os.listdir("/proc")) > 80:
        time.sleep(1)
        return 'breach'
finally:
    pass""", expect=(*_PROCESSES, Outcome.RUNTIME_ERROR), control="none"),
    attack("processes", "two hundred children", """
import os, time
count = 0
try:
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        count += 1
    return 'breach'
except OSError:
    pass""", expect=_PROCESSES),
    attack("processes", "two hundred threads", """
import threading, time
threading.stack_size(65536)
for _ in range(200):
    threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
return 'breach'""", expect=_PROCESSES),
    attack("processes", "ten thousand descriptors", """
import os
kept = []
try:
    for _ in range(10_000):
        kept.append(os.dup(1))
    return 'breach'
except OSError:
    pass"""),
    Probe("closing every inherited descriptor", "processes",
          "import os\nos.closerange(0, 4096)\n" + _GOOD,
          frozenset({Outcome.RUNTIME_ERROR}), DOUBLE, "none"),
    Probe("writing to every inherited descriptor", "processes",
          "import os\nfor fd in range(3, 256):\n    try:\n        os.write(fd, b'\\xff' * 64)\n"
          "    except OSError:\n        pass\n" + _GOOD,
          frozenset({Outcome.RUNTIME_ERROR}), DOUBLE, "none"),
    Probe("segmentation fault", "processes",
          "import ctypes\ndef double(x):\n    ctypes.string_at(0)\n",
          frozenset({Outcome.RUNTIME_ERROR}), DOUBLE, "none"),
    Probe("deep recursion", "processes",
          "def double(x):\n    return double(x)\n", frozenset({Outcome.RUNTIME_ERROR}), DOUBLE, "none"),
    Probe("recursion limit raised until the stack ends", "processes",
          "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n    def __getattr__(self, n):\n        return getattr(self, n + 'x')\n"
          "def double(x):\n    import json\n    v = []\n    for _ in range(10**6):\n        v = [v]\n    return repr(v)\n",
          frozenset({Outcome.RUNTIME_ERROR, Outcome.MEMORY, Outcome.WRONG_ANSWER, Outcome.CPU_TIMEOUT}), DOUBLE, "none"),
    Probe("killing itself", "processes",
          "import os, signal\ndef double(x):\n    os.kill(os.getpid(), signal.SIGKILL)\n",
          frozenset({Outcome.RUNTIME_ERROR, Outcome.MEMORY}), DOUBLE, "none"),
    Probe("killing everyone it may", "processes",
          "import os, signal\ndef double(x):\n    for s in (1, 2, 3, 10, 12, 15, 9):\n        for p in (1, os.getppid(), -1):\n"
          "            try:\n                os.kill(p, s)\n            except OSError:\n                pass\n",
          frozenset({Outcome.RUNTIME_ERROR, Outcome.WRONG_ANSWER, Outcome.WRONG_TYPE, Outcome.MEMORY}), DOUBLE, "none"),
    Probe("stopping the supervisor", "processes",
          "import os, signal\ndef double(x):\n    for p in (1, os.getppid()):\n        for s in (signal.SIGSTOP, signal.SIGTSTP):\n"
          "            try:\n                os.kill(p, s)\n            except OSError:\n                pass\n    return -1\n",
          frozenset({Outcome.WRONG_ANSWER}), DOUBLE, "none"),
)  # fmt: skip
