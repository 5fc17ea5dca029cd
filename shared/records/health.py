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
LOOKED_THROUGH = 1_000
"""So many records of a state, those that stand so the longest, are looked through for the one received first."""

FLOWS = ("order-import", "order-export", "stock")
BACKLOG = ("pending", "running", "waiting")
UNFINISHED = (*BACKLOG, "failed")
_STANDING = """
SELECT i.slug AS interface, f.flow, s.state, n.count::int, o.oldest
FROM interfaces i, unnest(%(flows)s::text[]) f(flow), unnest(%(states)s::text[]) s(state),
LATERAL (SELECT count(*) FROM (SELECT FROM records r
  WHERE (r.flow, r.interface, r.state) = (f.flow, i.slug, s.state) AND NOT r.test LIMIT %(most)s) c) n,
LATERAL (SELECT min(received_at) AS oldest FROM (SELECT r.received_at FROM records r
  WHERE (r.flow, r.interface, r.state) = (f.flow, i.slug, s.state) AND NOT r.test
  ORDER BY r.updated_at, r.id LIMIT %(through)s) c) o
WHERE n.count > 0
ORDER BY i.slug, array_position(%(flows)s::text[], f.flow), array_position(%(states)s::text[], s.state)
"""
_SUCCESS = """
SELECT i.slug AS interface, f.flow, (SELECT max(t.at) FROM unnest(ARRAY['done', 'warning']) s(state), LATERAL (
    SELECT r.updated_at AS at FROM records r
    WHERE (r.flow, r.interface, r.state) = (f.flow, i.slug, s.state) AND NOT r.test
    ORDER BY r.updated_at DESC, r.id DESC LIMIT 1) t) AS last_success
FROM interfaces i, unnest(%(flows)s::text[]) f(flow) ORDER BY i.slug, array_position(%(flows)s::text[], f.flow)
"""
_HOURS = """
SELECT interface, event, date_trunc('hour', received_at) AS hour, sum(inputs)::int AS inputs FROM arrivals
WHERE received_at > date_trunc('hour', now()) - interval '23 hours' GROUP BY 1, 2, 3
"""
_EVENT = {"order-imported": "order-import", "order-changed": "order-export", "stock-changed": "stock"}
QUICK, AT_ONCE = "1s", "300ms"


def backlog(conn: Connection) -> list[dict[str, Any]]:
    """Unfinished records by interface, flow and state: count, and when the oldest was received. None with 0."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            _STANDING.encode(),
            {"flows": list(FLOWS), "states": list(UNFINISHED), "most": COUNTED_TO + 1, "through": LOOKED_THROUGH},
        ).fetchall()


def flows(conn: Connection) -> list[dict[str, Any]]:
    """Per interface and flow: last success, backlog, waiting, failed, and when the oldest unfinished was received."""
    stands: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for one in backlog(conn):
        stands.setdefault((one["interface"], one["flow"]), {})[one["state"]] = one
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SUCCESS.encode(), {"flows": list(FLOWS)}).fetchall()
    return [row | _summed(stands.get((row["interface"], row["flow"]), {})) for row in rows]


def _summed(states: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    counts = {state: one["count"] for state, one in states.items()}
    return {
        "backlog": min(sum(counts.get(state, 0) for state in BACKLOG), COUNTED_TO + 1),
        "waiting": counts.get("waiting", 0),
        "failed": counts.get("failed", 0),
        "oldest": min((one["oldest"] for one in states.values()), default=None),
    }


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


def told_of(conn: Connection, incidents: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Incident → {"mails": how many people got one, "mailed_at": the newest}; {} where that takes too long."""
    try:
        with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", (AT_ONCE,))
            rows = cursor.execute(
                "SELECT i.id, count(DISTINCT m.recipient)::int AS mails, max(m.sent_at) AS mailed_at"
                " FROM alarm_decisions d CROSS JOIN unnest(d.incidents) i(id)"
                " JOIN mails m ON m.decision = d.id AND m.state = 'sent'"
                " WHERE d.at >= (SELECT min(since) FROM incidents WHERE id = ANY(%(ids)s))"
                " AND d.what IN ('opened', 'escalated', 'digest', 'reminder')"
                " AND d.incidents && %(ids)s::int8[] AND i.id = ANY(%(ids)s) GROUP BY 1",
                {"ids": list(incidents)},
            ).fetchall()
    except psycopg.errors.QueryCanceled:
        return {}
    return {row.pop("id"): row for row in rows}
