"""Sessions for plans without a script: calls compared by value, and whole programs compared by their output."""

from __future__ import annotations

import json

from sandbox.api import Calls, Outcome, StdinTests
from sandbox.guest import codec, comparators, frames
from sandbox.outcomes import Finding, compare_here, ended_badly, examined_badly, interpret
from sandbox.run import Ending, Run
from sandbox.session import Session

_UNANSWERED: Finding = (Outcome.RUNTIME_ERROR, "ended before answering")


class CallsSession(Session):
    """All calls go to the candidate at once; expected values and the comparison are elsewhere."""

    bad: Finding | None = None

    @property
    def plan(self) -> Calls:
        """The job's plan."""
        assert isinstance(self.job.plan, Calls)
        return self.job.plan

    def start(self) -> None:
        """Queue the candidate with every call."""
        if not self.plan.calls:
            self.finish(Outcome.INFRA_ERROR, "a plan without calls decides nothing")
            return
        try:
            items = [codec.dumps(("", call.args, {})) for call in self.plan.calls]
        except codec.Refused as refusal:
            self.finish(Outcome.INFRA_ERROR, f"the plan's arguments cannot cross: {refusal}")
            return
        tests = 1 if self.job.limits.whole_program else len(items)
        self.start_candidate(frames.CALLS, self.plan.entry_point, items, tests=tests, on_exit=self._answered)

    def _answered(self, run: Run, ending: Ending) -> None:
        """Compare what came back."""
        plan = self.plan
        self.account(ending)
        if self.failed_to_load(run):
            return
        self.bad = ended_badly(ending)
        total, records = len(plan.calls), run.records[: len(plan.calls)]
        if self.bad is None and len(records) < total:
            self.bad = _UNANSWERED
        if not records:
            self.finish(*(self.bad or _UNANSWERED), total=total)
            return
        rule = next((n for n, f in comparators.VALUE_RULES.items() if f is (plan.compare or comparators.equal)), None)
        if rule is None:
            assert plan.compare is not None
            self.finish(*compare_here(plan.calls, records, plan.compare, self.bad), total=total)
            return
        items: list[bytes] = []
        try:
            for call, actual in zip(plan.calls, records, strict=False):
                items += [codec.dumps(call.expected), actual]
        except codec.Refused as refusal:
            self.finish(Outcome.INFRA_ERROR, f"the plan's expected values cannot cross: {refusal}")
            return
        self.start_oracle({"mode": "compare", "rule": rule}, items, on_exit=self._compared)

    def _compared(self, run: Run, ending: Ending) -> None:
        """The oracle has spoken, or failed to."""
        total = len(self.plan.calls)
        if run.final is None:
            self.finish(*examined_badly(ending))
            return
        outcome, detail, passed = json.loads(run.final)
        if outcome == "passed" and self.bad is not None:
            self.finish(*self.bad, int(passed), total)
        else:
            self.finish(Outcome(outcome), str(detail), int(passed), total)


class StdinSession(Session):
    """One process a case; the first failure decides."""

    case = 0

    @property
    def plan(self) -> StdinTests:
        """The job's plan."""
        assert isinstance(self.job.plan, StdinTests)
        return self.job.plan

    def start(self) -> None:
        """From the first case."""
        self.case = 0
        if self.plan.cases:
            self._next_case()
        else:
            self.finish(Outcome.INFRA_ERROR, "a plan without cases decides nothing")

    def _next_case(self) -> None:
        left = self.left()
        if left.cpu_seconds <= 0 or left.wall_seconds <= 0:
            outcome = Outcome.CPU_TIMEOUT if left.cpu_seconds <= 0 else Outcome.WALL_TIMEOUT
            self.finish(outcome, "one budget for all cases", self.case, len(self.plan.cases))
            return
        text = self.plan.cases[self.case][0].encode("utf-8", "surrogatepass")
        self.start_candidate(frames.PROGRAM, "", [text], capture=True, on_exit=self._case_over)

    def _case_over(self, run: Run, ending: Ending) -> None:
        """Compare text with text."""
        plan = self.plan
        self.account(ending)
        total = len(plan.cases)
        if run.final is not None and ending.how == "done":
            outcome, detail = interpret(run.final)
            if outcome is not Outcome.PASSED:
                self.finish(outcome, detail, self.case, total)
                return
        elif not (ending.how == "exited" and ending.code == 0):
            bad = ended_badly(ending)
            assert bad is not None
            self.finish(*bad, self.case, total)
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
            self._next_case()
