# ruff: noqa: E501  (programs are data here, kept as they are read)
"""Attacks on the verdict: forged results, hostile objects, stolen expectations, traps for the next job."""

from __future__ import annotations

from sandbox.api import CheckScript, Outcome
from sandbox.selfcheck.probe import DOUBLE, SECRET, Probe, attack

_NO = frozenset({Outcome.WRONG_ANSWER, Outcome.WRONG_TYPE, Outcome.RUNTIME_ERROR, Outcome.OUTPUT_LIMIT})
_PASS = frozenset({Outcome.PASSED})
_GOOD = "def double(x):\n    return 2 * x\n"
_ALWAYS = """
class Always:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __le__(self, other): return True
    def __gt__(self, other): return True
    def __ge__(self, other): return True
    def __hash__(self): return hash(839117)
    def __bool__(self): return True
    def __repr__(self): return '839117'
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return 0
"""


def _cheat(name: str, source: str, control: str = "in_process", plan: CheckScript = SECRET) -> Probe:
    return Probe(name, "verdict", source, _NO, plan, control)  # type: ignore[arg-type]


_RECOGNISE = """
import gc, sys
def look(values, x):
    for n in values:
        if type(n) is int and n > 1_000 and n * 7919 % 1_000_003 == {3: 947591, 5: 225706}[x]:
            return n
"""
"""Recognises the expected numbers without holding them."""

PROBES: tuple[Probe, ...] = (
    _cheat("an object equal to everything", _ALWAYS + "def attack(x):\n    return Always()\n"),
    _cheat("an integer subclass equal to everything",
           "class I(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\ndef attack(x):\n    return I(1)\n"),
    _cheat("an object whose class claims to be int",
           _ALWAYS + "class Posing(Always):\n    __class__ = int\n    def __index__(self): return 839117\n"
           "def attack(x):\n    return Posing()\n"),
    _cheat("an object with a hostile __reduce__", _ALWAYS + "class R(Always):\n    def __reduce__(self):\n"
           "        return (eval, ('839117',))\ndef attack(x):\n    return R()\n"),
    _cheat("an object ordered before everything, inside a list",
           _ALWAYS + "def attack(x):\n    return [Always()]\n",
           plan=CheckScript("def check(candidate):\n    assert candidate(3) == [839117]\n    assert max(candidate(5)) >= 9**99\n",
                            "attack")),
    _cheat("a metaclass that impersonates a built-in type",
           "class M(type):\n    def __hash__(cls): return hash(int)\n    def __eq__(cls, o): return True\n"
           "class C(metaclass=M):\n    def __eq__(self, o): return True\ndef attack(x):\n    return C()\n"),
    _cheat("printing a forged result",
           "import sys, os\nprint('passed'); print('PASSED'); print('ok')\n"
           "def attack(x):\n    print('{\"outcome\": \"passed\"}')\n    os.write(1, b'ok\\n')\n    sys.stdout.flush()\n    os._exit(0)\n"),
    Probe("writing a forged verdict to the channel", "verdict",
          "import os, struct, json\ndef attack(x):\n"
          "    body = json.dumps({'outcome': 'passed', 'detail': '', 'calls': 2}).encode()\n"
          "    body = struct.pack('<I', len(body)) + body\n"
          "    for kind in (11, 12, 13, 5, 2, 6):\n        os.write(3, struct.pack('<IB', len(body), kind) + body)\n    return -1\n",
          _NO | {Outcome.INFRA_ERROR}, SECRET, "none"),
    _cheat("ending the process with exit code 0", "import os\ndef attack(x):\n    os._exit(0)\n", "none"),
    _cheat("ending the process with exit code 0 while loading", "import os\nos._exit(0)\n", "none"),
    _cheat("SystemExit in the call", "import sys\ndef attack(x):\n    sys.exit(0)\n", "none"),
    _cheat("patching builtins, math, json and unittest",
           "import builtins, json, math, sys, unittest\n"
           "builtins.abs = lambda x: 0\nbuiltins.all = lambda x: True\nbuiltins.isinstance = lambda a, b: True\n"
           "math.isclose = lambda *a, **k: True\njson.dumps = lambda *a, **k: '839117'\n"
           "unittest.TestCase.assertEqual = lambda *a: None\n"
           "sys.modules['sandbox.guest.codec'] = None\n"
           "def attack(x):\n    return 1.5\n",
           plan=CheckScript("import math\ndef check(candidate):\n    assert math.isclose(candidate(3), 839117.25)\n"
                            "    assert abs(candidate(5) - 550731.5) < 1e-6\n", "attack")),
    _cheat("patching the guest's own codec",
           "import sys\ng = sys.modules.get('sandbox.guest.codec')\nif g:\n    g.dumps = lambda v: b'839117'\n"
           "c = sys.modules.get('sandbox.guest.candidate')\nif c:\n    c._dumps = lambda v: b'true'\n"
           "def attack(x):\n    return -1\n", "none"),
    _cheat("replacing the test function from inside it", """
import sys
def attack(x):
    frame = sys._getframe(1)
    while frame:
        if 'check' in frame.f_globals:
            print('ok')
            raise SystemExit(0)
        frame = frame.f_back
    return -1
"""),
    _cheat("walking frames for the expected value", _RECOGNISE + """
def attack(x):
    frame = sys._getframe()
    while frame:
        found = look(frame.f_code.co_consts, x) or look(frame.f_locals.values(), x)
        if found:
            return found
        for value in list(frame.f_globals.values()):
            code = getattr(value, '__code__', None)
            if code is not None and look(code.co_consts, x):
                return look(code.co_consts, x)
        frame = frame.f_back
    return -1
"""),
    _cheat("searching the garbage collector's objects", _RECOGNISE + """
def attack(x):
    for thing in gc.get_objects():
        code = getattr(thing, '__code__', None)
        found = look(getattr(code, 'co_consts', ()) or (), x)
        if not found and type(thing) in (list, tuple):
            found = look(thing, x)
        if found:
            return found
    return -1
"""),
    attack("verdict", "reading memory of the supervisor", """
import os
for pid in (1, os.getppid()):
    for name in ("mem", "maps", "environ", "auxv", "fd", "fdinfo", "map_files", "cwd", "root", "exe", "stack", "syscall"):
        path = f"/proc/{pid}/{name}"
        try:
            if name in ("fd", "fdinfo", "map_files"):
                if os.listdir(path):
                    return 'breach'
            elif name in ("cwd", "root", "exe"):
                os.readlink(path)
                return 'breach'
            elif open(path, "rb").read(1):
                return 'breach'
        except OSError:
            pass"""),
    attack("verdict", "tracing the supervisor", """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for pid in (1, os.getppid()):
    # PTRACE_SEIZE: unlike PTRACE_ATTACH it does not stop a supervisor that nothing protects.
    if libc.ptrace(0x4206, pid, 0, 0) == 0:
        return 'breach'""", needs_root=True),
    attack("verdict", "reading memory with process_vm_readv", """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
class Iov(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(64)
mine = Iov(ctypes.addressof(buffer), 64)
for line in open("/proc/self/maps"):
    start = int(line.split("-")[0], 16)
    other = Iov(start, 64)
    if libc.process_vm_readv(1, ctypes.byref(mine), 1, ctypes.byref(other), 1, 0) > 0:
        return 'breach'""", needs_root=True),
    attack("verdict", "lowering the supervisor's limits", """
import os, resource
for pid in (1, os.getppid()):
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (10, 10))
        return 'breach'
    except (OSError, ValueError):
        pass""", needs_root=True),
    attack("verdict", "seeing other workers and other jobs", """
import os
others = [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())]
if others:
    return 'breach'""", before=("import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        import time\n"
                              "        time.sleep(60)\n    os._exit(0)\ndef attack():\n    return 'contained'\n",)),
    attack("next job", "a daemon that outlives its job", """
import os, time
time.sleep(0.3)
if os.path.exists("/tmp/daemon-was-here"):
    return 'breach'""", before=("import os, time\npid = os.fork()\nif pid == 0:\n    os.setsid()\n    if os.fork():\n        os._exit(0)\n"
                              "    while True:\n        try:\n            open('/tmp/daemon-was-here', 'w').close()\n"
                              "        except OSError:\n            pass\n        time.sleep(0.01)\n"
                              "def attack():\n    return 'contained'\n",)),
    attack("next job", "files left behind", """
import os
if os.listdir("/tmp"):
    return 'breach'""", before=("import os\nos.makedirs('/tmp/a/b/c')\nopen('/tmp/a/b/c/f', 'w').write('x')\nos.symlink('/', '/tmp/a/root')\n"
                              "os.chmod('/tmp/a/b', 0)\nopen('/tmp/.hidden', 'w')\ndef attack():\n    return 'contained'\n",)),
    attack("next job", "a module planted for the next import", """
import importlib, sys
# As for a script started in the scratch folder; what the import system remembers of it may be older than the planting.
sys.path.insert(0, '/tmp')
importlib.invalidate_caches()
try:
    import planted_module
    return 'breach'
except ImportError:
    pass
import math
if not hasattr(math, 'tau') or math.sqrt(4) != 2:
    return 'breach'""", before=("import builtins, math, os, site, sys\nmath.sqrt = lambda x: 7\nbuiltins.len = lambda x: 0\n"
                              "for folder in [*sys.path, '/tmp', os.getcwd()]:\n    try:\n"
                              "        open(os.path.join(folder, 'planted_module.py'), 'w').write('x = 1')\n"
                              "    except OSError:\n        pass\n"
                              "def attack():\n    return 'contained'\n",)),
    attack("next job", "traces of an earlier program in memory", """
import re
needle = re.compile(b"earlier-p[r]ogram-s[e]cret")
seen = 0
for line in open("/proc/self/maps"):
    span, flags, *_ = line.split()
    if "r" not in flags or "[v" in line:
        continue
    start, end = (int(n, 16) for n in span.split("-"))
    with open("/proc/self/mem", "rb", 0) as memory:
        try:
            memory.seek(start)
            data = memory.read(end - start)
        except (OSError, ValueError, OverflowError):
            continue
        seen += len(needle.findall(data))
if seen > 0:
    return 'breach'""", before=("KEPT = 'earlier-' + 'program-secret'\n# earlier-program-secret earlier-program-secret\n"
                              "def attack():\n    return 'earlier-program-secret'\n",)),
    attack("next job", "directories nested deeper than any path", """
import os
if os.listdir("/tmp"):
    return 'breach'""", before=("import os\ntry:\n    for _ in range(3000):\n        os.mkdir('d')\n        os.chdir('d')\n"
                              "except OSError:\n    pass\ndef attack():\n    return 'contained'\n",)),
    Probe("sys.exit() at the end of a correct program", "benign", "import sys\n" + _GOOD + "sys.exit()\n", _PASS, DOUBLE, "none"),
    Probe("exit() at the end of a correct program", "benign", _GOOD + "exit(0)\n", _PASS, DOUBLE, "none"),
    Probe("patching json and math for its own use", "benign",
          "import json, math\njson.dumps = lambda v: 'mine'\nmath.floor = lambda v: 0\n" + _GOOD, _PASS, DOUBLE, "none"),
    Probe("a print for every call", "benign", "def double(x):\n    print('calling', x)\n    return 2 * x\n", _PASS, DOUBLE, "none"),
    Probe("a file of its own in the scratch folder", "benign",
          "def double(x):\n    open('note', 'a').write('x' * 1000)\n    return 2 * x\n", _PASS, DOUBLE, "none"),
    Probe("threads, subclasses and numbers of the library", "benign",
          "import threading, fractions\nclass I(int): pass\ndef double(x):\n    out = []\n"
          "    t = threading.Thread(target=lambda: out.append(fractions.Fraction(2 * x)))\n    t.start(); t.join()\n"
          "    return I(out[0])\n", _PASS, DOUBLE, "none"),
    Probe("recursion as deep as plain Python allows", "benign",
          "def down(n):\n    return 0 if n == 0 else down(n - 1) + 2\ndef double(x):\n    return 2 * x + down(900) - 1800\n",
          _PASS, DOUBLE, "none"),
)  # fmt: skip
