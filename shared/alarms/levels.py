"""What no transition tells of, found once a minute: flows that are silent, records nobody gets to, drifted stock.

Each is a level per interface and flow. What was found becomes facts like those of `look`, and is kept like them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from shared.alarms.arrivals import Line, count_on, hours_of, lines
from shared.alarms.calendar import Calendar
from shared.alarms.incidents import Cause
from shared.alarms.silence import SHORTEST, suspicious
from shared.db.connect import Connection
from shared.records.read_back import DIFFERS

SILENT = {"order-import": "orders-silent", "order-export": "events-silent", "stock": "events-silent"}
TOO_OLD = "records-too-old"
DRIFTED = "stock-drifted"
A_MINUTE = timedelta(minutes=1)
COMPARE_EVERY = timedelta(minutes=10)
QUICK = "5s"
LIMITS = {"order-import": 60, "order-export": 120, "stock": 60}
"""Minutes that the oldest unfinished record of a flow may stand, where nobody has said otherwise."""

_OLDEST = """
SELECT m.interface, m.flow, count(*)::int, extract(epoch FROM %(now)s - min(o.at)) / 60
FROM (SELECT interface, flow, %(now)s - make_interval(mins => (%(limits)s::jsonb ->> flow)::int) AS before
      FROM flow_modes WHERE mode = 'live') m CROSS JOIN LATERAL (
    SELECT r.at FROM unnest(ARRAY['pending', 'running']) s(state) CROSS JOIN LATERAL (
        SELECT CASE s.state WHEN 'pending' THEN greatest(updated_at, due_at) ELSE updated_at END AS at FROM records
        WHERE (flow, interface, state) = (m.flow, m.interface, s.state) AND NOT test AND updated_at < m.before
          AND (s.state = 'running' OR due_at < m.before)
        ORDER BY updated_at, id LIMIT 1000) r) o
GROUP BY 1, 2
"""
_DRIFT = f"""
SELECT a.interface, count(*)::int FROM articles a JOIN records r ON r.id = a.record_id
WHERE {DIFFERS} AND a.shown_at < %s - interval '10 minutes' AND r.due_at IS NULL AND r.state IN ('done', 'warning')
  AND NOT r.test
  AND EXISTS (SELECT FROM flow_modes m WHERE (m.interface, m.flow, m.mode) = (a.interface, 'stock', 'live'))
GROUP BY 1
"""  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class Level:
    """How many stand so; error: or a warning; values: of the sentence that says so."""

    count: int
    error: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)


Levels = dict[str, dict[Cause, Level]]


def limits(conn: Connection) -> dict[str, int]:
    """Minutes by flow."""
    return LIMITS | dict(conn.execute("SELECT flow, minutes FROM age_limits").fetchall())


def set_limit(conn: Connection, flow: str, minutes: int) -> None:
    """So long the oldest unfinished record of a flow may stand. minutes: 5 to 43200."""
    conn.execute(
        "INSERT INTO age_limits(flow, minutes) VALUES (%s, %s)"
        " ON CONFLICT (flow) DO UPDATE SET minutes = excluded.minutes",
        (flow, minutes),
    )


def found(conn: Connection, now: datetime, calendar: Calendar, standing: Mapping[Cause, int]) -> Levels:
    """What stands so at this moment, by code; codes that it is not time for are left out. standing: what stood so."""
    row = conn.execute("SELECT leveled, compared FROM alarm_watch").fetchone()
    assert row is not None
    every: Levels = {}
    if now - row[0] < A_MINUTE:
        return every
    for code, silent in _silent(conn, now, calendar, standing).items():
        every[code] = silent
    every[TOO_OLD] = _too_old(conn, now)
    if now - row[1] >= COMPARE_EVERY:
        drifted = _drifted(conn, now)
        conn.execute("UPDATE alarm_watch SET compared = %s", (now,))
        if drifted is not None:
            every[DRIFTED] = drifted
    conn.execute("UPDATE alarm_watch SET leveled = %s", (now,))
    return every


def _silent(conn: Connection, now: datetime, calendar: Calendar, standing: Mapping[Cause, int]) -> Levels:
    """A silence that stands goes on until something arrives; a new one does not begin while there is maintenance."""
    counted = count_on(conn, now)
    every: Levels = {code: {} for code in SILENT.values()}
    if counted < now - A_MINUTE * 2:
        return {}  # the past is still being counted
    candidates: list[tuple[Line, datetime]] = []
    for one in lines(conn):
        cause = Cause(one.interface, one.flow, SILENT[one.flow], "")
        ended = calendar.maintained_last(one.interface, now)
        since = max(one.last, one.changed, ended or one.last)
        if now - since < max(SHORTEST, timedelta(seconds=2 * one.pace)):
            continue
        if standing.get(cause):
            if one.last <= now - SHORTEST:
                every[cause.code][cause] = Level(1)
        elif calendar.maintained_until(one.interface, now) is None:
            candidates.append((one, since))
    history = hours_of(conn, [one for one, _ in candidates], now)
    for one, since in candidates:
        usual = suspicious(history[(one.interface, one.flow)], since, now, one.known, calendar)
        if usual is not None:
            values = {"since": _span(now - since), "usual": f"{usual.low}–{usual.high}", "missing": str(usual.missing)}
            code = SILENT[one.flow]
            every[code][Cause(one.interface, one.flow, code, "")] = Level(1, values=values)
    return every


def _too_old(conn: Connection, now: datetime) -> dict[Cause, Level]:
    """Flows with a record that is due and that nobody gets to; one that waits for something has its own incident."""
    asked = limits(conn)
    rows = conn.execute(_OLDEST.encode(), {"now": now, "limits": Jsonb(asked)}).fetchall()
    return {
        Cause(interface, flow, TOO_OLD, ""): Level(
            count, values={"age": _span(timedelta(minutes=float(age))), "limit": _span(timedelta(minutes=asked[flow]))}
        )
        for interface, flow, count, age in rows
    }


def _drifted(conn: Connection, now: datetime) -> dict[Cause, Level] | None:
    """Articles that show another quantity than was accepted, with nothing on its way; None: that took too long."""
    before = conn.execute("SELECT current_setting('statement_timeout')").fetchone()
    try:
        with conn.transaction():
            conn.execute("SELECT set_config('statement_timeout', %s, true)", (QUICK,))
            rows = conn.execute(_DRIFT.encode(), (now,)).fetchall()
            conn.execute("SELECT set_config('statement_timeout', %s, true)", before)
    except psycopg.errors.QueryCanceled:
        return None
    return {
        Cause(interface, "stock", DRIFTED, ""): Level(count, error=False, values={"count": str(count)})
        for interface, count in rows
    }


def _span(lasted: timedelta) -> str:
    """e.g. "47 min", "3 h 20 min", in words that both languages share."""
    minutes = int(lasted.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 2880:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{minutes // 60} h"
