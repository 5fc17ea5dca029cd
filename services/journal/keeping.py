"""Carries on erasures and look-ups of persons that nobody is at, and lets personal data go by its age.

Any number of Journals may do so: each slice holds its rows. Called by `__main__`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.privacy.deed import forget_findings, next_deed
from shared.privacy.retention import Keep, retain
from shared.privacy.steps import Waiting, step

LOOK_SECONDS = 1.0
RETAIN_SECONDS = 60.0
TROUBLE_SECONDS = 5.0


class Keeping:
    """The loop."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        keep: Keep,
        waiting: Waiting,
        failpoint: Callable[[str], None],
    ) -> None:
        self._connect, self._keep, self._waiting, self._failpoint = connect, keep, waiting, failpoint
        self._log = structlog.get_logger()
        self._next = 0.0

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping. What nobody foresaw is logged and tried again: nothing of the slice has happened."""
        while not stopping():
            beat()
            try:
                with self._connect() as conn:
                    while not stopping():
                        beat()
                        if not self.once(conn):
                            pause(LOOK_SECONDS)
            except GONE as error:
                self._log.warning("privacy.database-gone", error=error)
                pause(LOOK_SECONDS)
            except Planted:
                raise
            except Exception as error:
                self._log.error("privacy.unclassified", error=error, fingerprint=fingerprint(error), exc_info=True)
                pause(TROUBLE_SECONDS)

    def once(self, conn: Connection) -> bool:
        """One slice; whether there is more to do at once."""
        deed = next_deed(conn)
        if deed is not None and step(conn, deed, self._waiting, self._failpoint) is not False:
            return True
        if time.monotonic() < self._next:
            return False
        if retain(conn, self._keep, self._failpoint) or forget_findings(conn):
            return True
        self._next = time.monotonic() + RETAIN_SECONDS
        return False
