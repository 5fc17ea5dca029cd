"""The shared rate limit of one side of an interface: a bucket of calls in Postgres, for all processes together.

A process takes a handful at a time and spends them within a second, so that a call costs a statement only now and then.
"""

from __future__ import annotations

import threading
import time

from psycopg_pool import ConnectionPool

from shared.connectors.contract import Reason, RemoteError
from shared.db.connect import Connection

HANDFUL_SECONDS = 0.1  # worth of calls taken at once
KEEP_SECONDS = 1.0
MOST_WAIT_SECONDS = 15.0

_TAKE = """
WITH o AS (
  SELECT t.interface, t.side,
         least(greatest(s.calls_per_second, 1), t.tokens + s.calls_per_second
           * greatest(0, extract(epoch FROM clock_timestamp() - t.refilled_at))) AS have, s.calls_per_second AS rate
  FROM side_states t JOIN sides s USING (interface, side)
  WHERE t.interface = %s AND t.side = %s FOR UPDATE OF t),
g AS (SELECT o.*, least(floor(have), greatest(1, ceil(rate * %s))) AS granted FROM o)
UPDATE side_states t SET tokens = g.have - g.granted, refilled_at = clock_timestamp()
FROM g WHERE t.interface = g.interface AND t.side = g.side
RETURNING g.granted::int, ((1 - (g.have - g.granted)) / g.rate)::float8
"""


class Allowance:
    """Calls that this process may make to one side. Thread-safe."""

    def __init__(self, pool: ConnectionPool[Connection], interface: str, side: str) -> None:
        self._pool = pool
        self._place = (interface, side)
        self._lock = threading.Lock()
        self._calls = 0
        self._taken_at = 0.0

    def take(self, deadline: float = MOST_WAIT_SECONDS) -> None:
        """Take one call, waiting for it if need be. Raises RemoteError(RATE_LIMITED) when the deadline would pass."""
        end = time.monotonic() + deadline
        while True:
            wait = self._try()
            if wait is None:
                return
            if time.monotonic() + wait > end:
                raise RemoteError(Reason.RATE_LIMITED, "our own limit of calls is used up", retry_after=wait)
            time.sleep(min(wait, 1.0))

    def _try(self) -> float | None:
        with self._lock:
            now = time.monotonic()
            if self._calls > 0 and now - self._taken_at < KEEP_SECONDS:
                self._calls -= 1
                return None
            with self._pool.connection() as conn:
                row = conn.execute(_TAKE, (*self._place, HANDFUL_SECONDS)).fetchone()
            if row is None:
                raise RemoteError(Reason.UNREACHABLE, "the interface was removed")
            granted, wait = row
            if granted < 1:
                return float(max(wait, 0.01))
            self._calls, self._taken_at = granted - 1, now
            return None
