"""LiveCodeBench (Jain et al., arXiv:2403.07974): contest problems with dates, graded by input and output.

Three sets of problems (:data:`harness.tasks.livecodebench_data.WINDOWS`), two kinds: whole programs that read standard
input, and functions (usually of a class ``Solution``) that are called. What decides a verdict is a grading profile
(:mod:`harness.grade.profiles`); expected outputs stay on the grading side under each of them.

What this does not promise: that a set read from a file is the paper's. From the Hub, at a pinned revision, files are
checked by digest and sets by their published number of problems; for a file that the user names, the version says how
many problems it gave and a digest of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import BadInput, MissingCapability
from harness.grade import extract
from harness.grade import profiles as grading
from harness.grade.arguments import Unreadable
from harness.grade.environments import ENTRY
from harness.nearest import nearest
from harness.tasks import livecodebench_prompts as wording
from harness.tasks.base import AnswerField, Judgement, Problem, Program
from harness.tasks.livecodebench_data import (
    ERRATA,
    FILES,
    WINDOWS,
    Place,
    Row,
    Tests,
    Window,
    hub_file,
    private_tests,
    rows_of,
)
from harness.tasks.selection import content_digest
from sandbox.api import Call, Calls, Limits, Outcome, StdinTests

FORM_VERSION = 1
"""Raised when the reading of rows or of answers changes."""

OPTIONS: dict[str, tuple[str, ...]] = {
    "prompt": tuple(sorted(wording.PROMPTS)),
    "errata": ("exclude", "keep"),
}
DEFAULTS = {"prompt": "paper", "errata": "keep"}

LIMITS = Limits(cpu_seconds=6.0, wall_seconds=60.0, memory_bytes=1024 * 2**20, output_bytes=16 * 2**20, processes=16)
"""Committed limits; the profile sets the times. Printed answers of some problems are megabytes."""

REMEMBERED = 3
"""Problems whose tests are kept in memory, unpacked: samples of a problem are graded one after another."""


@dataclass(frozen=True, slots=True)
class LiveCodeBench:
    """One set of problems under one profile and prompt.

    ``Problem.tests`` has the kind, the public tests and the digest of the private ones, which ``places`` finds.
    """

    name: str
    items: tuple[Problem, ...]
    places: Mapping[str, Place]
    profile: grading.Profile
    prompt: str = "paper"
    version: str = ""
    prepared: dict[str, StdinTests | Calls | Unreadable] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.version:
            form = f"{FORM_VERSION}.{grading.VERSION}.{extract.VERSION}-{self.prompt}.{wording.VERSION}"
            digest = content_digest(self.items)[:12]
            object.__setattr__(self, "version", f"{form}-{len(self.items)}-{digest}")

    def problems(self) -> Sequence[Problem]:
        """The problems, in the order of the published files."""
        return self.items

    def messages(self, problem: Problem) -> list[dict[str, str]]:
        """The chat messages of the chosen wording."""
        return wording.PROMPTS[self.prompt](problem, dict(problem.meta)["starter_code"])

    def code(self, problem: Problem, answer: str, form: AnswerField) -> str:
        """The code of an answer by the profile's rule; completions and solutions are code as they stand."""
        if form != "response":
            return answer if answer.strip() else ""
        wanted = "Solution" if "class Solution" in dict(problem.meta)["starter_code"] else problem.entry_point
        return extract.extract_code(answer, wanted, self.profile.extraction)

    def judge(self, problem: Problem, answer: str, form: AnswerField) -> Judgement | None:
        """Settle what the profile's own reader of tests cannot read, which fails every program there.

        Raises:
            BadInput: where our own reader cannot, so that the tests are at fault.
        """
        plan = self._prepared(problem) if self.code(problem, answer, form) else None
        if not isinstance(plan, Unreadable):
            return None
        if self.profile.name == "strict":
            raise BadInput(f"{self.name}, problem {problem.id}: a test cannot be read: {plan}")
        return Judgement(Outcome.RUNTIME_ERROR, f"the {self.profile.name} grader cannot read a test: {plan}")

    def program(self, problem: Problem, answer: str, form: AnswerField) -> Program:
        """The code of an answer in the profile's surroundings."""
        code = self.code(problem, answer, form)
        if not code:
            return Program(None, "no code in the response" if answer.strip() else "empty response")
        if problem.tests["kind"] == "stdin":
            return Program(self.profile.environment.program(code))
        return Program(self.profile.environment.function(code, problem.entry_point))

    def plan(self, problem: Problem) -> StdinTests | Calls:
        """The tests that count under the profile, and its comparison.

        Raises:
            Unreadable: where the profile's reader cannot read them (:meth:`judge` settles answers before that).
        """
        plan = self._prepared(problem)
        if isinstance(plan, Unreadable):
            raise plan
        return plan

    def limits(self, problem: Problem) -> Limits:
        """The profile's time, for each test or once for the program."""
        plan = self.plan(problem)
        return self.profile.limits(len(plan.cases if isinstance(plan, StdinTests) else plan.calls), LIMITS)

    def tests(self, problem: Problem) -> Tests:
        """Inputs and outputs that count: public ones first, where they do.

        Raises:
            BadInput: where there is none, or the private ones cannot be unpacked.
        """
        found = private_tests(problem, self.places[problem.id])
        if self.profile.tests == "public+private":
            found = tuple((given, expected) for given, expected in problem.tests["public"]) + found
        if not found:
            raise BadInput(f"{self.name}, problem {problem.id}: no {self.profile.tests} tests")
        return found

    def _prepared(self, problem: Problem) -> StdinTests | Calls | Unreadable:
        if problem.id not in self.prepared:
            while len(self.prepared) >= REMEMBERED:
                self.prepared.pop(next(iter(self.prepared)))
            self.prepared[problem.id] = self._prepare(problem)
        return self.prepared[problem.id]

    def _prepare(self, problem: Problem) -> StdinTests | Calls | Unreadable:
        tests = self.tests(problem)
        if problem.tests["kind"] == "stdin":
            return StdinTests(tests, self.profile.text)
        read, expected = self.profile.arguments, self.profile.expected
        try:
            calls = tuple(Call(read(given), expected(wanted)) for given, wanted in tests)
        except Unreadable as error:
            return error
        return Calls(ENTRY, calls, self.profile.value)


def load_livecodebench(
    name: str, path: str = "", options: Sequence[tuple[str, str]] = (), profile: str = "strict"
) -> LiveCodeBench:
    """One of the three sets.

    Args:
        name: A key of :data:`harness.tasks.livecodebench_data.WINDOWS`.
        path: A ``.jsonl`` file in the data set's form, or a folder with ``test*.jsonl``; empty takes the Hub.
        options: ``prompt`` (``paper``, ``official``, ``release``) and ``errata`` (``keep``, ``exclude``).
        profile: A name of :data:`harness.grade.profiles.PROFILES`.

    Raises:
        BadInput: for an unknown option or profile, and for files that are not in the form.
        MissingCapability: without a path, where the Hub cannot be reached or the set has not its published size.
    """
    chosen = {**DEFAULTS, **checked_options(name, options)}
    window = WINDOWS[name]
    rows = _from_path(name, Path(path), window) if path else _from_hub(window)
    found: dict[str, Row] = {}
    for row in rows:
        if row.problem.id in found:
            raise BadInput(f"{row.place.path}: question_id {row.problem.id!r} occurs twice")
        if chosen["errata"] == "keep" or not erratum(row.problem):
            found[row.problem.id] = row
    if not found:
        raise BadInput(f"task={name}: no problem of {path} is in the months {window.first} to {window.last}")
    return LiveCodeBench(
        name,
        tuple(r.problem for r in found.values()),
        {r.problem.id: r.place for r in found.values()},
        grading.profile_named(profile),
        chosen["prompt"],
    )


def outline_livecodebench(name: str, options: Sequence[tuple[str, str]] = (), profile: str = "strict") -> LiveCodeBench:
    """One of the three sets as far as a plan needs it: as many problems as were published, with nothing in them.

    It needs neither the files nor a network, and nothing can be sampled or graded with it.
    """
    chosen = {**DEFAULTS, **checked_options(name, options)}
    items = tuple(Problem(f"{name}/{n}", "", "", {}) for n in range(1, WINDOWS[name].problems + 1))
    return LiveCodeBench(name, items, {}, grading.profile_named(profile), chosen["prompt"], f"outline-{len(items)}")


def erratum(problem: Problem) -> str:
    """Why LiveCodeBench's errata name a problem, by its id or its title; empty where they do not."""
    title = "-".join(dict(problem.meta)["title"].lower().split())
    return ERRATA.get(problem.id) or ERRATA.get(title, "")


def checked_options(name: str, options: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The options as a mapping.

    Raises:
        BadInput: with the nearest key or value.
    """
    for key, value in options:
        if key not in OPTIONS:
            raise BadInput(f"task.{name}.{key}={value}: no such option{nearest(key, OPTIONS)}")
        if value not in OPTIONS[key]:
            raise BadInput(f"task.{name}.{key}={value}: no such {key}{nearest(value, OPTIONS[key])}")
    return dict(options)


def _from_path(name: str, path: Path, window: Window) -> list[Row]:
    if not path.is_dir():
        return list(rows_of(path, window))
    files = [path / f for f in window.files if (path / f).is_file()]
    if not files:
        raise BadInput(f"task.{name}.path={path}: none of {', '.join(window.files)} in this folder")
    return [row for file in files for row in rows_of(file, window)]


def _from_hub(window: Window) -> list[Row]:
    """The set as published. Files are read newest first until it is complete, since older ones hold older problems."""
    by_file: dict[str, list[Row]] = {}
    for file in reversed(window.files):
        by_file[file] = list(rows_of(hub_file(file, window.name), window, FILES[file]))
        if sum(map(len, by_file.values())) >= window.problems:
            break
    rows = [row for file in window.files for row in by_file.get(file, ())]
    if len(rows) != window.problems:
        months = f"{window.first} to {window.last}" if window.first else "all months"
        raise MissingCapability(
            f"task={window.name}: {len(rows)} problems ({months}), but the published number is {window.problems}; "
            f"to take what is there, give the files' folder as task.{window.name}.path=…"
        )
    return rows
