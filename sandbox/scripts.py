"""What is known of a test script, and the programs whose answers wait for its verdict.

The calls a script makes are remembered (inputs only), so that later programs get all of them in one batch. Answers that
wait are judged by one oracle process, those for one script after each other, where that is safe
(:mod:`sandbox.sharing`).
"""

from __future__ import annotations

import collections
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.api import CheckScript
from sandbox.guest import frames
from sandbox.guest.oracle import digest
from sandbox.outcomes import examined_badly
from sandbox.run import Ending, Run
from sandbox.session import ORACLE_LIMITS, Session
from sandbox.sharing import is_shareable

if TYPE_CHECKING:
    from sandbox.pool import PoolExecutor

KNOWN_SCRIPTS = 2048
KNOWN_CALLS = 20_000
GROUP = 32
"""Programs that one oracle process judges at most."""

ENOUGH = 24
"""So many programs with shareable scripts are judged at once; fewer where there is nothing else to do."""

GROUP_BYTES = 256 * 2**10
"""Answers of more bytes than this are not made to wait for others."""

HELD_BYTES = 128 * 2**20
"""Answers in all that may wait before no more candidates are started."""

Verdict = tuple[str, str, int]
"""What an oracle says: an outcome or ``unfinished``, a detail, and how many calls were made."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one candidate returned, and who wants to know the verdict."""

    session: Session
    script: Script
    records: list[bytes]
    on_verdict: Callable[[Verdict, int], None]

    @property
    def size(self) -> int:
        return sum(map(len, self.records))


class Script:
    """A test script and everything that is under way with it."""

    def __init__(self, plan: CheckScript) -> None:
        self.plan = plan
        self.arguments: list[bytes] = []
        self.digests: list[str] = []
        self.live_only = False
        self.shareable = is_shareable(plan.context, plan.script)
        self.explored = False  # a program is finding out which calls it makes
        self.followers: collections.deque[Session] = collections.deque()  # wait for what that one finds
        self.expected = 0  # programs that run with the known calls and have not answered yet
        self.waiting: list[Answers] = []

    def header(self, counts: list[int]) -> dict[str, object]:
        """What the oracle needs to judge programs with so many answers each."""
        return {
            "script": self.plan.script,
            "context": self.plan.context,
            "entry": self.plan.entry_point,
            "digests": self.digests[: max(counts, default=0)],
            "counts": counts,
        }

    def remember(self, asked: list[bytes]) -> None:
        """Keep the longest list of calls seen, for the next program."""
        if len(self.arguments) < len(asked) <= KNOWN_CALLS and not self.live_only:
            self.arguments = list(asked)
            self.digests = [digest(a) for a in asked]


class Scripts:
    """The scripts a pool knows, the most recent ones."""

    def __init__(self, pool: PoolExecutor) -> None:
        self.pool = pool
        self.known: collections.OrderedDict[CheckScript, Script] = collections.OrderedDict()
        self.held = 0
        self.ready: list[Answers] = []  # to be judged, those of a script together

    @property
    def full(self) -> bool:
        """Whether so many bytes of answers wait that no more should come."""
        return self.held > HELD_BYTES

    def get(self, plan: CheckScript) -> Script:
        """What is known of a plan's script."""
        script = self.known.get(plan)
        if script is None:
            script = self.known[plan] = Script(plan)
            while len(self.known) > KNOWN_SCRIPTS:
                self.known.popitem(last=False)
        else:
            self.known.move_to_end(plan)
        return script

    def forget_work(self) -> None:
        """Nothing is under way any more."""
        self.held = 0
        self.ready.clear()
        for script in self.known.values():
            script.explored = False
            script.followers.clear()
            script.expected = 0
            script.waiting.clear()

    def add(self, answers: Answers) -> None:
        """A program has answered: its verdict follows, alone or with others."""
        self.held += answers.size
        answers.script.waiting.append(answers)
        self.consider(answers.script)

    def consider(self, script: Script) -> None:
        """What waits can be judged, unless more is to be expected soon."""
        if not script.waiting:
            return
        enough = len(script.waiting) >= GROUP or sum(a.size for a in script.waiting) > GROUP_BYTES
        if enough or self.full or not script.shareable or not script.expected:
            group, script.waiting = script.waiting, []
            if script.shareable:
                self.ready += group
                if len(self.ready) >= ENOUGH or enough or self.full:
                    self.flush()
            else:
                for answers in group:
                    self._judge([answers])

    def flush(self) -> None:
        """Judge what can be judged."""
        ready, self.ready = self.ready, []
        for begin in range(0, len(ready), GROUP):
            self._judge(ready[begin : begin + GROUP])

    def _judge(self, group: list[Answers]) -> None:
        """Queue one oracle process for some programs' answers, whatever their scripts."""

        def over(run: Run, ending: Ending) -> None:
            verdicts = [json.loads(record) for record in run.records]
            rest = group[len(verdicts) :]
            if not verdicts:
                # Whatever ended the process, only the first program of a group is held responsible.
                failed, rest = rest[0], rest[1:]
                self.held -= failed.size
                if not failed.session.over:
                    failed.session.finish(*examined_badly(ending))
            if rest:
                self._judge(rest)
            for answers, (outcome, detail, calls) in zip(group, verdicts, strict=False):
                self.held -= answers.size
                if not answers.session.over:
                    answers.on_verdict((str(outcome), str(detail), int(calls)), len(answers.records))

        def lost(run: Run, reason: str, began: bool) -> None:
            avoid = id(run.worker.channel) if run.worker is not None else 0
            for answers in group:
                self.held -= answers.size
                answers.session.restart(reason, began, avoid)

        parts = [
            script.header([len(answers.records) for answers in mine])
            for script, mine in itertools.groupby(group, lambda answers: answers.script)
        ]
        header = {"mode": "scripts", "live": False, "scripts": parts}
        message = frames.pack(header, [r for a in group for r in a.records])
        run = Run(
            self.pool.number(), "oracle", ORACLE_LIMITS, message, on_exit=over, on_lost=lost, tests=len(group),
            avoid=group[0].session.avoid,
        )  # fmt: skip
        self.pool.submit(run)
