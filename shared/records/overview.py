"""How the installation is doing, for the status page and `connect interfaces list`: a few cheap look-ups.

Credentials and settings of the sides are not among them.
"""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection

UNFINISHED = ("pending", "running", "waiting", "failed")


def interfaces(conn: Connection) -> list[dict[str, Any]]:
    """Every interface: its mode and that of each flow, when it was polled, and per side whether calls go through."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT i.slug, i.title, i.marketplace, i.erp, i.mode, i.from_date, i.poll_seconds, c.polled_at,"
            " c.ok_at AS polled_ok_at, c.code AS poll_code,"
            " (SELECT jsonb_object_agg(m.flow, m.mode) FROM flow_modes m WHERE m.interface = i.slug) AS flows,"
            " (SELECT coalesce(jsonb_object_agg(s.side, jsonb_build_object('breaker', s.breaker, 'code', s.code,"
            "   'retry_at', s.retry_at)), '{}') FROM side_states s WHERE s.interface = i.slug) AS sides"
            " FROM interfaces i LEFT JOIN cursors c ON c.interface = i.slug ORDER BY i.slug"
        ).fetchall()


def backlog(conn: Connection) -> list[dict[str, Any]]:
    """Unfinished records by flow, interface, stage and state, and since when the oldest is there. No tests."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT flow, interface, stage, state, count(*) AS count, min(received_at) AS oldest FROM records"
            " WHERE state = ANY(%s) AND NOT test GROUP BY flow, interface, stage, state"
            " ORDER BY flow, interface, stage, state",
            (list(UNFINISHED),),
        ).fetchall()


def services(conn: Connection) -> list[dict[str, Any]]:
    """The processes that are connected to the database now, by the name they gave: `importer`, `journal` …"""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT substring(application_name FROM '^connect-([a-z]+)') AS name, count(*) AS connections,"
            " min(backend_start) AS since FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name ~ '^connect-[a-z]' GROUP BY 1 ORDER BY 1"
        ).fetchall()


def rejections_open(conn: Connection) -> int:
    """How many rejections wait for somebody."""
    row = conn.execute("SELECT count(*) FROM rejections WHERE state = 'open'").fetchone()
    return int(row[0]) if row else 0
