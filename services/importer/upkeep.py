"""Once in a while: gauges from the database, and the months of transitions made ahead."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from psycopg import sql
from psycopg.errors import LockNotAvailable

from shared.db.connect import GONE, Connection
from shared.metrics import Metrics
from shared.records.exchanges import keep_weeks
from shared.records.go_live import make_late_ones_real
from shared.records.hints import waiting_hints

EACH_SECONDS = 15.0
MONTHS_AHEAD = 3

# A part of an export has its own state; while its record is on its way, that one.
_RECORDS = """
SELECT flow, interface, stage, state, count(*) FROM records
WHERE NOT test AND flow <> 'order-export' GROUP BY 1, 2, 3, 4
UNION ALL
SELECT 'order-export', interface, part, 'never', count FROM (VALUES ('status'), ('tracking')) AS v(part),
  (SELECT interface, count(*) FROM records
   WHERE NOT test AND flow = 'order-export' AND state = 'never' GROUP BY 1) AS grey
UNION ALL
SELECT 'order-export', r.interface, v.part,
       CASE WHEN r.state IN ('pending', 'running') THEN r.state ELSE coalesce(p.state, 'never') END, count(*)
FROM records r CROSS JOIN (VALUES ('status'), ('tracking')) AS v(part)
     LEFT JOIN parts p ON p.record_id = r.id AND p.part = v.part
WHERE NOT r.test AND r.flow = 'order-export' AND r.state <> 'never' GROUP BY 2, 3, 4
"""
_OLDEST = (
    "SELECT flow, interface, extract(epoch FROM min(input_at))::float8 FROM records"
    " WHERE due_at IS NOT NULL AND NOT test AND code IS DISTINCT FROM 'announced' GROUP BY 1, 2"
)
# A young table that nobody has analysed yet makes the planner take any index; autovacuum comes by minutes later.
_NOT_ANALYSED = (
    "SELECT relname FROM pg_class WHERE relname IN ('records', 'payloads', 'events', 'articles', 'blocks')"
    " AND relnamespace = 'public'::regnamespace AND reltuples < 0 AND pg_relation_size(oid) > 0"
)
_POLLS = "SELECT interface, extract(epoch FROM ok_at)::float8 FROM cursors WHERE ok_at IS NOT NULL"


class Upkeep:
    """The loop."""

    def __init__(self, metrics: Metrics, connect: Callable[[], Connection]) -> None:
        self._metrics = metrics
        self._connect = connect
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        while not stopping():
            beat()
            try:
                with self._connect() as conn:
                    self.once(conn)
            except GONE as error:
                self._log.warning("upkeep.database-gone", error=error)
            pause(EACH_SECONDS)

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
        m = self._metrics
        m.records.clear()
        for flow, interface, stage, state, count in conn.execute(_RECORDS):
            m.records.labels(flow, interface, stage, state).inc(count)
        m.oldest.clear()
        for flow, interface, oldest in conn.execute(_OLDEST):
            m.oldest.labels(flow, interface).set(oldest)
        m.hints.clear()
        for interface, kind, count in waiting_hints(conn):
            m.hints.labels(interface, kind).set(count)
        for interface, at in conn.execute(_POLLS):
            m.last_poll.labels(interface).set(at)
