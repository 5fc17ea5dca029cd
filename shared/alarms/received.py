"""Alerts that Prometheus' Alertmanager told of: kept by the webhook, read by each round as what stands.

A notification is stored before it is answered, so none is lost by a kill; told again it changes nothing. An alert ends
when Alertmanager says so, when the end it named has passed, or when it has not been told of for twelve hours: three
times as long as Alertmanager waits before it repeats one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from shared.alarms.incidents import Cause
from shared.db.connect import Connection

FIRED = "alert-fired"
WARNED = "alert-warned"
CODES: Mapping[str, str] = {"error": FIRED, "warning": WARNED}
FORGOTTEN = timedelta(hours=12)
KEPT = timedelta(days=7)
MOST = 500
"""So many at once count; a rule that fires per order must not make an incident per order."""

LATE = timedelta(minutes=1)
"""Told again with the same beginning so soon after its end, an alert was overtaken on its way and is still over."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a notification. interface: as its label says; severity: warning or error; over: whether it ended."""

    key: str
    name: str
    interface: str
    summary: str
    severity: str
    starts_at: datetime
    ends_at: datetime | None
    over: bool


_KEEP = """
INSERT INTO received_alerts AS a (key, name, interface, summary, severity, starts_at, ends_at, resolved_at)
VALUES (%(key)s, %(name)s, coalesce((SELECT slug FROM interfaces WHERE slug = %(interface)s), ''), %(summary)s,
        %(severity)s, %(starts_at)s, %(ends_at)s, CASE WHEN %(over)s THEN now() END)
ON CONFLICT (key) DO UPDATE SET name = excluded.name, interface = excluded.interface, summary = excluded.summary,
  severity = excluded.severity, starts_at = excluded.starts_at, ends_at = excluded.ends_at, seen_at = now(),
  resolved_at = CASE WHEN %(over)s THEN coalesce(a.resolved_at, now()) END
WHERE %(over)s OR a.resolved_at IS NULL OR a.starts_at <> excluded.starts_at OR a.resolved_at < now() - %(late)s
"""


def keep(conn: Connection, alerts: Iterable[Alert]) -> None:
    """Store what a notification says, all of it or nothing; forgets what has long been over."""
    with conn.transaction():
        for one in sorted(alerts, key=lambda alert: alert.key):
            values = {name: getattr(one, name) for name in Alert.__slots__}
            conn.execute(_KEEP, values | {"late": LATE})
        conn.execute(
            "DELETE FROM received_alerts WHERE seen_at < now() - %s AND coalesce(resolved_at, now()) < now() - %s"
            " OR seen_at < now() - %s",
            (KEPT, KEPT, KEPT + FORGOTTEN),
        )


def standing(conn: Connection) -> dict[str, dict[Cause, int]]:
    """What stands now, as levels of a round: by code."""
    rows = conn.execute(
        "SELECT severity, interface, key FROM received_alerts WHERE resolved_at IS NULL"
        " AND coalesce(ends_at, seen_at + %s) > clock_timestamp() ORDER BY starts_at, key LIMIT %s",
        (FORGOTTEN, MOST),
    ).fetchall()
    found: dict[str, dict[Cause, int]] = {code: {} for code in CODES.values()}
    for severity, interface, key in rows:
        code = CODES[severity]
        found[code][Cause(interface, "infrastructure", code, key)] = 1
    return found


def explain(conn: Connection) -> None:
    """Give the open incidents of alerts the words of their sentence. After a round, in its transaction.

    What is about the system itself concerns no records, whatever a level was counted as.
    """
    conn.execute("UPDATE incidents SET records = 0 WHERE flow = 'infrastructure' AND ended IS NULL AND records > 0")
    conn.execute(
        "UPDATE incidents i SET problem = jsonb_build_object('code', i.code, 'field', '', 'values',"
        "  jsonb_build_object('alert', a.name, 'summary', a.summary)) FROM received_alerts a"
        " WHERE i.key = a.key AND i.code = ANY(%s) AND i.ended IS NULL AND i.problem IS NULL",
        (list(CODES.values()),),
    )


def give_words(conn: Connection, code: str, values: Mapping[str, str]) -> None:
    """The same for the open incidents of another code."""
    conn.execute(
        "UPDATE incidents SET problem = %s WHERE code = %s AND ended IS NULL AND problem IS NULL",
        (Jsonb({"code": code, "field": "", "values": dict(values)}), code),
    )
