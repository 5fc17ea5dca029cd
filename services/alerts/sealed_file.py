"""A small file that holds what must be known without the database: sealed, since it names people, and never half.

Written beside, brought to the disk, then put in place: after a kill or a power cut there is the old one or the new one.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import structlog

from shared.seal import Seal, SealError


class SealedFile:
    """One file. What it holds is a JSON value."""

    def __init__(self, path: Path, seal: Seal) -> None:
        self._path, self._seal = path, seal

    def read(self) -> Any | None:
        """What it holds; None where there is none, or one that cannot be opened (another key, a damaged disk)."""
        try:
            return json.loads(self._seal.open(self._place, b64decode(self._path.read_bytes())))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, SealError) as error:
            structlog.get_logger().warning("outage.file-unreadable", error=error)
            return None

    def write(self, value: Any) -> None:
        """Replace what it holds. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(b64encode(self._seal.seal(self._place, json.dumps(value))))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        self._sync_folder()

    def remove(self) -> None:
        """There is none any more."""
        self._path.unlink(missing_ok=True)
        self._sync_folder()

    @property
    def _place(self) -> str:
        return f"alerts/{self._path.name}"

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
