"""Carries on erasures and look-ups of persons that nobody is at, and lets personal data go by its age.

Any number of Journals may do so: each slice holds its rows. Called by `__main__`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from services.journal.turns import Turns
from shared.db.connect import Connection
from shared.privacy.deed import forget_findings, next_deed
from shared.privacy.retention import Keep, retain
from shared.privacy.steps import Waiting, step

LOOK_SECONDS = 1.0
RETAIN_SECONDS = 60.0


class Keeping:
    """The loop."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        keep: Keep,
        waiting: Waiting,
        failpoint: Callable[[str], None],
    ) -> None:
        self._keep, self._waiting, self._failpoint = keep, waiting, failpoint
        self._next = 0.0
        self.run = Turns("privacy", connect, self.once, LOOK_SECONDS).run

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
