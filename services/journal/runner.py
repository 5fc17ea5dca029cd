"""Moves bulk runs on, step by step. Any number of Journals may do so: each step holds its run's row."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import structlog

from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.records.bulk_steps import move

LOOK_SECONDS = 0.25
TROUBLE_SECONDS = 5.0


class Runner:
    """The loop."""

    def __init__(self, connect: Callable[[], Connection], zone: ZoneInfo, failpoint: Callable[[str], None]) -> None:
        """zone: the installation's, of days in filters."""
        self._connect, self._zone, self._failpoint = connect, zone, failpoint
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping. What nobody foresaw is logged and tried again: nothing of the step has happened."""
        while not stopping():
            beat()
            try:
                with self._connect() as conn:
                    while not stopping():
                        beat()
                        if move(conn, self._zone, self._failpoint) is None:
                            pause(LOOK_SECONDS)
            except GONE as error:
                self._log.warning("runs.database-gone", error=error)
                pause(LOOK_SECONDS)
            except Planted:
                raise
            except Exception as error:
                self._log.error("runs.unclassified", error=error, fingerprint=fingerprint(error), exc_info=True)
                pause(TROUBLE_SECONDS)
