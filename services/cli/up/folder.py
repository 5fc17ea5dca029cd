"""The data folder of `connect up`: its lock, its secrets, and up.json, which says what runs and how to reach it.

Everything in it is for its owner only. Called by `run.py`.
"""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from services.cli.local.cluster import write_private


class FolderInUse(RuntimeError):
    """Another `connect up` works on this folder; the message says where it is reached."""


class DataFolder:
    """Paths below the data folder, and the right to use it."""

    def __init__(self, path: Path) -> None:
        """Make the folder if there is none. Raises OSError where that is not possible."""
        self.path = path.expanduser().resolve()
        # Passable, not readable: where root must start PostgreSQL as somebody else, that user has to get to its folder.
        self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.postgres = self.path / "postgres"
        self.rabbitmq = self.path / "rabbitmq"
        self.sandbox = self.path / "sandbox"
        self.logs = self.path / "logs"
        self.up = self.path / "up.json"
        self._lock: int | None = None

    def take(self) -> None:
        """Lock the folder for this process until it ends. Raises FolderInUse."""
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(lock, 100).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            where = self.read().get("journal")
            raise FolderInUse(
                f"Connect runs on {self.path} already"
                + (f": open {where}" if where else ", it is starting or stopping")
                + f" (process {holder}). Stop that one first, or set CONNECT_DATA_DIR to another folder."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock
        for private in (self.logs, self.sandbox):
            private.mkdir(exist_ok=True, mode=0o700)
        self.up.unlink(missing_ok=True)

    def kept_secret(self, name: str) -> tuple[str, bool]:
        """A random text that stays the same between runs, and whether it is new."""
        file = self.path / name
        try:
            if kept := file.read_text().strip():
                return kept, False
        except FileNotFoundError:
            pass
        self.keep(name, fresh := secrets.token_urlsafe(18))
        return fresh, True

    def kept(self, name: str) -> str | None:
        """What was kept under this name, or None."""
        try:
            return (self.path / name).read_text().strip() or None
        except FileNotFoundError:
            return None

    def keep(self, name: str, text: str) -> None:
        """Keep a small text between runs, for the owner's eyes only."""
        write_private(self.path / name, text)

    def read(self) -> dict[str, Any]:
        """What up.json says; empty when there is none."""
        try:
            return dict(json.loads(self.up.read_text()))
        except (OSError, ValueError):
            return {}

    def announce(self, content: dict[str, Any]) -> None:
        """Write up.json, all of it or nothing."""
        write_private(self.up, json.dumps(content) + "\n")
