"""What arrives, counted by the hour: out of `arrivals`, a stretch at a time. Called by `levels`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.alarms.silence import AN_HOUR, LONGEST, SLOT, SLOTS, WEEKS, Hours
from shared.db.connect import Connection

LAG = timedelta(seconds=20)
"""Inputs count when they are stored, which takes a moment longer than their moment says."""

STRETCH = timedelta(hours=6)
KEPT = timedelta(weeks=WEEKS, days=2)
BUDGET_SECONDS = 0.5
_FLOW = {"order-imported": "order-import", "order-changed": "order-export", "stock-changed": "stock"}

_COUNT = """
SELECT interface, event, date_bin('5 minutes', received_at, 'epoch') AS slot, sum(inputs)::int, max(received_at)
FROM arrivals WHERE received_at > %s AND received_at <= %s GROUP BY 1, 2, 3
"""
_ADD = """
INSERT INTO alarm_arrivals AS a (interface, flow, hour, slots, last_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (interface, flow, hour) DO UPDATE SET last_at = greatest(a.last_at, excluded.last_at),
  slots = (SELECT array_agg(u.was + u.more ORDER BY u.n) FROM unnest(a.slots, excluded.slots)
           WITH ORDINALITY AS u(was, more, n))
"""
_LATEST = """
SELECT m.interface, m.flow, a.last_at, f.hour,
       greatest(i.updated_at, (SELECT max(o.updated_at) FROM flow_overrides o WHERE o.interface = m.interface)),
       CASE m.flow WHEN 'order-import' THEN i.poll_seconds ELSE i.reread_seconds END
FROM flow_modes m JOIN interfaces i ON i.slug = m.interface
     CROSS JOIN LATERAL (SELECT last_at FROM alarm_arrivals WHERE (interface, flow) = (m.interface, m.flow)
                         ORDER BY hour DESC LIMIT 1) a
     CROSS JOIN LATERAL (SELECT hour FROM alarm_arrivals WHERE (interface, flow) = (m.interface, m.flow)
                         ORDER BY hour LIMIT 1) f
WHERE m.mode = 'live'
"""
_HOURS = """
SELECT a.interface, a.flow, a.hour, a.slots FROM unnest(%s::text[], %s::text[]) AS w(interface, flow)
JOIN alarm_arrivals a USING (interface, flow)
JOIN unnest(%s::timestamptz[]) AS h(hour) ON h.hour = a.hour
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A flow that is live. last: when something arrived; known: since when it is counted; changed: when somebody
    changed the interface; pace: seconds between two looks of ours at the remote system."""

    interface: str
    flow: str
    last: datetime
    known: datetime
    changed: datetime
    pace: int


def count_on(conn: Connection, now: datetime) -> datetime:
    """Count what has arrived since the last time, as far as that goes quickly. Returns up to when it is counted."""
    row = conn.execute(
        "SELECT coalesce(counted_to, greatest(%s, (SELECT received_at FROM arrivals ORDER BY no LIMIT 1)"
        " - interval '1 second')) FROM alarm_watch",
        (now - KEPT,),
    ).fetchone()
    assert row is not None
    counted: datetime = row[0]
    began = time.monotonic()
    while counted < now - LAG:
        until = min(now - LAG, counted + STRETCH)
        _count(conn, counted, until)
        counted = until
        if time.monotonic() - began > BUDGET_SECONDS:
            break
    conn.execute("UPDATE alarm_watch SET counted_to = %s", (counted,))
    return counted


def _count(conn: Connection, start: datetime, end: datetime) -> None:
    found: dict[tuple[str, str, datetime], tuple[list[int], datetime]] = {}
    for interface, event, slot, inputs, last in conn.execute(_COUNT, (start, end)).fetchall():
        if event not in _FLOW:
            continue
        hour = slot.replace(minute=0)
        slots, latest = found.get((interface, _FLOW[event], hour), ([0] * SLOTS, last))
        slots[(slot - hour) // SLOT] += inputs
        found[(interface, _FLOW[event], hour)] = slots, max(last, latest)
    if found:
        with conn.cursor() as cursor:
            cursor.executemany(_ADD, [(*key, slots, last) for key, (slots, last) in found.items()])


def lines(conn: Connection) -> list[Line]:
    """Every live flow of which something has arrived in the last weeks."""
    return [Line(*row) for row in conn.execute(_LATEST).fetchall()]


def hours_of(conn: Connection, wanted: Sequence[Line], now: datetime) -> dict[tuple[str, str], Hours]:
    """The hours that a silence of these would be compared with: a day and a bit, of each of the last weeks."""
    if not wanted:
        return {}
    longest = min(LONGEST, max(now - one.last for one in wanted)) + AN_HOUR * 3  # the clock may have changed
    top = now.replace(minute=0, second=0, microsecond=0) + AN_HOUR
    every = [
        top - timedelta(weeks=week) - AN_HOUR * n for week in range(1, WEEKS + 1) for n in range(longest // AN_HOUR + 1)
    ]
    rows = conn.execute(_HOURS, ([one.interface for one in wanted], [one.flow for one in wanted], every)).fetchall()
    found: dict[tuple[str, str], dict[datetime, Sequence[int]]] = {(one.interface, one.flow): {} for one in wanted}
    for interface, flow, hour, slots in rows:
        found[(interface, flow)][hour] = slots
    return dict(found)
