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
from hashlib import blake2b
from typing import Any

from sandbox.guest import codec, comparators, frames
from sandbox.guest.candidate import receive, send

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


class Proxy:
    """Stands for the candidate's function; every call crosses the border."""

    def __init__(self, known: list[bytes], digests: list[str], live: bool) -> None:
        self.known = known
        self.digests = digests
        self.live = live
        self.calls = 0
        self.arguments: list[bytes] = []
        self.raised: BaseException | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            text = codec.dumps((args, kwargs))
        except codec.Refused as refusal:
            raise Untransferable(str(refusal)) from None
        if b'{"x":' in text and codec.contains_foreign(codec.loads(text)):
            raise Untransferable(f"argument of type {codec.contains_foreign(codec.loads(text))}")
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


def digest(arguments: bytes) -> str:
    """Fingerprint of a call's arguments."""
    return blake2b(arguments, digest_size=8).hexdigest()


_STATUS = {"e": "runtime_error", "m": "memory", "p": "process_limit", "q": "runtime_error"}


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


def run_script(header: dict[str, Any], items: list[bytes]) -> None:
    """Run ``check(candidate)`` and report outcome, detail, calls made and their fingerprints."""
    proxy = Proxy(items, header["digests"], header["live"])
    module = types.ModuleType("check_script")
    sys.modules["check_script"] = module
    namespace = module.__dict__
    entry = header["entry"]
    outcome, detail = "passed", ""
    random.seed(SEED)
    try:
        exec(compile(header["context"], "context", "exec", dont_inherit=True), namespace)
        namespace[entry] = namespace["candidate"] = proxy
        exec(compile(header["script"], "script", "exec", dont_inherit=True), namespace)
        namespace[entry] = namespace["candidate"] = proxy
        if "check" in namespace:
            namespace["check"](proxy)
        if proxy.calls == 0:
            outcome, detail = "infra_error", "the test script never called the candidate"
    except BaseException as error:
        outcome, detail = classify(error)
    send(frames.DONE, frames.pack({"outcome": outcome, "detail": detail, "calls": proxy.calls}))


def run_comparison(header: dict[str, Any], items: list[bytes]) -> None:
    """Compare known results with expected values by a named rule (``expected`` and results alternate in ``items``)."""
    compare = comparators.VALUE_RULES[header["rule"]]
    proxy = Proxy([], [], False)
    passed = 0
    outcome, detail = "passed", ""
    try:
        for expected, actual in zip(items[::2], items[1::2], strict=True):
            if not compare(codec.loads(expected), proxy.value(actual)):
                outcome, detail = "wrong_answer", f"call {passed + 1}"
                break
            passed += 1
    except BaseException as error:
        outcome, detail = classify(error)
    send(frames.DONE, frames.pack({"outcome": outcome, "detail": detail, "calls": passed}))


def main() -> None:
    """Entry of a job's process."""
    header, items = frames.unpack(receive())
    if header["mode"] == "script":
        run_script(header, items)
    else:
        run_comparison(header, items)
