"""Build the worker image: from the pinned public base where a registry answers, else with ``debootstrap`` (root).

Both give Debian bookworm's Python and NumPy, so verdicts do not depend on which way was taken. The debootstrap archive
is kept under ``$XDG_CACHE_HOME/harness-sandbox`` (``~/.cache`` by default) and reused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxUnavailable

SUITE = "bookworm"
PACKAGES = ("python3", "python3-numpy")
REPOSITORY = "harness-sandbox"
_DROPPED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache/apt",
    "var/lib/apt/lists",
)


def recipe_digest() -> str:
    """Digest of what the image is made from; it is the image's tag."""
    dockerfile = (Path(__file__).parent / "Dockerfile").read_bytes()
    return hashlib.sha256(dockerfile + repr((SUITE, PACKAGES, _DROPPED)).encode()).hexdigest()[:12]


def image_name() -> str:
    """Name and tag of the worker image."""
    return f"{REPOSITORY}:{recipe_digest()}"


def cache_folder() -> Path:
    """Where archives are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / REPOSITORY


def ensure(client: Any, *, build: bool = True) -> str:
    """The name of the worker image, built first when the engine does not have it.

    Raises:
        SandboxUnavailable: when it cannot be built here, with both reasons.
    """
    import docker.errors  # type: ignore[import-untyped,unused-ignore]

    name = image_name()
    try:
        client.images.get(name)
        return name
    except docker.errors.ImageNotFound:
        if not build:
            raise SandboxUnavailable(f"the engine has no image {name}: `python -m sandbox.image` builds it") from None
    reasons = []
    archive = cache_folder() / f"{recipe_digest()}.tar"
    if not archive.exists():
        try:
            client.images.build(path=str(Path(__file__).parent), tag=name, rm=True, timeout=600)
            return name
        except (docker.errors.DockerException, OSError) as error:
            reasons.append(f"build from the public base: {str(error).splitlines()[0][:200]}")
        try:
            debootstrap(archive)
        except (SandboxUnavailable, OSError, subprocess.SubprocessError) as error:
            raise SandboxUnavailable("; ".join([*reasons, str(error)])) from error
    tag = recipe_digest()
    answer = client.api.import_image_from_file(
        str(archive), repository=REPOSITORY, tag=tag, changes=['CMD ["/usr/bin/python3"]']
    )
    # Podman 4.3 imports under the repository's name alone and leaves the tag out.
    client.api.tag(json.loads(answer.splitlines()[-1])["status"], REPOSITORY, tag)
    return name


def debootstrap(archive: Path) -> None:
    """Make a root file system and store it as a tar file.

    Raises:
        SandboxUnavailable: without root or without ``debootstrap``.
    """
    program = shutil.which("debootstrap", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None or os.geteuid() != 0:
        raise SandboxUnavailable("debootstrap needs root and the package of that name (`apt-get install debootstrap`)")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rootfs-", dir=archive.parent) as folder:
        root = Path(folder) / "root"
        command = [program, "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SandboxUnavailable(f"debootstrap failed: {(done.stdout + done.stderr).strip().splitlines()[-1:]}")
        for dropped in _DROPPED:
            shutil.rmtree(root / dropped, ignore_errors=True)
        partial = archive.with_suffix(".partial")
        with tarfile.open(partial, "w") as tar:
            tar.add(root, arcname=".", filter=_harmless)
        partial.replace(archive)


def _harmless(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """No device nodes, no set-uid or set-gid bits."""
    if member.isdev():
        return None
    member.mode &= 0o1777
    return member
