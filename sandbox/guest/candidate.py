"""What runs in a candidate's process: the program, and calls of it. It knows inputs and never an expected output.

Everything it reports is only a claim of the candidate: hostile code can write anything to the channel, and all it can
achieve is to *return* other values. Functions it needs are bound before the program runs, so a program that patches
modules for reasons of its own still gets its results through.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import marshal
import os
import random
import sys
import time
import types
from typing import Any

from sandbox.guest import codec, frames

CHANNEL = 3
"""Descriptor of the channel to the supervisor in a job's process."""

MODULE = "solution"
REHEARSALS = 20
SEED = 20260402
"""Seed of ``random`` for programs: one that draws without seeding gets the same verdict on every worker."""

_MAX_DETAIL = 300

Program = str | types.CodeType
"""Source, or what it was compiled to before."""

SYNTAX = (b'["c","SyntaxError"', b'["c","IndentationError"', b'["c","TabError"')
"""How records begin of programs that no process could compile. Other failures may depend on a process's limits."""

CODE_BYTES = 256 * 2**10
COMPILE_SECONDS = 0.05
"""Programs that compile to more bytes, or take longer, compile themselves: within their own limits."""


def send(kind: int, payload: bytes) -> None:
    """One frame to the supervisor."""
    frames.write_all(CHANNEL, frames.JOB.pack(len(payload), kind) + payload)


def receive() -> bytes:
    """One frame from the host (relayed)."""
    size, _ = frames.JOB.unpack(frames.read_exactly(CHANNEL, frames.JOB.size))
    return frames.read_exactly(CHANNEL, size)


def describe(error: BaseException, step: str) -> list[Any]:
    """An exception as a record: status letter, type name, message, line of the program."""
    kind = type(error)
    try:
        text = str(error)[:_MAX_DETAIL]
    except BaseException:
        text = ""
    line = getattr(error, "lineno", None) or 0 if step == "compile" else 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == MODULE:
            line = trace.tb_lineno
        trace = trace.tb_next
    status = "e"
    if issubclass(kind, MemoryError):
        status = "m"
    elif issubclass(kind, SystemExit):
        status = "q"
    elif (issubclass(kind, OSError) and error.errno == errno.EAGAIN and "temporarily" in text) or (  # type: ignore[attr-defined]
        issubclass(kind, RuntimeError) and text.startswith("can't start new thread")
    ):
        status = "p"
    return [status, kind.__name__[:100], text, line, step]


def record(entry: list[Any]) -> bytes:
    """A record as bytes."""
    return _text_of(entry)


_record = record
_dumps, _loads, _text_of = codec.dumps, codec.loads, codec.text_of


def new_module(name: str) -> types.ModuleType:
    """An importable module with Python's own built-ins (this code's are a private copy)."""
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = module
    return module


def compiled(source: str) -> types.CodeType | bytes:
    """A program's code, or a record of why there is none."""
    try:
        return compile(source, MODULE, "exec", dont_inherit=True)
    except MemoryError as error:
        return _record(describe(error, "compile"))
    except BaseException as error:  # SyntaxError, ValueError (NUL byte, surrogates), RecursionError, OverflowError
        return _record(["c", *describe(error, "compile")[1:]])


def compile_all(sources: list[bytes]) -> None:
    """For each program its code, or that it cannot be compiled; or neither, where it should find that out itself."""
    import warnings

    warnings.simplefilter("ignore")
    for source in sources:
        begun = time.process_time()
        found = compiled(source.decode("utf-8", "surrogatepass"))
        reply = frames.UNSETTLED
        if not isinstance(found, bytes):
            with contextlib.suppress(ValueError, MemoryError):  # nested too deeply, or too large
                reply = frames.CODE + marshal.dumps(found)
        elif found.startswith(SYNTAX):
            reply = frames.BROKEN + found
        if len(reply) > CODE_BYTES or time.process_time() - begun > COMPILE_SECONDS:
            reply = frames.UNSETTLED
        send(frames.MORE, reply)
    send(frames.DONE, b"")


def load(program: Program, name: str) -> types.ModuleType | bytes:
    """Execute a program as a module of that name, or say why it could not be.

    A program that ends in ``sys.exit()`` has ended well: what it defined so far can be called.
    """
    code = program if isinstance(program, types.CodeType) else compiled(program)
    if isinstance(code, bytes):
        return code
    module = new_module(name)
    try:
        exec(code, module.__dict__)
    except SystemExit:
        pass
    except BaseException as error:
        return _record(describe(error, "load"))
    return module


def call(module: types.ModuleType, entry: str, arguments: bytes) -> bytes:
    """One call: a record of its value (``v``), of a refused value (``x``, ``t``) or of an exception."""
    try:
        name, args, kwargs = _loads(arguments)
        function = module.__dict__.get(name or entry)
        if function is None:
            return _record(["n", "NameError", f"the program does not define {name or entry}", 0, "call"])
        value = function(*args, **kwargs)
        try:
            return b'["v",' + _dumps(value) + b"]"
        except codec.Refused as refusal:
            return _record(["x", type(value).__name__[:100], str(refusal), 0, "return"])
    except BaseException as error:
        return _record(describe(error, "call"))


def run_calls(program: Program, entry: str, items: list[bytes], keep: bool) -> None:
    """Load the program, answer the calls given, then (``keep``) those that still come."""
    loaded = load(program, MODULE)
    if isinstance(loaded, bytes):
        send(frames.DONE, loaded)
        return
    if entry not in loaded.__dict__:
        send(frames.DONE, _record(["n", "NameError", f"the program does not define {entry}", 0, "load"]))
        return
    if not keep:
        for arguments in items:
            send(frames.MORE, call(loaded, entry, arguments))
        send(frames.DONE, b"")
        return
    send(frames.WAIT, b"")
    while True:
        send(frames.WAIT, call(loaded, entry, receive()))


def run_program(program: Program, text: bytes) -> None:
    """Run a whole program with text on its standard input, as ``python program.py`` would."""
    stdin = os.memfd_create("stdin", os.MFD_CLOEXEC)
    frames.write_all(stdin, text)
    os.lseek(stdin, 0, os.SEEK_SET)
    os.dup2(stdin, 0)
    os.close(stdin)
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    result = load_main(program)
    send(frames.DONE, result)


def load_main(program: Program) -> bytes:
    """Execute as ``__main__``, wait for its threads, run its exit handlers, flush its output."""
    code = program if isinstance(program, types.CodeType) else compiled(program)
    if isinstance(code, bytes):
        return code
    module = new_module("__main__")
    outcome = _record(["v"])
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        if error.code not in (None, 0):
            outcome = _record(["v", "exit"])
    except BaseException as error:
        outcome = _record(describe(error, "run"))
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException as error:
        if outcome == b'["v"]':
            outcome = _record(describe(error, "exit"))
    return outcome


_REHEARSED = '''
from typing import Dict, List, Optional, Tuple
import math

def rehearse(numbers: List[float], words: Tuple[str, ...] = ()) -> Dict[str, float]:
    """Uses what most programs use."""
    found = {}
    for index, number in enumerate(sorted(numbers)):
        if number > 1 and index % 2 == 0:
            found[str(number)] = sum([math.floor(n) for n in numbers if n < number] + [len(words)])
    text = ", ".join(w.strip().lower() for w in words)
    return {**found, text: max(len(text), 1) / 2}
'''


def prepare() -> None:
    """Before any job is forked: seed ``random``, and take the paths that jobs take, so that they find them cached.

    What the interpreter writes to its code and caches here, no job has to write, which would cost it a copied page.
    """
    arguments = _dumps(("", ([3.5, 1.0, 2.0, 8.25], ("One", " two")), {}))
    code = marshal.dumps(compiled(_REHEARSED))
    for _ in range(REHEARSALS):
        source, *items = frames.unpack_items(frames.pack_items([_REHEARSED.encode(), arguments]))
        load(source.decode("utf-8", "surrogatepass"), MODULE)
        module = load(marshal.loads(code), MODULE)
        if isinstance(module, types.ModuleType):
            for item in items:
                call(module, "rehearse", item)
                call(module, "missing", item)
        load("def broken(:", MODULE)
    sys.modules.pop(MODULE, None)
    random.seed(SEED)


def main() -> None:
    """Entry of a job's process."""
    mode, entry, source, code, *items = frames.unpack_items(receive())
    if mode == frames.COMPILE:
        compile_all(items)
        return
    program = marshal.loads(code) if code else source.decode("utf-8", "surrogatepass")
    if mode == frames.PROGRAM:
        run_program(program, items[0])
    else:
        run_calls(program, entry.decode("utf-8", "surrogatepass"), items, mode == frames.LIVE)
