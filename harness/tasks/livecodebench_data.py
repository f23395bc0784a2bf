"""LiveCodeBench's rows: which files, which problems of them, and what a row must look like.

The published files hold 4.5 GB, most of it packed tests, so rows are read one at a time and only the place of a
problem's private tests is kept (:class:`Place`); they are unpacked when a program for the problem is graded. No code
of the data set is run: the loading script is not used and the pickles are not unpickled (:mod:`harness.tasks.packed`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput, MissingCapability
from harness.tasks.base import Problem
from harness.tasks.packed import unpack

REPOSITORY = "livecodebench/code_generation_lite"
REVISION = "0fe84c3912ea0c4d4a78037083943e8f0c4dd505"

FILES: dict[str, tuple[int, str]] = {
    "test.jsonl": (1252609773, "2bd02b38beb48e8c46b5b9987095d999ff38cd8efc255ea5d58974317c48f63f"),
    "test2.jsonl": (713377060, "095df7c5daf15f882c51a9deb84085cff1e073495a5dbcf95015a564d485f3a3"),
    "test3.jsonl": (623360766, "28ed26cc83363ce3f1fe2d5fad9f8393077beb1907b167a31bd3b32f80801b79"),
    "test4.jsonl": (1204644685, "d711138ddaebfcf5f8ec6a4283ee677298c0f5c5d374a235af92aaf0584510da"),
    "test5.jsonl": (557699297, "7f77571c2a6df0c2a72a3277650309f67e01e0008e18117e624633df53f81214"),
    "test6.jsonl": (134303240, "bb4c364f71921c4495a6ad15abe1a927350b720009f4933e2e71f8af0f6fd1f5"),
}
"""Bytes and SHA-256 of the six files of release 6 (1,055 problems) at :data:`REVISION`."""

FIELDS = (
    *("question_title", "question_content", "platform", "question_id", "contest_id", "contest_date", "starter_code"),
    *("difficulty", "public_test_cases", "private_test_cases", "metadata"),
)
PLATFORMS = ("atcoder", "codeforces", "leetcode")
DIFFICULTIES = ("easy", "medium", "hard")

Tests = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A named set of problems: those of ``files`` whose contest was in the months from ``first`` to ``last``.

    ``problems`` is the published number, which what is read from the Hub has to match. Empty months take every problem.
    """

    name: str
    files: tuple[str, ...]
    first: str
    last: str
    problems: int

    def takes(self, date: str) -> bool:
        """Whether a contest date (``2025-02-08…``) is in the window."""
        return not self.first or self.first <= date[:7] <= self.last


WINDOWS: dict[str, Window] = {
    "livecodebench_v5": Window("livecodebench_v5", tuple(FILES), "2024-08", "2025-02", 374),
    "livecodebench_v6": Window("livecodebench_v6", tuple(FILES), "2025-02", "2025-05", 131),
    "livecodebench_v6_delta": Window("livecodebench_v6_delta", ("test6.jsonl",), "", "", 175),
}
"""The SSD paper's two sets (arXiv:2604.01193, C.1), and the problems that release 6 added.

The paper names months for both of its sets, February 2025 for both. Release 6 has 454 problems from August 2024 on, so
374 + 131 - 454 = 51 problems would be in both: they are not independent of each other.
"""

ERRATA: dict[str, str] = {
    "abc311_c": "several right answers, one accepted",
    "abc326_d": "several right answers, one accepted",
    "abc327_b": "several right answers, one accepted",
    "abc333_e": "several right answers, one accepted",
    "abc343_e": "several right answers, one accepted",
    "abc362_c": "several right answers, one accepted",
    "find-words-containing-character": "several right answers, one accepted",
    "find-the-peaks": "several right answers, one accepted",
    "generate-binary-strings-without-adjacent-zeros": "several right answers, one accepted",
    "abc337_e": "interactive",
    "abc355_e": "interactive",
    "abc350_c": "wrong tests",
    "apply-operations-to-make-string-empty": "a test with an empty string, which the statement excludes",
    "most-frequent-ids": "a test outside the stated limits",
}
"""Problems that LiveCodeBench's own list of errata names, by id or by title, with the reason.

All of them are older than the three sets above, which their exclusion therefore leaves whole.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a problem's row is: a line of a file, and the digest of its private tests."""

    path: Path
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Row:
    """One problem with the place of its private tests."""

    problem: Problem
    place: Place


def rows_of(path: Path, window: Window, expected: tuple[int, str] | None = None) -> Iterator[Row]:
    """The problems of one ``.jsonl`` file that a window takes, in the file's order.

    Args:
        path: The file.
        window: Which of its problems.
        expected: Bytes and SHA-256 that the file must have.

    Raises:
        BadInput: naming the line, where the file is not in the data set's form; where it is not the file expected.
    """
    digest, offset = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if expected:
                    digest.update(line)
                if line.strip():
                    row = _row(path, number, line, window, offset)
                    if row is not None:
                        yield row
                offset += len(line)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    if expected and (offset, digest.hexdigest()) != expected:
        raise BadInput(f"{path}: not the file published at revision {REVISION[:8]} (its bytes differ)")


def private_tests(problem: Problem, place: Place) -> Tests:
    """A problem's private tests, unpacked from its row.

    Raises:
        BadInput: where the file has changed since the problems were read, or the tests are not in the form.
    """
    where = f"{place.path}, problem {problem.id}"
    try:
        with place.path.open("rb") as file:
            file.seek(place.offset)
            text = json.loads(file.read(place.length))["private_test_cases"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{where}: the file has changed since it was read") from error
    if _sha256(text) != place.sha256:
        raise BadInput(f"{where}: the file has changed since it was read")
    return _tests(unpack(text, f"{where}, private tests"), problem.tests["kind"], where)


def hub_file(name: str, task: str) -> Path:
    """One of :data:`FILES` at the pinned revision, downloaded where it is not in the Hub's cache yet.

    Args:
        name: The file.
        task: Who asks, for messages.

    Raises:
        MissingCapability: without ``huggingface_hub``, or where the Hub cannot be reached.
    """
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingCapability(
            f"task={task}: the huggingface_hub package is missing: `pip install huggingface_hub` mends it, "
            f"or name a file with task.{task}.path=…"
        ) from error
    try:
        return Path(hf_hub_download(REPOSITORY, name, repo_type="dataset", revision=REVISION, local_files_only=True))
    except (OSError, ValueError):
        pass
    try:
        return Path(hf_hub_download(REPOSITORY, name, repo_type="dataset", revision=REVISION))
    except (OSError, ValueError, RuntimeError) as error:
        raise MissingCapability(
            f"task={task}: {name} of {REPOSITORY} at {REVISION[:8]} cannot be had from the Hub "
            f"({type(error).__name__}); name a file or a folder with task.{task}.path=…"
        ) from error


def _row(path: Path, number: int, line: bytes, window: Window, offset: int) -> Row | None:
    at = f"{path}, line {number}"
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{at}: not JSON") from error
    if not isinstance(plain, dict):
        raise BadInput(f"{at}: a JSON object is wanted, not {type(plain).__name__}")
    for field in FIELDS:
        if not isinstance(plain.get(field), str):
            raise BadInput(f"{at}: {field} is missing or not a text (a problem has {', '.join(FIELDS)})")
    if not re.match(r"\d{4}-\d\d-\d\d", plain["contest_date"]):
        raise BadInput(f"{at}: contest_date {plain['contest_date']!r} is no date")
    if not window.takes(plain["contest_date"]):
        return None
    return Row(_problem(plain, at), Place(path, offset, len(line), _sha256(plain["private_test_cases"])))


def _problem(row: Mapping[str, str], at: str) -> Problem:
    for field, known in (("platform", PLATFORMS), ("difficulty", DIFFICULTIES)):
        if row[field] not in known:
            raise BadInput(f"{at}: {field} {row[field]!r} is none of {', '.join(known)}")
    try:
        function = json.loads(row["metadata"] or "{}").get("func_name") or ""
        public = json.loads(row["public_test_cases"])
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput(f"{at}: metadata or public_test_cases are no JSON") from error
    if not isinstance(function, str) or (function and not function.isidentifier()):
        raise BadInput(f"{at}: func_name {function!r} is no Python name")
    kind = "functional" if function else "stdin"
    tests = {
        "kind": kind,
        "public": [list(t) for t in _tests(public, kind, at)],
        "private": _sha256(row["private_test_cases"]),
    }
    meta = {"platform": row["platform"], "title": row["question_title"], "starter_code": row["starter_code"]}
    return Problem(
        id=row["question_id"],
        prompt=row["question_content"],
        entry_point=function,
        tests=tests,
        stratum=row["difficulty"],
        meta=tuple(meta.items()),
        date=row["contest_date"][:10],
    )


def _tests(plain: Any, kind: str, at: str) -> Tests:
    if not isinstance(plain, list):
        raise BadInput(f"{at}: tests are no list")
    found = []
    for number, test in enumerate(plain, 1):
        if not isinstance(test, dict) or not all(isinstance(test.get(f), str) for f in ("input", "output")):
            raise BadInput(f"{at}, test {number}: needs input and output, both texts")
        if test.get("testtype", kind) != kind:
            raise BadInput(f"{at}, test {number}: testtype {test['testtype']!r} in a problem of kind {kind}")
        found.append((test["input"], test["output"]))
    return tuple(found)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
