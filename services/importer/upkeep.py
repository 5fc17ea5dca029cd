"""Once in a while: months of transitions and weeks of exchanges made ahead, statistics of young tables."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from psycopg import sql
from psycopg.errors import LockNotAvailable

from shared.db.connect import GONE, Connection
from shared.records.exchanges import keep_weeks
from shared.records.go_live import make_late_ones_real

EACH_SECONDS = 15.0
MONTHS_AHEAD = 3

# A young table that nobody has analysed yet makes the planner take any index; autovacuum comes by minutes later.
_NOT_ANALYSED = (
    "SELECT relname FROM pg_class WHERE relname IN ('records', 'payloads', 'events', 'articles', 'blocks')"
    " AND relnamespace = 'public'::regnamespace AND reltuples < 0 AND pg_relation_size(oid) > 0"
)


class Upkeep:
    """The loop."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        while not stopping():
            beat()
            self.first()
            pause(EACH_SECONDS)

    def first(self) -> bool:
        """One round on a connection of its own; False when the database was away."""
        try:
            with self._connect() as conn:
                self.once(conn)
        except GONE as error:
            self._log.warning("upkeep.database-gone", error=error)
            return False
        return True

    def once(self, conn: Connection) -> None:
        """One round."""
        row = conn.execute("SELECT make_transition_months(%s)", (MONTHS_AHEAD,)).fetchone()
        if row and row[0]:
            self._log.info("upkeep.months-made", months=row[0])
        try:
            made, dropped = keep_weeks(conn)
        except LockNotAvailable:
            made, dropped = 0, 0  # settles are busy with it: the next round comes soon enough
        if made or dropped:
            self._log.info("upkeep.weeks", made=made, dropped=dropped)
        if late := make_late_ones_real(conn):
            self._log.info("upkeep.no-tests-any-more", count=late)
        for (table,) in conn.execute(_NOT_ANALYSED).fetchall():
            conn.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
