"""How the installation is doing, for the status page and `connect interfaces list`: a few cheap look-ups.

Credentials and settings of the sides are not among them; of a token only how long it holds.
"""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection

POLL_AGAIN_SECONDS = 30.0
"""After a poll that did not go through, unless the interface is polled more often anyway."""

_INTERFACES = """
SELECT i.slug, i.title, i.marketplace, i.erp, i.mode, i.from_date, i.poll_seconds, c.polled_at,
  c.ok_at AS polled_ok_at, c.code AS poll_code,
  CASE WHEN (SELECT m.mode FROM flow_modes m WHERE (m.interface, m.flow) = (i.slug, 'order-import')) = 'live'
       THEN coalesce(c.polled_at + make_interval(secs => CASE WHEN c.code IS NULL THEN i.poll_seconds
                                                              ELSE least(i.poll_seconds, %s) END), now())
  END AS next_poll_at,
  (SELECT jsonb_object_agg(m.flow, m.mode) FROM flow_modes m WHERE m.interface = i.slug) AS flows,
  (SELECT coalesce(jsonb_object_agg(s.side, jsonb_build_object('breaker', s.breaker, 'code', s.code,
     'retry_at', s.retry_at)), '{}') FROM side_states s WHERE s.interface = i.slug) AS sides
FROM interfaces i LEFT JOIN cursors c ON c.interface = i.slug ORDER BY i.slug
"""
_SERVICES = """
SELECT m[1] AS name, count(*) AS connections, min(backend_start) AS since, max(state_change) AS progress,
       coalesce(array_agg(DISTINCT m[2]) FILTER (WHERE m[2] IS NOT NULL), '{}') AS versions
FROM pg_stat_activity, regexp_match(application_name, '^connect-([a-z]+)[^/]*(?:/(.+))?$') m
WHERE datname = current_database() AND m IS NOT NULL GROUP BY 1 ORDER BY 1
"""


def interfaces(conn: Connection) -> list[dict[str, Any]]:
    """Every interface: its mode and that of each flow, its polls, and per side whether calls go through.

    next_poll_at: when the next one is due, in the past where it is late; None while orders are not live.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_INTERFACES.encode(), (POLL_AGAIN_SECONDS,)).fetchall()


def tokens(conn: Connection) -> dict[tuple[str, str], dict[str, Any]]:
    """(interface, side) → {"expires_at", "renewing"} of the access token that ends first, of sides that fetch some.

    expires_at is None where the last one was refused or none was fetched yet. Connect renews them by itself.
    """
    rows = conn.execute(
        "SELECT interface, side, min(expires_at), bool_or(renewing_until > now()) IS TRUE FROM remote_tokens"
        " GROUP BY 1, 2"
    ).fetchall()
    return {(slug, side): {"expires_at": at, "renewing": renewing} for slug, side, at, renewing in rows}


def services(conn: Connection) -> list[dict[str, Any]]:
    """The processes that are connected to the database now, by the name they gave: `importer`, `journal` …

    progress: when one of them last asked something; versions: of those that say theirs.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SERVICES.encode()).fetchall()


def rejections_open(conn: Connection) -> int:
    """How many rejections wait for somebody."""
    row = conn.execute("SELECT count(*) FROM rejections WHERE state = 'open'").fetchone()
    return int(row[0]) if row else 0
