"""How guest code gets into a worker: as one message on its standard input, so that no image has to contain it."""

from __future__ import annotations

import functools
import importlib.resources
import json
import struct
from typing import Any

MODULES = (
    "frames", "codec", "comparators", "harden", "candidate", "oracle", "hostlink", "jobs", "sweep", "confine", "watch",
    "supervisor",
)  # fmt: skip
"""Guest modules in the order in which they can be executed."""

PRELOAD = (
    "abc", "bisect", "cmath", "collections", "collections.abc", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "heapq", "io", "itertools", "json", "math", "numbers",
    "operator", "random", "re", "statistics", "string", "sys", "textwrap", "threading", "time", "types", "typing",
)  # fmt: skip
"""Standard modules that are already imported when a job is forked. Not ``hashlib``: OpenSSL's memory would cost every
job more than its import costs the few that want it."""

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "LD_BIND_NOW": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HOME": "/tmp",
    "PATH": "/usr/bin:/bin",
}
"""A worker's whole environment. The fixed hash seed makes set order, and so verdicts, repeatable. Symbols are bound
when the interpreter starts, so that no job has to bind them."""

COMMAND = (
    "import os,sys,json,struct,types,builtins\n"
    "def take(n):\n"
    "    data=b''\n"
    "    while len(data)<n:\n"
    "        part=os.read(0,n-len(data))\n"
    "        if not part: os._exit(0)\n"
    "        data+=part\n"
    "    return data\n"
    "message=json.loads(take(struct.unpack('<I',take(4))[0]))\n"
    "for name in ('sandbox','sandbox.guest'):\n"
    "    package=types.ModuleType(name); package.__path__=[]; sys.modules[name]=package\n"
    "for name,source in message['modules']:\n"
    "    full='sandbox.guest.'+name; module=types.ModuleType(full)\n"
    "    module.__dict__['__builtins__']=dict(vars(builtins))\n"
    "    sys.modules[full]=module; setattr(sys.modules['sandbox.guest'],name,module)\n"
    "    exec(compile(source,'<'+full+'>','exec'),module.__dict__)\n"
    "settings=message['settings']; del message,module,package,source,take\n"
    "sys.modules['sandbox.guest.supervisor'].main(settings)\n"
)
"""The worker's ``python -I -c`` argument. Guest modules get built-ins of their own: patched ones do not reach them."""


@functools.cache
def _sources() -> tuple[tuple[str, str], ...]:
    folder = importlib.resources.files("sandbox.guest")
    return tuple((name, (folder / f"{name}.py").read_text(encoding="utf-8")) for name in MODULES)


def message(settings: dict[str, Any], extra: tuple[tuple[str, str], ...] = ()) -> bytes:
    """What a new worker reads first: the guest modules (with ``extra`` ones after them) and its settings."""
    text = json.dumps({"modules": _sources() + extra, "settings": settings}).encode("ascii")
    return struct.pack("<I", len(text)) + text
