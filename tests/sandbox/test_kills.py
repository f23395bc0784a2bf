"""Workers, the Docker daemon and the harness killed in the middle: no verdict is lost, nothing stays behind.

What belongs to the process under test is told by its process ids, its owner tag and its engine's folder, because other
workers may be running on the same machine.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import sandbox
from harness.cli import main as harness
from harness.ledger.store import load_lines
from sandbox import CheckScript, Job, Limits
from sandbox.bubblewrap import _Process
from sandbox.cgroups import PREFIX
from sandbox.docker import _Container, connect
from sandbox.errors import SandboxUnavailable
from sandbox.image import build, engine
from sandbox.owner import LABEL, _here, is_dead, is_elsewhere, owner_tag
from sandbox.pool import PoolExecutor

DRIVER = Path(__file__).with_name("grading_process.py")
KILLS = 4
LIMITS = Limits(cpu_seconds=5.0, wall_seconds=100.0)
BUSY = "def f(x):\n    y = 0\n    for i in range(300_000):\n        y += i\n    return {}\n"
SCRIPT = CheckScript("def check(candidate):\n    assert candidate(1) == 1", "f")


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait, however long the machine takes within reason."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def groups_of(tag: str) -> list[Path]:
    """Control groups that a process made."""
    return [Path(top) / n for top, names, _ in os.walk("/sys/fs/cgroup") for n in names if n.startswith(PREFIX + tag)]


def containers_of(url: str, tag: str) -> list[str]:
    """Containers of a process, whatever their state."""
    client = connect(url)
    try:
        found = client.containers.list(all=True, filters={"label": f"{LABEL}={tag}"}, ignore_removed=True)
        return [c.id for c in found]
    finally:
        client.close()


def tag_of(process: psutil.Process) -> str:
    """The owner tag of another process of this machine."""
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{_here()}-{process.pid}-{ticks}"


def roots_of(url: str, identities: set[str]) -> set[str]:
    """Where the engine mounts these containers' file systems."""
    client = connect(url)
    try:
        drivers = [client.api.inspect_container(i)["GraphDriver"] for i in identities]
        return {str(d["Data"]["MergedDir"]) for d in drivers if d["Data"]}
    finally:
        client.close()


def mounted() -> set[str]:
    """Where something is mounted, here."""
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def crash(handle: object) -> None:
    """End a worker behind the executor's back."""
    if isinstance(handle, _Container):
        handle.client.api.kill(handle.identity)
    else:
        assert isinstance(handle, _Process)
        signal.pidfd_send_signal(handle.inside, signal.SIGKILL)


def test_workers_killed_again_and_again_lose_no_verdict_and_leave_nothing(executor_settings: dict[str, Any]) -> None:
    docker = executor_settings["kind"] == "docker"
    url = executor_settings.get("docker_host", "")
    seen: dict[str, bool] = {}
    family: set[psutil.Process] = set()
    killed: list[object] = []
    # The session's own executors may be open beside; what they have does not count.
    others = set(containers_of(url, owner_tag())) if docker else set()
    groups, roots = set(groups_of(owner_tag())), set()
    with sandbox.open_executor(workers=2, **executor_settings) as executor:
        assert isinstance(executor, PoolExecutor)

        def jobs() -> Iterator[Job]:
            """Go on until four workers were killed; three scripts, so that oracles change."""
            for i in itertools.count():
                if len(killed) == KILLS and i >= 60:
                    return
                if len(killed) < KILLS and i % 15 == 14:
                    busy = [w for w in executor.workers if w.runs and w.channel.handle not in killed]
                    wanted = "oracle" if len(killed) % 2 else "candidate"
                    for worker in sorted(busy, key=lambda w: w.role != wanted)[:1]:
                        handle = worker.channel.handle
                        if isinstance(handle, _Process):
                            process = psutil.Process(handle.process.pid)
                            family.update((process, *process.children(recursive=True)))
                        crash(handle)
                        killed.append(handle)
                script = dataclasses.replace(SCRIPT, context=f"# {i % 3}")
                yield Job(str(i), BUSY.format("1" if i % 4 else "2"), script, LIMITS)

        for report in executor.run(jobs()):
            seen[report.key] = report.passed
        assert executor.replaced == KILLS
        if docker:
            ours = set(containers_of(url, owner_tag())) - others
            roots = roots_of(url, ours)
            assert ours
            assert roots <= mounted()
    assert seen == {str(i): bool(i % 4) for i in range(len(seen))}
    assert psutil.wait_procs(family, timeout=30)[1] == []
    assert set(groups_of(owner_tag())) == groups
    if docker:
        assert wait_until(lambda: set(containers_of(url, owner_tag())) <= others)
        assert wait_until(lambda: not roots & mounted())


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


class Grading:
    """The driver's process, in a folder."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.kind = settings["kind"]
        self.environment = dict(os.environ)
        self.url = settings.get("docker_host", "")
        if self.url:
            self.environment["DOCKER_HOST"] = self.url

    def start(self) -> psutil.Popen:
        """Begin, or go on."""
        command = [sys.executable, str(DRIVER), str(self.folder), self.kind]
        return psutil.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def finish(self) -> list[dict[str, Any]]:
        """Go on to the end; the verdicts, without the seconds."""
        process = self.start()
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err.decode()
        rows = load_lines((Path(out.decode()) / "verdicts.jsonl").read_bytes())
        return [{k: v for k, v in row.items() if k != "cpu_seconds"} for row in rows]

    def parts(self) -> dict[str, tuple[int, int]]:
        """Finished parts, and what would change if one was written again."""
        return {
            p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in self.folder.glob("store/verdicts/*/parts/*.jsonl")
        }

    def until_middle(self) -> tuple[psutil.Popen, list[psutil.Process], str]:
        """Start and wait until two parts are finished: the process, all it started, its tag."""
        process = self.start()
        ready = wait_until(lambda: len(self.parts()) >= 2 or process.poll() is not None, 200)
        assert ready
        assert process.poll() is None, process.stderr.read().decode()  # type: ignore[union-attr]
        return process, process.children(recursive=True), tag_of(process)


@pytest.fixture(scope="module")
def uninterrupted(executor_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return Grading(tmp_path_factory.mktemp("whole"), executor_settings).finish()


@pytest.mark.slow
def test_a_killed_harness_loses_no_verdict_and_leaves_nothing(
    executor_settings: dict[str, Any],
    uninterrupted: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    grading = Grading(tmp_path, executor_settings)
    process, family, tag = grading.until_middle()
    if grading.kind == "docker":
        assert containers_of(grading.url, tag)
    process.kill()
    process.wait()
    done = grading.parts()
    assert 2 <= len(done) < 8
    monkeypatch.setenv("DOCKER_HOST", grading.url)
    assert harness(["doctor", "--clean", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left"] == []
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert groups_of(tag) == []
    if grading.kind == "docker":
        assert containers_of(grading.url, tag) == []
    assert [p for p in Path("/tmp").glob(f"*{process.pid}*") if p.is_dir()] == []
    assert grading.finish() == uninterrupted
    assert {k: v for k, v in grading.parts().items() if k in done} == done
    assert {r["outcome"] for r in uninterrupted} >= {"passed", "runtime_error"}


@pytest.fixture
def own_engine() -> Iterator[engine.PrivateEngine]:
    """A daemon that this test may kill."""
    reason = engine.can_start()
    if reason:
        pytest.skip(reason)
    with engine.PrivateEngine() as private:
        try:
            build.ensure(connect(private.url))
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        yield private


@pytest.mark.slow
@pytest.mark.docker
def test_a_killed_daemon_loses_no_verdict_and_leaves_nothing(own_engine: engine.PrivateEngine, tmp_path: Path) -> None:
    settings = {"kind": "docker", "docker_host": own_engine.url}
    grading = Grading(tmp_path, settings)
    process, family, tag = grading.until_middle()
    own_engine.kill()
    _, err = process.communicate(timeout=200)
    done = grading.parts()
    assert process.returncode == 3, err.decode()
    assert err.decode().count("\n") <= 2, err.decode()
    assert "docker" in err.decode()
    own_engine.start()
    assert own_engine.process is not None
    sandbox_clean(own_engine.url)
    assert containers_of(own_engine.url, tag) == []
    verdicts = grading.finish()
    assert [r["outcome"] for r in verdicts if r["outcome"] == "infra_error"] == []
    assert {k: v for k, v in grading.parts().items() if k in done} == done
    whole = Grading(tmp_path / "whole", settings).finish()
    assert verdicts == whole
    folder = own_engine.folder
    own_engine.stop()
    assert not folder.exists()
    assert [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line] == []
    assert [p.pid for p in psutil.process_iter() if any(str(folder) in w for w in _words(p))] == []
    assert psutil.wait_procs(family, timeout=30)[1] == []


def sandbox_clean(url: str) -> None:
    """Everything found could be removed."""
    from sandbox.cleanup import clean

    assert [f for f in clean(url) if not f.removed] == []


@pytest.mark.slow
@pytest.mark.docker
def test_an_engine_whose_owner_was_killed_is_removed(capsys: pytest.CaptureFixture[str]) -> None:
    reason = engine.can_start()
    if reason:
        pytest.skip(reason)
    code = (
        "import time\nfrom sandbox.image.engine import PrivateEngine\n"
        "e = PrivateEngine()\ne.start()\nprint(e.folder, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        sandbox_clean(f"unix://{folder}/docker.sock")
        assert folder.exists(), "the engine of a living owner stays"
        owner.send_signal(signal.SIGKILL)
    assert harness(["doctor", "--clean", "--json"]) == 0
    assert f"private engine {folder}" in json.loads(capsys.readouterr().out)["removed"]
    assert not folder.exists()
    assert [p.pid for p in psutil.process_iter() if any(str(folder) in w for w in _words(p))] == []


def test_two_executors_of_one_process_have_limits_of_their_own() -> None:
    try:
        with sandbox.open_executor("bubblewrap", 1) as a, sandbox.open_executor("bubblewrap", 1) as b:
            caps = {e.describe()["memory_cap"] for e in (a, b)}
            groups = groups_of(owner_tag())
            assert len(caps) == 1
            assert len(groups) == len(set(groups)) >= (4 if "worker" in caps and groups else 0)
    except SandboxUnavailable as error:
        pytest.skip(str(error))


def test_an_owner_is_dead_only_where_that_can_be_known() -> None:
    mine = owner_tag()
    boot, namespace, pid, started = mine.split("-")
    assert not is_dead(mine)
    assert not is_elsewhere(mine)
    assert is_dead(f"{boot}-{namespace}-{pid}-1")  # the pid was given to another process since
    assert is_dead(f"{boot}-{namespace}-4194999-{started}")
    for elsewhere in (f"00000000-{namespace}-{pid}-1", f"{boot}-1-{pid}-1"):
        assert not is_dead(elsewhere)
        assert is_elsewhere(elsewhere)
    for malformed in ("", "x", "a-b", f"{boot}-{namespace}-pid-1"):
        assert not is_dead(malformed)


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tag = tag_of(psutil.Process(child.pid))
    assert not is_dead(tag)
    child.kill()
    assert wait_until(lambda: is_dead(tag))  # nobody has waited for it yet
    child.wait()
    assert is_dead(tag)


@pytest.mark.docker
def test_containers_of_living_and_of_distant_owners_stay(docker_host: str) -> None:
    from sandbox.cleanup import clean

    client = connect(docker_host)
    sleep = ["/usr/bin/python3", "-c", "import time; time.sleep(300)"]
    distant = f"00000000-1-{os.getpid()}-1"
    made = {}
    try:
        for name, tag in {"living": owner_tag(), "distant": distant, "dead": owner_tag()[:-1] + "x"}.items():
            made[name] = client.containers.run(
                build.image_name(), sleep, detach=True, network_mode="none", labels={LABEL: tag}
            )
        made["ended"] = client.containers.create(
            build.image_name(), sleep, network_mode="none", labels={LABEL: distant}
        )
        removed = {f.what for f in clean(docker_host) if f.removed}
        assert removed == {f"container {made[n].short_id}" for n in ("dead", "ended")}
    finally:
        for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
            if container.id in {c.id for c in made.values()}:
                container.remove(force=True)
        client.close()
