"""Sessions for check scripts.

A script is first run *live*: each call it makes goes to the candidate and back. What it called is remembered, and later
programs for the same script get all those calls in one batch; an oracle then replays the script over the recorded
answers. A script whose calls differ from the remembered ones, because they depend on answers, is run live again. The
order of calls is the script's own in both cases.
"""

from __future__ import annotations

import json

from sandbox.api import CheckScript, Outcome
from sandbox.guest import frames
from sandbox.outcomes import Finding, ended_badly, examined_badly
from sandbox.run import Ending, Run
from sandbox.scripts import Answers, Script, Verdict
from sandbox.session import Session


class ScriptSession(Session):
    """One program and a script that judges it."""

    script: Script
    exploring = False
    announced = False
    bad: Finding | None = None

    def announce(self) -> None:
        """Its script's answers wait for this program's, too."""
        self._know_script().expected += 1
        self.announced = True

    def _know_script(self) -> Script:
        assert isinstance(self.job.plan, CheckScript)
        self.script = self.pool.scripts.get(self.job.plan)
        return self.script

    def _arrive(self) -> None:
        """What was announced is here: it counts by itself from now on."""
        if self.announced:
            self.announced = False
            self.script.expected -= 1

    def start(self) -> None:
        """With the calls that are known; to find them out; or behind a program that is finding them out."""
        self._arrive()
        script = self._know_script()
        if script.live_only:
            self._begin_live()
            self.pool.scripts.consider(script)
        elif script.arguments:
            self._begin_batch()
        elif script.explored and not self.exploring:
            script.followers.append(self)
        else:
            script.explored = self.exploring = True
            self._begin_live()

    def finish(self, outcome: Outcome, detail: str = "", passed: int = 0, total: int = 0) -> None:
        """Report, and let others use what was found out."""
        super().finish(outcome, detail, passed, total)
        if self.announced:
            self._arrive()
            self.pool.scripts.consider(self.script)
        self._release()

    def _release(self) -> None:
        """Programs that waited for this one's calls may begin."""
        if not self.exploring:
            return
        self.exploring = self.script.explored = False
        followers = list(self.script.followers)
        self.script.followers.clear()
        for follower in followers:
            follower.start()

    # -- in a batch --------------------------------------------------------------------------------------------------

    def _begin_batch(self) -> None:
        """All remembered calls at once."""
        self.script.expected += 1
        self.start_candidate(frames.CALLS, self.script.plan.entry_point, self.script.arguments, on_exit=self._answered)

    def restart(self, reason: str, began: bool, avoid: int) -> None:
        """A candidate lost in a batch is expected no more, until it begins again."""
        script = self.script
        batched = self.candidate is not None and not self.candidate.live and not self.over
        if batched:
            script.expected -= 1
        super().restart(reason, began, avoid)
        if batched:
            self.pool.scripts.consider(script)

    def _answered(self, run: Run, ending: Ending) -> None:
        """The candidate answered what it could: let the script judge."""
        self.candidate = None
        self.script.expected -= 1
        self.account(ending)
        self.bad = ended_badly(ending)
        if self.failed_to_load(run):
            pass
        elif self.bad is not None and not run.records:
            self.finish(*self.bad)
        else:
            self.pool.scripts.add(Answers(self, self.script, run.records, self._judged))
            return
        self.pool.scripts.consider(self.script)

    def _judged(self, verdict: Verdict, answered: int) -> None:
        """The script has spoken on the answers."""
        outcome, detail, calls = verdict
        total = len(self.script.arguments)
        if outcome == "unfinished":
            if self.bad is not None and calls >= answered:
                self.finish(*self.bad, calls, total)
            else:
                self.cpu = self.wall = 0.0
                self.script.live_only = calls < answered or self.script.live_only
                self._begin_live()
        elif outcome == "passed" and self.bad is not None:
            self.finish(*self.bad, calls, total)
        else:
            self.finish(Outcome(outcome), detail, calls, total)

    # -- live --------------------------------------------------------------------------------------------------------

    def _begin_live(self) -> None:
        """Call by call."""
        self.asked: list[bytes] = []
        self.verdict: Verdict | None = None
        self.failure: Finding | None = None
        self.oracle = None
        self.start_candidate(
            frames.LIVE, self.script.plan.entry_point, [],
            live=True, on_wait=self._candidate_waits, on_exit=self._candidate_over,
        )  # fmt: skip

    def _candidate_waits(self, record: bytes) -> None:
        """The program is loaded, or has answered."""
        if self.oracle is None:
            self.start_oracle(
                {"mode": "scripts", "live": True, "scripts": [self.script.header([0])]}, [],
                live=True, on_wait=self._oracle_asks, on_exit=self._oracle_over,
            )  # fmt: skip
        else:
            self.oracle.say(record)

    def _oracle_asks(self, arguments: bytes) -> None:
        self.asked.append(arguments)
        if self.candidate is not None:
            self.candidate.say(arguments)

    def _oracle_over(self, run: Run, ending: Ending) -> None:
        if self.candidate is None or self.candidate.worker is None:
            return
        if run.records:
            said = json.loads(run.records[0])
            self.verdict = str(said[0]), str(said[1]), int(said[2])
        else:
            self.failure = examined_badly(ending)
        self.candidate.end()

    def _candidate_over(self, run: Run, ending: Ending) -> None:
        self.account(ending)
        self.script.remember(self.asked)
        if self.failed_to_load(run):
            return
        bad = ended_badly(ending)
        if self.verdict is not None:
            outcome, detail, calls = self.verdict
            if outcome == "passed" and bad is not None:
                self.finish(*bad, calls)
            else:
                self.finish(Outcome(outcome), detail, calls)
            return
        if self.failure is not None:
            self.finish(*self.failure)
            return
        if self.oracle is not None:
            self.oracle.end()
        self.finish(*(bad or (Outcome.RUNTIME_ERROR, "ended before answering")), max(0, len(self.asked) - 1))
