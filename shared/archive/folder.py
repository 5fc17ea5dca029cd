"""The archive's folder: a folder a month, in it a folder a part with one file a table and `manifest.json`.

    2024-10/part-000012-5f0c1a2b/{records,parts,shipments,payloads,transitions,attempts}.parquet, manifest.json

A part is written under a name with a dot before it, brought to the disk, and renamed as a whole: what has its name is
complete. The manifest says of each file its rows, bytes and SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FORMAT = 1
_BLOCK = 1 << 20


class ArchiveError(Exception):
    """The archive cannot do what was asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Name:
    """Which part it is. id: the first eight signs of its UUID."""

    month: date
    no: int
    id: str

    def within(self, root: Path) -> Path:
        """Its folder."""
        return root / f"{self.month:%Y-%m}" / f"part-{self.no:06}-{self.id}"

    def unfinished(self, root: Path) -> Path:
        """Where it is written."""
        whole = self.within(root)
        return whole.with_name(f".{whole.name}")


def begin(root: Path, name: Name) -> Path:
    """An empty folder to write a part into; what an earlier try left is removed. Nobody else may read it."""
    folder = name.unfinished(root)
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    return folder


def abandon(root: Path, name: Name) -> None:
    """Remove a part of which nothing was taken out of the database yet."""
    for folder in (name.unfinished(root), name.within(root)):
        if folder.exists():
            shutil.rmtree(folder)


def write_manifest(folder: Path, said: dict[str, Any]) -> str:
    """Write it, with bytes and SHA-256 of each file of `said["files"]`, and bring all to the disk; its own SHA-256."""
    for file in said["files"]:
        path = folder / file["file"]
        path.chmod(0o600)
        _to_disk(path)
        file["bytes"], file["sha256"] = path.stat().st_size, _hash(path)
    path = folder / MANIFEST
    path.write_text(json.dumps(said, indent=1, default=str) + "\n", encoding="utf-8")
    path.chmod(0o600)
    _to_disk(path)
    _to_disk(folder)
    return _hash(path)


def finish(root: Path, name: Name) -> Path:
    """Give the part its name; only a whole part has one."""
    whole = name.within(root)
    name.unfinished(root).rename(whole)
    for folder in (whole.parent, root):
        _to_disk(folder)
    return whole


def read_manifest(folder: Path, sha256: str | None = None) -> dict[str, Any]:
    """What a part says of itself. Raises ArchiveError where it is not what was written."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArchiveError(f"{folder} has no {MANIFEST}: is this the folder of the archive?") from None
    except ValueError:
        raise ArchiveError(f"{path} cannot be read: bring the part back from your copy of the archive.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ArchiveError(f"{path} is of another release: take the one that wrote it, or a later one.")
    if sha256 is not None and _hash(path) != sha256:
        raise ArchiveError(f"{path} is not the one that was written: bring the part back from your copy.")
    return found


def verify_files(folder: Path, said: dict[str, Any]) -> None:
    """Each file has the bytes that the manifest says. Raises ArchiveError that names the first that has not."""
    for file in said["files"]:
        path = folder / file["file"]
        if not path.is_file():
            raise ArchiveError(f"{path} is missing: bring the part back from your copy of the archive.")
        if path.stat().st_size != file["bytes"] or _hash(path) != file["sha256"]:
            raise ArchiveError(f"{path} is damaged: bring the part back from your copy of the archive.")


def folders(root: Path) -> Iterator[Path]:
    """Every part that lies there, the oldest month first."""
    for month in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        yield from sorted(path for path in month.iterdir() if path.name.startswith("part-"))


def _hash(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
