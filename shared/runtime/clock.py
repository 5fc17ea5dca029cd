"""The database's clock, as seen from this process. It decides what is late, what is due and what is in the future."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from shared.db.connect import Connection

RESYNC_SECONDS = 60.0


class DatabaseClock:
    """Asks the database once a minute and goes on by the monotonic clock in between, which no clock change moves."""

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._monotonic = 0.0

    def now(self, conn: Connection) -> datetime:
        """The database's time now."""
        monotonic = time.monotonic()
        if self._at is None or monotonic - self._monotonic > RESYNC_SECONDS:
            row = conn.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            self._at, self._monotonic = row[0], time.monotonic()
            return self._at
        return self._at + timedelta(seconds=monotonic - self._monotonic)
