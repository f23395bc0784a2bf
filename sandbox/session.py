"""How one job becomes runs on workers, and how their ends become one outcome.

A check script is first run *live*: each call the script makes goes to the candidate and back. What it called is
remembered (inputs only), and later programs for the same script get all those calls in one batch; the oracle then
replays the script over the recorded answers. A script whose calls differ from the remembered ones, because they depend
on answers, is run live again. The order of calls is the script's own in both cases.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.api import Call, Calls, CheckScript, Job, Limits, Outcome, Report, StdinTests
from sandbox.guest import codec, comparators, frames
from sandbox.guest.oracle import digest

if TYPE_CHECKING:
    from sandbox.pool import PoolExecutor, Worker

ANSWER_BYTES = 32 * 2**20
"""Bytes one program may send across the border in all its answers."""

ORACLE_LIMITS = Limits(cpu_seconds=5.0, wall_seconds=200.0, memory_bytes=2**30, output_bytes=2**20, processes=16)
MEMO_SIZE = 2048
MEMO_CALLS = 20_000
_HOW = {
    "limit cpu": (Outcome.CPU_TIMEOUT, ""),
    "limit wall": (Outcome.WALL_TIMEOUT, ""),
    "limit output": (Outcome.OUTPUT_LIMIT, "too much on stdout and stderr"),
    "limit answer": (Outcome.OUTPUT_LIMIT, "answers too large"),
    "limit protocol": (Outcome.RUNTIME_ERROR, "wrote to a descriptor that is not its own"),
    "killed": (Outcome.MEMORY, "killed: out of memory"),
}
_STATUS = {
    "c": Outcome.COMPILE_ERROR,
    "m": Outcome.MEMORY,
    "p": Outcome.PROCESS_LIMIT,
    "n": Outcome.RUNTIME_ERROR,
    "e": Outcome.RUNTIME_ERROR,
    "q": Outcome.RUNTIME_ERROR,
    "x": Outcome.WRONG_TYPE,
}


class Run:
    """One process inside a worker, from the host's side."""

    def __init__(self, session: Session, role: str, limits: Limits, message: bytes, **options: Any) -> None:
        self.session = session
        self.role = role
        self.number = session.pool.number()
        self.message = message
        self.live: bool = options.get("live", False)
        tests = int(options.get("tests", 1))
        self.patience = limits.wall_seconds * tests
        self.worker: Worker | None = None
        self.avoid = session.avoid
        self.stream = bytearray()
        self.records: list[bytes] = []
        self.final: bytes | None = None
        self.output = bytearray()
        header = {
            "cpu": limits.cpu_seconds,
            "wall": limits.wall_seconds,
            "memory": limits.memory_bytes,
            "output": limits.output_bytes,
            "processes": limits.processes,
            "answer": ANSWER_BYTES,
            "per_call": tests > 1,
            "tests": tests,
            "capture": options.get("capture", False),
        }
        self.header_bytes = json.dumps(header).encode("ascii")
        self.on_wait: Callable[[bytes], None] | None = options.get("on_wait")
        self.on_exit: Callable[[Run, dict[str, Any]], None] = options["on_exit"]

    def receive(self, payload: bytes) -> None:
        """Bytes of the job's stream."""
        self.stream += payload
        position, size = 0, frames.JOB.size
        while len(self.stream) - position >= size:
            length, kind = frames.JOB.unpack_from(self.stream, position)
            if len(self.stream) - position - size < length:
                break
            body = bytes(self.stream[position + size : position + size + length])
            position += size + length
            if kind == frames.MORE:
                self.records.append(body)
            elif kind == frames.DONE:
                self.final = body
            elif self.on_wait is not None and not self.session.over:
                self.on_wait(body)
        del self.stream[:position]

    def exited(self, payload: bytes) -> bool:
        """The supervisor's last word. Returns whether the worker is clean."""
        info: dict[str, Any] = json.loads(payload)
        self.worker = None
        if not self.session.over:
            self.on_exit(self, info)
        return bool(info["clean"])

    def lost(self, reason: str, began: bool) -> None:
        """The worker is gone before this run ended."""
        self.session.retry(self, reason, began)

    def say(self, message: bytes) -> None:
        """One message to the job's process."""
        if self.worker is not None:
            self.worker.say(self, message)

    def end(self) -> None:
        """Ask for the end of the job's process."""
        if self.worker is not None:
            self.worker.end(self)


class Memo:
    """The calls a check script makes, as far as they are known."""

    __slots__ = ("arguments", "digests", "live_only")

    def __init__(self) -> None:
        self.arguments: list[bytes] = []
        self.digests: list[str] = []
        self.live_only = False


class Session:
    """One job on its way to a report."""

    def __init__(self, pool: PoolExecutor, job: Job) -> None:
        self.pool = pool
        self.job = job
        self.attempts = 0
        self.avoid = 0
        self.over = False
        self.cpu = 0.0
        self.wall = 0.0
        self.generation = 0
        self.memo = Memo()
        self.candidate: Run | None = None
        self.oracle: Run | None = None
        self.asked: list[bytes] = []
        self.case = 0

    # -- beginning, retrying, ending -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start (again) from nothing."""
        self.attempts += 1
        self.cpu = self.wall = 0.0
        self.case = 0
        plan = self.job.plan
        if isinstance(plan, CheckScript):
            memo = self.pool.memo.get(plan)
            if memo is None:
                memo = self.pool.memo[plan] = Memo()
                while len(self.pool.memo) > MEMO_SIZE:
                    self.pool.memo.popitem(last=False)
            else:
                self.pool.memo.move_to_end(plan)
            self.memo = memo
            if memo.arguments and not memo.live_only:
                self.begin_batch(plan)
            else:
                self.begin_live(plan)
        elif isinstance(plan, Calls):
            self.begin_calls(plan)
        else:
            self.begin_case(plan)

    def retry(self, run: Run, reason: str, began: bool) -> None:
        """A run was lost with its worker."""
        if self.over or run not in (self.candidate, self.oracle):
            return
        other = self.oracle if run is self.candidate else self.candidate
        self.candidate = self.oracle = None
        if other is not None:
            other.end()
        if not began:
            self.attempts -= 1
        self.avoid = id(run.worker.channel) if run.worker is not None else 0
        if self.attempts >= 3:
            self.finish(Outcome.INFRA_ERROR, reason)
        else:
            self.begin()

    def finish(self, outcome: Outcome, detail: str = "", passed: int = 0, total: int = 0) -> None:
        """Report."""
        if self.over:
            return
        self.over = True
        self.pool.finish(Report(self.job.key, outcome, self.cpu, self.wall, detail[:300], passed, max(total, passed)))

    def start_candidate(self, header: dict[str, Any], items: list[bytes], **options: Any) -> None:
        """Queue the candidate's process."""
        message = frames.pack({"source": self.job.source, **header}, items)
        self.candidate = Run(self, "candidate", self.left(), message, **options)
        self.pool.submit(self.candidate)

    def left(self) -> Limits:
        """The limits of the next process: of one budget for the whole program, what is left of it."""
        limits = self.job.limits
        if not limits.whole_program:
            return limits
        return replace(limits, cpu_seconds=limits.cpu_seconds - self.cpu, wall_seconds=limits.wall_seconds - self.wall)

    def start_oracle(self, header: dict[str, Any], items: list[bytes], **options: Any) -> None:
        """Queue the oracle's process."""
        self.oracle = Run(self, "oracle", ORACLE_LIMITS, frames.pack(header, items), **options)
        self.pool.submit(self.oracle)

    def account(self, info: dict[str, Any]) -> None:
        """Add up what the candidate used."""
        self.cpu += float(info["cpu"])
        self.wall += float(info["wall"])

    def failed_to_load(self, run: Run) -> bool:
        """Finish when the program itself did not load. The record is the candidate's word on its own failure."""
        if not run.final:
            return False
        outcome, detail = interpret(run.final)
        self.finish(outcome, detail)
        return True

    def ended_badly(self, info: dict[str, Any]) -> tuple[Outcome, str] | None:
        """The outcome that the way of ending alone implies, or ``None`` for a proper end."""
        how, code = str(info["how"]), int(info["code"])
        if how in ("done", "ended"):
            return None
        if how in _HOW:
            return _HOW[how]
        if code < 0:
            return Outcome.RUNTIME_ERROR, f"killed by signal {-code}"
        return Outcome.RUNTIME_ERROR, f"ended with exit code {code} before answering"

    # -- check scripts -----------------------------------------------------------------------------------------------

    def script_header(self, plan: CheckScript, live: bool) -> dict[str, Any]:
        """What the oracle needs to run the script."""
        digests = [] if live else self.memo.digests
        return {
            "mode": "script",
            "script": plan.script,
            "context": plan.context,
            "entry": plan.entry_point,
            "live": live,
            "digests": digests,
        }

    def begin_batch(self, plan: CheckScript) -> None:
        """All remembered calls at once."""
        arguments = list(self.memo.arguments)
        header = {"mode": "calls", "entry": plan.entry_point, "keep": False}
        self.start_candidate(header, arguments, on_exit=self.batch_over)

    def batch_over(self, run: Run, info: dict[str, Any]) -> None:
        """The candidate answered what it could: let the script judge."""
        plan = self.job.plan
        assert isinstance(plan, CheckScript)
        self.account(info)
        if self.failed_to_load(run):
            return
        bad = self.ended_badly(info)
        if bad is not None and not run.records:
            self.finish(*bad)
            return

        def judged(oracle: Run, ending: dict[str, Any]) -> None:
            verdict = self.verdict(oracle, ending)
            if verdict is None:
                return
            outcome, detail, calls = verdict
            total = len(self.memo.arguments)
            if outcome == "unfinished":
                if bad is not None and calls >= len(run.records):
                    self.finish(bad[0], bad[1], calls, total)
                else:
                    self.candidate = None
                    self.cpu = self.wall = 0.0
                    self.memo.live_only = calls < len(run.records) or self.memo.live_only
                    self.begin_live(plan)
            elif outcome == "passed" and bad is not None:
                self.finish(bad[0], bad[1], calls, total)
            else:
                self.finish(Outcome(outcome), detail, calls, total)

        self.start_oracle(self.script_header(plan, live=False), run.records, on_exit=judged)

    def verdict(self, oracle: Run, ending: dict[str, Any]) -> tuple[str, str, int] | None:
        """What the oracle said; finishes the session itself where the oracle did not get to speak."""
        if oracle.final is not None:
            said, _ = frames.unpack(oracle.final)
            return str(said["outcome"]), str(said["detail"]), int(said["calls"])
        how = str(ending["how"])
        if how in ("limit cpu", "limit wall", "killed"):
            self.finish(_HOW[how][0], "while the test script examined the answer")
        else:
            self.finish(Outcome.INFRA_ERROR, f"the test script's process ended: {how} {ending['code']}")
        return None

    def begin_live(self, plan: CheckScript) -> None:
        """Call by call."""
        self.asked = []
        judged: list[tuple[str, str, int]] = []

        def candidate_waits(record: bytes) -> None:
            if self.oracle is None:
                self.start_oracle(
                    self.script_header(plan, live=True), [], live=True, on_wait=oracle_asks, on_exit=oracle_over
                )
            else:
                self.oracle.say(record)

        def oracle_asks(arguments: bytes) -> None:
            self.asked.append(arguments)
            if self.candidate is not None:
                self.candidate.say(arguments)

        def oracle_over(oracle: Run, ending: dict[str, Any]) -> None:
            if self.candidate is None or self.candidate.worker is None:
                return
            verdict = self.verdict(oracle, ending)
            if verdict is not None:
                judged.append(verdict)
            self.candidate.end()

        def candidate_over(run: Run, info: dict[str, Any]) -> None:
            self.account(info)
            self.remember()
            if self.failed_to_load(run):
                return
            bad = self.ended_badly(info)
            if judged:
                outcome, detail, calls = judged[0]
                if outcome == "passed" and bad is not None:
                    self.finish(bad[0], bad[1], calls)
                else:
                    self.finish(Outcome(outcome), detail, calls)
                return
            if self.oracle is not None:
                self.oracle.end()
            if bad is None:
                bad = Outcome.RUNTIME_ERROR, "ended before answering"
            self.finish(bad[0], bad[1], max(0, len(self.asked) - 1))

        header = {"mode": "calls", "entry": plan.entry_point, "keep": True}
        self.oracle = None
        self.start_candidate(header, [], live=True, on_wait=candidate_waits, on_exit=candidate_over)

    def remember(self) -> None:
        """Keep the longest list of calls seen, for the next program."""
        memo = self.memo
        if len(self.asked) > len(memo.arguments) and len(self.asked) <= MEMO_CALLS and not memo.live_only:
            memo.arguments = list(self.asked)
            memo.digests = [digest(a) for a in self.asked]

    # -- calls by value ----------------------------------------------------------------------------------------------

    def begin_calls(self, plan: Calls) -> None:
        """All calls at once; the comparison elsewhere."""
        if not plan.calls:
            self.finish(Outcome.INFRA_ERROR, "a plan without calls decides nothing")
            return
        items = [codec.dumps(("", call.args, {})) for call in plan.calls]
        header = {"mode": "calls", "entry": plan.entry_point, "keep": False}
        tests = 1 if self.job.limits.whole_program else len(items)
        self.start_candidate(header, items, tests=tests, on_exit=self.calls_over)

    def calls_over(self, run: Run, info: dict[str, Any]) -> None:
        """Compare what came back."""
        plan = self.job.plan
        assert isinstance(plan, Calls)
        self.account(info)
        if self.failed_to_load(run):
            return
        bad = self.ended_badly(info)
        total, records = len(plan.calls), run.records[: len(plan.calls)]
        if bad is None and len(records) < total:
            bad = Outcome.RUNTIME_ERROR, "ended before answering"
        if not records:
            self.finish(*(bad or (Outcome.RUNTIME_ERROR, "ended before answering")), total=total)
            return
        rule = next((n for n, f in comparators.VALUE_RULES.items() if f is (plan.compare or comparators.equal)), None)
        if rule is None:
            assert plan.compare is not None
            self.finish(*compare_here(plan.calls, records, plan.compare, bad), total=total)
            return
        items: list[bytes] = []
        for call, actual in zip(plan.calls, records, strict=False):
            items += [codec.dumps(call.expected), actual]

        def judged(oracle: Run, ending: dict[str, Any]) -> None:
            verdict = self.verdict(oracle, ending)
            if verdict is None:
                return
            outcome, detail, passed = verdict
            if outcome == "passed" and bad is not None:
                self.finish(bad[0], bad[1], passed, total)
            else:
                self.finish(Outcome(outcome), detail, passed, total)

        self.start_oracle({"mode": "compare", "rule": rule}, items, on_exit=judged)

    # -- whole programs ----------------------------------------------------------------------------------------------

    def begin_case(self, plan: StdinTests) -> None:
        """One case: a process of its own."""
        if not plan.cases:
            self.finish(Outcome.INFRA_ERROR, "a plan without cases decides nothing")
            return
        left = self.left()
        if left.cpu_seconds <= 0 or left.wall_seconds <= 0:
            outcome = Outcome.CPU_TIMEOUT if left.cpu_seconds <= 0 else Outcome.WALL_TIMEOUT
            self.finish(outcome, "one budget for all cases", self.case, len(plan.cases))
            return
        text = plan.cases[self.case][0].encode("utf-8", "surrogatepass")
        self.start_candidate({"mode": "program"}, [text], capture=True, on_exit=self.case_over)

    def case_over(self, run: Run, info: dict[str, Any]) -> None:
        """Compare text with text; stop at the first failure."""
        plan = self.job.plan
        assert isinstance(plan, StdinTests)
        self.account(info)
        total = len(plan.cases)
        how, code = str(info["how"]), int(info["code"])
        if run.final is not None and how == "done":
            outcome, detail = interpret(run.final)
            if outcome is not Outcome.PASSED:
                self.finish(outcome, detail, self.case, total)
                return
        elif not (how == "exited" and code == 0):
            bad = self.ended_badly(info)
            assert bad is not None
            self.finish(bad[0], bad[1], self.case, total)
            return
        actual = run.output.decode("utf-8", "replace")
        compare = plan.compare or comparators.same_text
        if not compare(plan.cases[self.case][1], actual):
            self.finish(Outcome.WRONG_ANSWER, f"case {self.case + 1}", self.case, total)
            return
        self.case += 1
        if self.case == total:
            self.finish(Outcome.PASSED, "", total, total)
        else:
            self.begin_case(plan)


def interpret(record: bytes) -> tuple[Outcome, str]:
    """A candidate's record of its own failure (or ``v``)."""
    try:
        entry = codec.parse(record)
        status = entry[0]
        if status == "v":
            return Outcome.PASSED, ""
        detail = f"{entry[1]}: {entry[2]}" + (f" (line {entry[3]})" if entry[3] else "")
        return _STATUS[status], detail[:300]
    except (codec.Refused, LookupError, TypeError):
        return Outcome.RUNTIME_ERROR, "malformed report"


def compare_here(
    calls: tuple[Call, ...],
    records: list[bytes],
    compare: Callable[[Any, Any], bool],
    bad: tuple[Outcome, str] | None,
) -> tuple[Outcome, str, int]:
    """Compare decoded data by the caller's own rule, on the host. Values are plain data by construction."""
    for index, (call, record) in enumerate(zip(calls, records, strict=False)):
        try:
            entry = codec.parse(record)
            if entry[0] != "v":
                outcome, detail = interpret(record)
                return outcome, detail, index
            value = codec.value_of(entry[1])
        except Exception:
            return Outcome.WRONG_TYPE, "malformed answer", index
        foreign = codec.contains_foreign(value)
        if foreign is not None:
            return Outcome.WRONG_TYPE, f"returned {foreign}", index
        if not compare(call.expected, value):
            return Outcome.WRONG_ANSWER, f"call {index + 1}", index
    if bad is not None:
        return bad[0], bad[1], len(records)
    return Outcome.PASSED, "", len(records)


def with_limits(job: Job, limits: Limits) -> Job:
    """The same job under other limits."""
    return replace(job, limits=limits)
