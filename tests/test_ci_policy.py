"""The suite's own rules: what a skip means in CI, and which tests share a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest

@pytest.mark.docker
def test_engine():
    pytest.skip("no engine answers")

@pytest.mark.docker
@pytest.mark.skipif(True, reason="no engine at all")
def test_decorated():
    raise AssertionError

@pytest.fixture
def engine():
    pytest.skip("no engine in the fixture")

@pytest.mark.docker
def test_fixture(engine):
    raise AssertionError

@pytest.mark.docker
@pytest.mark.xfail(reason="known", strict=True)
def test_expected_failure():
    raise AssertionError

def test_data():
    pytest.skip("no data here")

def test_passes():
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest((Path(__file__).parents[1] / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n    docker: x\n    ray: x\n")
    pytester.makepyfile(SUITE)
    return pytester


def test_skips_are_allowed_on_a_developers_machine(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    suite.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=1, skipped=4, xfailed=1)


def test_a_skip_for_want_of_an_engine_fails_in_ci(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = suite.runpytest_inprocess("-p", "no:xdist")
    # Skips in a fixture or a decorator happen before the test is called, so pytest counts them as errors.
    result.assert_outcomes(passed=1, skipped=1, xfailed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines(["*which CI does not allow: Skipped: no engine answers"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_tests_that_share_a_daemon_share_a_worker(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    names = [f"test_{i}" for i in range(6)]
    body = "\n".join(
        f"@pytest.mark.docker\ndef {n}(worker_id, record_testsuite_property):\n    print('WORKER', worker_id)"
        for n in names
    )
    suite.makepyfile(test_shared="import pytest\n" + body)
    result = suite.runpytest_subprocess("-n", "2", "--dist", "loadgroup", "-rP", "test_shared.py")
    result.assert_outcomes(passed=6)
    assert len({line for line in result.outlines if line.startswith("WORKER")}) == 1
