"""How much a database holds, and how much it has written to its log: the difference of two looks is what a run cost."""

from __future__ import annotations

from benchmarks.driver import Failed
from shared.db.connect import Connection


def stored(conn: Connection) -> dict[str, int]:
    """Bytes in the database, and written to its log so far."""
    row = conn.execute(
        "SELECT pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
    ).fetchone()
    if row is None:
        raise Failed("the database says nothing")
    return {"database": row[0], "wal": row[1]}
