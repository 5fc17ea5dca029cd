"""Up to when everything is settled: no transaction that began before is still under way."""

from __future__ import annotations

from datetime import datetime

from shared.db.connect import Connection

LAG_SECONDS = 10.0
"""A session says when its transaction began a moment after it did."""

LONGEST_SECONDS = 60.0
"""Who has not written for so long after the beginning only reads: a dump does not hold up the roller."""

MOST_SECONDS = 900.0
"""Longer than any transaction of Connect: a session that somebody forgot does not hold it up for ever."""

# What a role may not see of another one's session is null; then the longest transaction is reckoned with.
_SETTLED = """
SELECT greatest(now() - make_interval(secs => %(most)s), least(
    now() - make_interval(secs => %(lag)s),
    min(xact_start) FILTER (WHERE backend_xid IS NOT NULL OR xact_start > now() - make_interval(secs => %(longest)s)),
    CASE WHEN bool_or(state IS NULL) THEN now() - make_interval(secs => %(longest)s) END))
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (backend_type IS NULL OR backend_type = 'client backend')
"""


def settled_until(conn: Connection, lag: float = LAG_SECONDS) -> datetime:
    """Rows that are dated by the beginning of their transaction are all there if they are older, or never will be.

    Must be asked in a statement before the one that reads the rows, with a snapshot of its own each.
    """
    row = conn.execute(_SETTLED, {"lag": lag, "longest": LONGEST_SECONDS, "most": MOST_SECONDS}).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at
