"""Moves bulk runs on, step by step. Any number of Journals may do so: each step holds its run's row."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from services.journal.turns import Turns
from shared.db.connect import Connection
from shared.records.bulk_steps import move

LOOK_SECONDS = 0.25


class Runner:
    """The loop."""

    def __init__(self, connect: Callable[[], Connection], zone: ZoneInfo, failpoint: Callable[[str], None]) -> None:
        """zone: the installation's, of days in filters."""
        self._zone, self._failpoint = zone, failpoint
        self.run = Turns("runs", connect, self._once, LOOK_SECONDS).run

    def _once(self, conn: Connection) -> bool:
        return move(conn, self._zone, self._failpoint) is not None
