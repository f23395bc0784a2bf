"""What runs in an oracle's process: test scripts and comparisons, with a proxy in the candidate's place.

Test scripts come from data sets, so this runs in a sandbox too. Values from the candidate are data of the closed set
(:mod:`sandbox.guest.codec`); whatever else arrives is a wrong type. The random module is seeded with a constant, so a
script that draws its inputs draws the same for every program.
"""

from __future__ import annotations

import builtins
import contextlib
import random
import sys
import types
from _blake2 import blake2b  # hashlib brings OpenSSL with it, whose memory every job would have to map
from typing import Any

from sandbox.guest import codec, comparators, frames
from sandbox.guest.candidate import REHEARSALS, new_module, receive, send

SEED = 20260401
"""Seed of ``random`` for test scripts."""


class CandidateRaised(Exception):
    """The candidate raised something that is no built-in exception."""


class ForeignValue(BaseException):
    """The candidate returned something outside the closed set (not an Exception, so that no script catches it)."""


class Unfinished(BaseException):
    """The script asked for a call beyond what is known of a candidate that is gone."""


class Untransferable(BaseException):
    """The script passes the candidate something outside the closed set: the task's fault, not the candidate's."""


class Border:
    """Calls that cross to the candidate: answered from what is known, else live."""

    def __init__(self, known: list[bytes], digests: list[str], live: bool) -> None:
        self.known = known
        self.digests = digests
        self.live = live
        self.calls = 0

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the candidate's function of that name (empty: its entry point)."""
        try:
            text = codec.dumps((name, args, kwargs))
        except codec.Refused as refusal:
            raise Untransferable(str(refusal)) from None
        if b'{"x":' in text:
            foreign = codec.contains_foreign(codec.loads(text))
            if foreign is not None:
                raise Untransferable(f"argument is a {foreign}")
        index = self.calls
        if index < len(self.known):
            if digest(text) != self.digests[index]:
                raise Unfinished
            reply = self.known[index]
        elif self.live:
            send(frames.WAIT, text)
            reply = receive()
        else:
            raise Unfinished
        self.calls += 1
        return self.value(reply)

    def value(self, reply: bytes) -> Any:
        """What a candidate's record stands for: a value, or an exception to raise here."""
        try:
            record = codec.parse(reply)
            status = record[0]
            if status == "v":
                value = codec.value_of(record[1])
                foreign = codec.contains_foreign(value)
                if foreign is not None:
                    raise ForeignValue(f"returned {foreign}")
                return value
            kind, text, line = str(record[1]), str(record[2]), int(record[3])
        except (codec.Refused, LookupError, TypeError, ValueError) as error:
            raise ForeignValue(f"a malformed answer ({type(error).__name__})") from None
        if status == "x":
            raise ForeignValue(f"returned {kind}: {text}")
        known = getattr(builtins, kind, None)
        raised: BaseException = CandidateRaised(f"{kind}: {text}")
        if isinstance(known, type) and issubclass(known, Exception):
            with contextlib.suppress(TypeError):  # UnicodeDecodeError and its like want more than a text
                raised = known(text)
        raised.candidate = (status, f"{kind}: {text}" + (f" (line {line})" if line else ""))  # type: ignore[attr-defined]
        raise raised


class Proxy:
    """Stands for one function of the candidate; it can be called and nothing else."""

    __slots__ = ("_border", "_name")

    def __init__(self, border: Border, name: str) -> None:
        self._border = border
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._border.call(self._name, args, kwargs)

    def __getattr__(self, attribute: str) -> Any:
        raise NameError(f"name {self._name or 'candidate'!r} is not defined in the test script")


def free_names(code: types.CodeType) -> set[str]:
    """Names a script may look up globally, with those of attributes among them."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= free_names(constant)
    return names


def looks_up(code: types.CodeType, name: str) -> bool:
    """Whether code looks a name up outside itself (an attribute of that name does not count)."""
    if name not in free_names(code):
        return False
    import dis

    if any(i.opname in ("LOAD_GLOBAL", "LOAD_NAME") and i.argval == name for i in dis.get_instructions(code)):
        return True
    return any(looks_up(constant, name) for constant in code.co_consts if isinstance(constant, types.CodeType))


def digest(arguments: bytes) -> str:
    """Fingerprint of a call's arguments."""
    return blake2b(arguments, digest_size=8).hexdigest()


_STATUS = {"e": "runtime_error", "n": "runtime_error", "m": "memory", "p": "process_limit", "q": "runtime_error"}


def classify(error: BaseException) -> tuple[str, str]:
    """Outcome and detail of a script that raised."""
    text = f"{type(error).__name__}: {error}"[:300]
    told = getattr(error, "candidate", None)
    if told is not None:
        return _STATUS.get(told[0], "runtime_error"), told[1][:300]
    if isinstance(error, ForeignValue):
        return "wrong_type", str(error)[:300]
    if isinstance(error, Unfinished):
        return "unfinished", ""
    if isinstance(error, Untransferable):
        return "infra_error", f"the test script's {error}"[:300]
    if isinstance(error, AssertionError):
        return "wrong_answer", str(error)[:300]
    if isinstance(error, NameError | ImportError | SyntaxError | SystemExit | KeyboardInterrupt):
        return "infra_error", f"the test script failed: {text}"
    if isinstance(error, MemoryError):
        return "memory", f"while the test script compared: {text}"
    if isinstance(error, TypeError | AttributeError):
        return "wrong_type", text
    return "wrong_answer", text


class Script:
    """A test script, compiled once; every program it judges gets a namespace of its own.

    In-process graders give the script the candidate's globals. Here, a name that the script uses and nobody defines is
    a standard module that is loaded anyway (data sets forget ``import math``), else a function of the candidate. Where
    the script's ``check`` calls a ``check``, it means the candidate's function of that name (MBPP has one), not itself.
    """

    def __init__(self, header: dict[str, Any]) -> None:
        self.entry = header["entry"]
        self.context = compile(header["context"], "context", "exec", dont_inherit=True)
        self.code = compile(header["script"], "script", "exec", dont_inherit=True)
        self.free = free_names(self.code) - vars(builtins).keys()

    def judge(self, border: Border) -> None:
        """Run ``check(candidate)``; what it raises is the verdict."""
        namespace = new_module("check_script").__dict__
        proxy = Proxy(border, "")
        random.seed(SEED)
        exec(self.context, namespace)
        for name in self.free - namespace.keys():
            namespace[name] = sys.modules[name] if name in sys.modules else Proxy(border, name)
        namespace[self.entry] = namespace["candidate"] = proxy
        namespace.pop("check", None)
        exec(self.code, namespace)
        check = namespace.get("check")
        if isinstance(check, types.FunctionType) and looks_up(check.__code__, "check"):
            namespace["check"] = Proxy(border, "check")
        namespace[self.entry] = namespace["candidate"] = proxy
        if check is not None:
            check(proxy)


def run_scripts(header: dict[str, Any], items: list[bytes]) -> None:
    """Judge one program after the other and report outcome, detail and the number of calls made, for each.

    ``header["scripts"]`` has the scripts, each with ``counts``: how many of ``items`` are whose. It ends early after a
    verdict that may have cost this process its health; the host then has the rest judged elsewhere.
    """
    position = 0
    for part in header["scripts"]:
        script: Script | None = None
        for count in part["counts"]:
            border = Border(items[position : position + count], part["digests"], header["live"])
            position += count
            outcome, detail = "passed", ""
            try:
                script = script or Script(part)
                script.judge(border)
                if border.calls == 0:
                    outcome, detail = "infra_error", "the test script never called the candidate"
            except BaseException as error:
                outcome, detail = classify(error)
            send(frames.MORE, codec.text_of([outcome, detail, border.calls]))
            if outcome in ("memory", "infra_error"):
                send(frames.DONE, b"")
                return
    send(frames.DONE, b"")


def run_comparison(header: dict[str, Any], items: list[bytes]) -> None:
    """Compare known results with expected values by a named rule (``expected`` and results alternate in ``items``)."""
    compare = comparators.VALUE_RULES[header["rule"]]
    border = Border([], [], False)
    passed = 0
    outcome, detail = "passed", ""
    try:
        for expected, actual in zip(items[::2], items[1::2], strict=True):
            if not compare(codec.loads(expected), border.value(actual)):
                outcome, detail = "wrong_answer", f"call {passed + 1}"
                break
            passed += 1
    except BaseException as error:
        outcome, detail = classify(error)
    send(frames.DONE, codec.text_of([outcome, detail, passed]))


_REHEARSED = """
def check(candidate):
    assert candidate([1.5, 2.5], "a") == {"a": [1.5, 2.5]}
    assert candidate([], "b") == {"b": []}, "empty"
    assert abs(candidate([1], "c")["c"][0] - 1) < 1e-6
"""


def prepare() -> None:
    """Before any job is forked: take the paths that jobs take (:func:`sandbox.guest.candidate.prepare`)."""
    calls: list[tuple[Any, Any]] = [(("", ([1.5, 2.5], "a"), {}), {"a": [1.5, 2.5]}), (("", ([], "b"), {}), {"b": []})]
    digests = [digest(codec.dumps(arguments)) for arguments, _ in calls]
    known = [b'["v",' + codec.dumps(value) + b"]" for _, value in calls]
    header = {"entry": "f", "context": "from typing import List\n", "script": _REHEARSED}
    for _ in range(REHEARSALS):
        try:
            Script(header).judge(Border(known, digests, False))
        except Unfinished as error:
            codec.text_of([*classify(error), 2])
    sys.modules.pop("check_script", None)


def main() -> None:
    """Entry of a job's process."""
    header, items = frames.unpack(receive())
    if header["mode"] == "scripts":
        run_scripts(header, items)
    else:
        run_comparison(header, items)
