"""Files of runs outside git, at any fsspec address, by digest.

Layout at the address::

    sha256/ab/ab12…          every file once, named by the SHA-256 of its bytes
    handovers/ID.json        a run that another machine is to go on with
    runs/RUN_ID.json         which files a record has, and which steps of the store were pushed with it
    steps/NAME/KEY.json      which files a step has

What this does not promise: that the address keeps anything. What it gives back is checked against the digests in the
record, so a changed file is refused, whoever changed it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.canonical import file_digest
from harness.errors import BadInput, CheckFailed, MissingCapability


@dataclass(slots=True)
class Remote:
    """An opened address. Counts what it moved and what was there already."""

    fs: Any
    root: str
    moved: int = 0
    present: int = 0

    @classmethod
    def open(cls, address: str) -> Remote:
        """Open a folder or an fsspec address.

        Raises:
            MissingCapability: if the package for its protocol is not installed.
            BadInput: if fsspec knows no such protocol.
        """
        from fsspec.core import url_to_fs

        try:
            fs, root = url_to_fs(address)
        except ImportError as error:
            raise MissingCapability(f"{address}: {error}") from error
        except ValueError as error:
            raise BadInput(f"{address}: {error}") from error
        return cls(fs, root.rstrip("/"))

    def put(self, path: Path) -> dict[str, Any]:
        """Store a file unless its digest is there; returns its entry for a listing."""
        digest = file_digest(path)
        entry = {"sha256": digest, "bytes": path.stat().st_size}
        target = self._blob(digest)
        if self.fs.exists(target) and self.fs.size(target) == entry["bytes"]:
            self.present += 1
            return entry
        self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        partial = f"{target}.{os.getpid()}.partial"
        self.fs.put_file(str(path), partial)
        self.fs.mv(partial, target)
        self.moved += 1
        return entry

    def get(self, entry: Mapping[str, Any], target: Path) -> None:
        """Bring a file unless it is here already.

        Raises:
            BadInput: if the address does not have it.
            CheckFailed: if what comes back has another digest; nothing is written then.
        """
        digest = str(entry["sha256"])
        if target.exists() and file_digest(target) == digest:
            self.present += 1
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
            partial = Path(scratch) / "file"
            try:
                self.fs.get_file(self._blob(digest), str(partial))
            except FileNotFoundError as error:
                raise BadInput(f"{self.root}: sha256 {digest[:16]}… ({target.name}) is not there") from error
            if file_digest(partial) != digest:
                raise CheckFailed(f"{self.root}: sha256 {digest[:16]}… ({target.name}) came back with other bytes")
            partial.replace(target)
        self.moved += 1

    def put_listing(self, name: str, listing: Mapping[str, Any]) -> None:
        target = f"{self.root}/{name}"
        self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        self.fs.pipe_file(target, json.dumps(listing, sort_keys=True, indent=1).encode())

    def listing(self, name: str) -> dict[str, Any] | None:
        """A listing, or ``None`` where there is none."""
        target = f"{self.root}/{name}"
        if not self.fs.exists(target):
            return None
        found: dict[str, Any] = json.loads(self.fs.cat_file(target))
        return found

    def run_ids(self, prefix: str) -> list[str]:
        """Run ids at the address that begin with ``prefix``."""
        return self.ids("runs", prefix)

    def ids(self, kind: str, prefix: str) -> list[str]:
        """Ids of the ``runs`` or ``handovers`` at the address that begin with ``prefix``."""
        folder = f"{self.root}/{kind}"
        names = [PurePosixPath(p).stem for p in self.fs.ls(folder, detail=False)] if self.fs.exists(folder) else []
        return sorted(n for n in names if n.startswith(prefix))

    def _blob(self, digest: str) -> str:
        return f"{self.root}/sha256/{digest[:2]}/{digest}"


def folder_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Finished files of a folder with their names inside it; parts, locks and partial files are passed over."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != "parts" and not any(p.startswith(".") for p in name.parts):
            yield name.as_posix(), path


def put_folder(remote: Remote, folder: Path, leave_out: Collection[str] = ()) -> dict[str, Any]:
    """Store every file of a folder but for those in the subfolders ``leave_out``; returns its listing."""
    wanted = ((name, path) for name, path in folder_files(folder) if name.split("/")[0] not in leave_out)
    return {name: remote.put(path) for name, path in wanted}


def get_folder(remote: Remote, files: Mapping[str, Any], folder: Path, last: str) -> None:
    """Bring every file of a listing, the file called ``last`` at the end: a folder with it is whole.

    Raises:
        CheckFailed: for a name that would leave the folder.
    """
    for name in sorted(files, key=lambda n: (n == last, n)):
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name:
            raise CheckFailed(f"{remote.root}: a listing names the file {name!r}, outside its folder")
        if name == last and (folder / name).exists():
            continue
        remote.get(files[name], folder / name)
