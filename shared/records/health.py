"""How each flow of each interface is doing, for the status page: look-ups by index, however many records there are.

No tests among them. Counts are exact to COUNTED_TO, then "at least".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared.db.connect import Connection

COUNTED_TO = 10_000
FLOWS = ("order-import", "order-export", "stock")
WAITING = ("pending", "running", "waiting")
_FLOWS = """
SELECT i.slug AS interface, f.flow,
       (SELECT max(t.at) FROM unnest(ARRAY['done', 'warning']) s(state), LATERAL (
          SELECT r.updated_at AS at FROM records r
          WHERE (r.flow, r.interface, r.state) = (f.flow, i.slug, s.state) AND NOT r.test
          ORDER BY r.updated_at DESC, r.id DESC LIMIT 1) t) AS last_success,
       (SELECT count(*) FROM (SELECT FROM records r WHERE r.flow = f.flow AND r.interface = i.slug
          AND r.state = ANY(%(waiting)s::text[]) AND NOT r.test LIMIT %(most)s) n) AS backlog,
       (SELECT count(*) FROM (SELECT FROM records r WHERE r.flow = f.flow AND r.interface = i.slug
          AND r.state = 'waiting' AND NOT r.test LIMIT %(most)s) n) AS waiting,
       (SELECT count(*) FROM (SELECT FROM records r WHERE r.flow = f.flow AND r.interface = i.slug
          AND r.state = 'failed' AND NOT r.test LIMIT %(most)s) n) AS failed,
       (SELECT min(t.at) FROM unnest(%(waiting)s::text[]) s(state), LATERAL (
          SELECT r.updated_at AS at FROM records r
          WHERE (r.flow, r.interface, r.state) = (f.flow, i.slug, s.state) AND NOT r.test
          ORDER BY r.updated_at, r.id LIMIT 1) t) AS oldest
FROM interfaces i, unnest(%(flows)s::text[]) f(flow) ORDER BY i.slug, array_position(%(flows)s::text[], f.flow)
"""
_HOURS = """
SELECT interface, event, date_trunc('hour', received_at) AS hour, sum(inputs)::int AS inputs FROM arrivals
WHERE received_at > date_trunc('hour', now()) - interval '23 hours' GROUP BY 1, 2, 3
"""
_EVENT = {"order-imported": "order-import", "order-changed": "order-export", "stock-changed": "stock"}
QUICK = "1s"


def flows(conn: Connection) -> list[dict[str, Any]]:
    """Per interface and flow: last success, backlog, waiting, failed, and since when the oldest of it stands so."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            _FLOWS.encode(), {"flows": list(FLOWS), "waiting": list(WAITING), "most": COUNTED_TO + 1}
        ).fetchall()


def arrivals_by_hour(conn: Connection, now: datetime) -> Mapping[tuple[str, str], Sequence[int]] | None:
    """Inputs of the last 24 hours by (interface, flow), the oldest hour first; None where that takes too long."""
    try:
        with conn.transaction():
            conn.execute("SELECT set_config('statement_timeout', %s, true)", (QUICK,))
            rows = conn.execute(_HOURS.encode()).fetchall()
    except psycopg.errors.QueryCanceled:
        return None
    this = now.replace(minute=0, second=0, microsecond=0)
    found: dict[tuple[str, str], list[int]] = {}
    for interface, event, hour, inputs in rows:
        place = 23 - int((this - hour) / timedelta(hours=1))
        if event in _EVENT and 0 <= place < 24:
            found.setdefault((interface, _EVENT[event]), [0] * 24)[place] = inputs
    return found


def incidents_by_day(conn: Connection, days: int, zone: str) -> dict[tuple[str, int], dict[str, int]]:
    """How many incidents began, by interface and days ago (0: today in `zone`): {"error": n, "warning": n}."""
    rows = conn.execute(
        "SELECT interface, (now() AT TIME ZONE %(zone)s)::date - (since AT TIME ZONE %(zone)s)::date, severity,"
        " count(*)"
        " FROM incidents WHERE since > now() - make_interval(days => %(days)s) GROUP BY 1, 2, 3",
        {"zone": zone, "days": days + 1},
    ).fetchall()
    found: dict[tuple[str, int], dict[str, int]] = {}
    for interface, ago, severity, count in rows:
        if 0 <= ago < days:
            found.setdefault((interface, ago), {})[severity] = count
    return found


def open_incidents_count(conn: Connection) -> dict[str, int]:
    """How many incidents are open, for the badge of every page: {"error": n, "warning": n}."""
    rows = conn.execute("SELECT severity, count(*) FROM incidents WHERE ended IS NULL GROUP BY 1").fetchall()
    return {str(severity): int(count) for severity, count in rows}
