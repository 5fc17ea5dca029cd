"""The shared rate limit of one side of an interface: turns, handed out by a row in Postgres to all processes together.

Each call has its own turn, as far from the next one as the limit says. A process takes some turns ahead once its calls
come thick and fast, so that a call costs a statement only now and then. A turn that nobody used in time is lost: what
was not used is no credit, or whoever was idle would double the vendor's rate in the next second.

In any span of t seconds at most rate * (t + LATE_SECONDS) + 1 calls begin, whatever the processes do.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from shared.connectors.contract import Reason, RemoteError
from shared.db.connect import Connection

AHEAD_SECONDS = 0.1  # worth of turns taken at once, at most
LATE_SECONDS = 0.025  # after which a turn is lost
MOST_WAIT_SECONDS = 15.0

_TAKE = """
WITH o AS (
  SELECT t.interface, t.side, t.next_call_at AS next, clock_timestamp() AS now, s.calls_per_second AS rate
  FROM side_states t JOIN sides s USING (interface, side)
  WHERE t.interface = %(interface)s AND t.side = %(side)s FOR UPDATE OF t),
f AS (SELECT o.*, greatest(next, now) AS first FROM o),
u AS (
  UPDATE side_states t SET next_call_at = f.first + make_interval(secs => %(wanted)s / f.rate) FROM f
  WHERE t.interface = f.interface AND t.side = f.side AND f.first <= f.now + make_interval(secs => %(patience)s)
  RETURNING 1)
SELECT extract(epoch FROM first - now)::float8, 1 / rate, (SELECT count(*) FROM u) FROM f
"""


@dataclass(frozen=True, slots=True)
class Turns:
    """What the row gave. wait: seconds until the first one; apart: between two; granted: False where the first one lies
    beyond the patience, then none was taken."""

    wait: float
    apart: float
    granted: bool


Take = Callable[[int, float], Turns]
"""Takes so many turns for whoever waits at most so many seconds. Raises RemoteError."""


def shared_turns(pool: ConnectionPool[Connection], interface: str, side: str) -> Take:
    """The turns of one side, for all processes."""

    def take(wanted: int, patience: float) -> Turns:
        values = {"interface": interface, "side": side, "wanted": wanted, "patience": patience}
        with pool.connection() as conn:
            row = conn.execute(_TAKE, values).fetchone()
        if row is None:
            raise RemoteError(Reason.UNREACHABLE, "the interface was removed")
        wait, apart, granted = row
        return Turns(wait, apart, granted > 0)

    return take


class Allowance:
    """Calls that this process may make to one side. Thread-safe."""

    def __init__(
        self, take: Take, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._take, self._clock, self._sleep = take, clock, sleep
        self._lock = threading.Lock()
        self._turns: deque[float] = deque()
        self._used = 0  # of those that were taken from the row at once
        self._until = -math.inf  # the last of them
        self._apart = math.inf

    def take(self, patience: float = MOST_WAIT_SECONDS) -> None:
        """Return when the call may be made. Raises RemoteError(RATE_LIMITED) when its turn lies beyond the patience."""
        end, late = self._clock() + patience, LATE_SECONDS
        while True:
            turn = self._next(end)
            if (wait := turn - self._clock()) > 0:  # a sleep of nothing would give the processor away
                self._sleep(wait)
            if self._clock() <= turn + late:
                return
            # This thread woke up too late: others may have begun their calls since, and this one would be too much.
            # On a machine where that is the rule it has to get through all the same.
            late *= 2

    def _next(self, end: float) -> float:
        with self._lock:
            while self._turns and self._turns[0] + LATE_SECONDS < self._clock():
                self._turns.popleft()
            if not self._turns:
                self._more(end)
            self._used += 1
            return self._turns.popleft()

    def _more(self, end: float) -> None:
        """Take turns from the row: one after a pause, later twice as many as were used of the last ones."""
        now = self._clock()
        most = max(1, int(AHEAD_SECONDS / self._apart))
        wanted = min(max(1, 2 * self._used), most) if now <= self._until + AHEAD_SECONDS else 1
        given = self._take(wanted, max(0.0, end - now))
        now = self._clock()
        if not given.granted:
            wait = max(given.wait, 0.01)
            raise RemoteError(Reason.RATE_LIMITED, "our own limit of calls is used up", retry_after=wait)
        self._turns.extend(now + max(0.0, given.wait) + n * given.apart for n in range(wanted))
        self._used, self._until, self._apart = 0, self._turns[-1], given.apart
