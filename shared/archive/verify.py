"""Reads a part back: its manifest, the bytes of its files, and how many rows and slices they really have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared.archive import folder
from shared.archive.parquet import Reader
from shared.archive.tables import TABLES


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read back. files: by table."""

    manifest: dict[str, Any]
    files: dict[str, Reader]

    @property
    def slices(self) -> int:
        """How many slices of orders it has."""
        return int(self.manifest["slices"])

    def ids(self, no: int) -> list[int]:
        """The records of one slice."""
        at = [column.name for column in self.files["records"].columns].index("id")
        return [row[at] for row in self.files["records"].slice(no)]


@contextmanager
def verified(at: Path, sha256: str | None = None) -> Iterator[Verified]:
    """The part in this folder, once all of it was found as it was written. sha256: of its manifest, where it is known.

    Raises ArchiveError that names the first thing that is not.
    """
    said = folder.read_manifest(at, sha256)
    if {file["table"] for file in said["files"]} != {table.name for table in TABLES}:
        raise folder.ArchiveError(
            f"{at} has files of other tables than this release knows: take the one that wrote it."
        )
    folder.verify_files(at, said)
    files: dict[str, Reader] = {}
    try:
        for file in said["files"]:
            try:
                reader = files[file["table"]] = Reader(at / file["file"])
            except pa.ArrowInvalid:
                raise folder.ArchiveError(f"{at / file['file']} cannot be read as Parquet.") from None
            if reader.rows != file["rows"] or reader.slices != said["slices"]:
                raise folder.ArchiveError(f"{at / file['file']} has other rows than its manifest says.")
        yield Verified(said, files)
    finally:
        for reader in files.values():
            reader.close()
