"""How the database itself is doing: size, connections, transactions, schema, room. Each look is cheap and bounded."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.db.migrate import MigrationError, missing

QUICK = "1s"
_FACTS = """
SELECT current_setting('server_version') AS version, pg_postmaster_start_time() AS since,
  (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections_most,
  (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
    AS waiting_for_locks,
  (SELECT count(*)::int FROM pg_stat_replication) AS standbys,
  (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_stat_replication) AS standby_lag_seconds
"""
_OLDEST = """
SELECT xact_start AS since, substring(application_name FROM '^[^/]*') AS by FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
  AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1
"""


def database(conn: Connection) -> dict[str, Any]:
    """What can be said of the database; None stands for what could not be found out.

    size: bytes; connections of connections_most; oldest_transaction: {"since", "by"}, None without one; schema:
    "current" or what is wrong with it; disk: {"free", "whole"} in bytes, only where the database lies on this machine.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        found: dict[str, Any] = cursor.execute(_FACTS.encode()).fetchone() or {}
        found["oldest_transaction"] = cursor.execute(_OLDEST.encode()).fetchone()
    try:
        lacks = missing(conn)
        found["schema"] = f"lacks {', '.join(lacks)}" if lacks else "current"
    except MigrationError as error:
        found["schema"] = str(error)
    return found | {"size": _size(conn), "disk": _disk(conn)}


def clock(conn: Connection) -> datetime:
    """The database's clock, which decides."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def _size(conn: Connection) -> int | None:
    try:
        with conn.transaction():
            conn.execute("SELECT set_config('statement_timeout', %s, true)", (QUICK,))
            row = conn.execute("SELECT pg_database_size(current_database())").fetchone()
            return int(row[0]) if row else None
    except psycopg.errors.QueryCanceled:  # it asks the file system for each file
        return None


def _disk(conn: Connection) -> dict[str, int] | None:
    try:
        with conn.transaction():
            row = conn.execute(
                "SELECT current_setting('data_directory'), coalesce(host(inet_server_addr()), '127.0.0.1')"
            ).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    if row is None or row[1] not in ("127.0.0.1", "::1") or not Path(row[0]).is_dir():
        return None
    try:
        found = shutil.disk_usage(row[0])
    except OSError:
        return None
    return {"free": found.free, "whole": found.total}
