"""Keeps what metrics show of the database, while the Journal runs. Of several Journals one does."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import structlog

from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.metrics import Derived
from shared.rollup.rollup import Rollup, hold

EACH_SECONDS = 3.0
SHARE = 20.0
"""A round may take a twentieth of the time: after a long one the pause is longer."""

LOOK_SECONDS = 5.0
TROUBLE_SECONDS = 5.0


class Rolling:
    """The loop."""

    def __init__(self, derived: Derived, connect: Callable[[], Connection], failpoint: Callable[[str], None]) -> None:
        self._derived, self._connect, self._failpoint = derived, connect, failpoint
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping. Without a database nothing is shown: what is old would look like what is."""
        while not stopping():
            beat()
            try:
                with self._connect() as conn:
                    while not stopping() and not hold(conn):
                        beat()
                        pause(LOOK_SECONDS)
                    self._hold(conn, beat, stopping, pause)
            except GONE as error:
                self._log.warning("rollup.database-gone", error=error)
                pause(LOOK_SECONDS)
            except Planted:
                raise
            except (psycopg.Error, ValueError, KeyError) as error:
                self._log.error("rollup.unclassified", error=error, fingerprint=fingerprint(error), exc_info=True)
                pause(TROUBLE_SECONDS)
            finally:
                self._derived.hide()

    def _hold(
        self,
        conn: Connection,
        beat: Callable[[], None],
        stopping: Callable[[], bool],
        pause: Callable[[float], None],
    ) -> None:
        rollup = Rollup(self._failpoint)
        while not stopping():
            began = time.monotonic()
            self._derived.show(rollup.round(conn, beat))
            beat()
            if not rollup.behind:
                # Not past the watchdog of the loop.
                pause(min(30.0, max(EACH_SECONDS, SHARE * (time.monotonic() - began))))
