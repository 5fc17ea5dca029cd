"""One look at what has changed: troubles since the last one → facts. Called by `round`.

`troubles` is kept by the transactions that change records. A look goes back over the last seconds again, so that one
that took a moment to commit is seen; how a cause stands is counted anew, so seeing it twice changes nothing. A check of
all open causes, now and then, finds what even that missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.alarms.incidents import Cause, Fact
from shared.alarms.levels import Level
from shared.alarms.plan import DUE_SOON
from shared.db.connect import Connection

BACK = "10 seconds"
MILD = frozenset({"alert-warned", "heartbeat-unheard"})
"""Counted elsewhere, and no more than a warning."""

_TOUCHED = """
SELECT DISTINCT cause FROM troubles
WHERE entered_at > %(seen)s - %(back)s::interval OR left_at > %(seen)s - %(back)s::interval
"""
_ALL = """
SELECT cause FROM troubles WHERE left_at IS NULL AND state IS DISTINCT FROM 'warning' GROUP BY 1
UNION SELECT unnest(%(known)s::text[])
"""
_COUNTED = """
SELECT t.cause, min(t.interface) AS interface, min(t.flow) AS flow, min(t.code) AS code,
       (array_agg(t.problem ORDER BY t.entered_at DESC))[1] AS problem,
       count(*) FILTER (WHERE t.left_at IS NULL AND t.state IS DISTINCT FROM 'warning')::int AS open,
       coalesce(bool_or(t.left_at IS NULL AND t.state = 'failed'), false) AS error,
       count(*) FILTER (WHERE t.entered_at > %(seen)s AND t.left_at IS NULL AND t.state IS DISTINCT FROM 'warning')::int
         AS news,
       count(*) FILTER (WHERE t.entered_at > %(seen)s AND t.state = 'warning')::int AS remarks
FROM ({which}) AS c(cause) JOIN troubles t USING (cause) JOIN records r ON r.id = t.record_id
WHERE NOT r.test AND (t.left_at IS NULL OR t.left_at > %(seen)s - %(back)s::interval) GROUP BY 1
"""
_DUE = """
SELECT r.interface, count(*)::int FROM records r
WHERE r.flow = 'order-import' AND NOT r.test AND r.ship_by < %s + interval '24 hours'
  AND r.state IN ('pending', 'running', 'waiting', 'failed') GROUP BY 1
"""
Problems = dict[Cause, dict[str, Any]]


def look(
    conn: Connection, seen: datetime, now: datetime, known: Iterable[Cause], *, everything: bool = False
) -> tuple[list[Fact], Problems]:
    """Facts at `now` about causes that changed since `seen`, and a problem of each. known: causes that stand."""
    values = {"seen": seen, "back": BACK, "known": [cause.key for cause in known]}
    query = _COUNTED.format(which=_ALL if everything else _TOUCHED)
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query.encode(), values).fetchall()
    facts, problems = [], {}
    for row in rows:
        cause = Cause(row["interface"], row["flow"], row["code"], row["cause"])
        facts.append(Fact(now, cause, row["open"], row["error"], row["news"], row["remarks"]))
        problems[cause] = row["problem"]
    return facts, problems


def due_soon(conn: Connection, now: datetime) -> dict[Cause, int]:
    """How many orders of each interface are to be shipped within a day and are not in the ERP."""
    rows = conn.execute(_DUE.encode(), (now,)).fetchall()
    return {Cause(interface, "order-import", DUE_SOON, ""): count for interface, count in rows}


def level(now: datetime, code: str, found: Mapping[Cause, Level | int], standing: Mapping[Cause, int]) -> list[Fact]:
    """Facts about causes of this code that are counted elsewhere, where that differs from what stood so before."""
    before = {cause: count for cause, count in standing.items() if cause.code == code}
    levels = {cause: one if isinstance(one, Level) else Level(one) for cause, one in found.items()}
    return [
        Fact(
            now, cause, one.count, error=one.error and one.count > 0 and code not in MILD, news=max(0, one.count - was)
        )
        for cause, one in {**dict.fromkeys(before, Level(0)), **levels}.items()
        if one.count != (was := before.get(cause, 0))
    ]


def problems_of(found: Mapping[Cause, Level | int]) -> Problems:
    """The values of the sentences of levels that have any."""
    return {
        cause: {"code": cause.code, "field": "", "values": dict(one.values)}
        for cause, one in found.items()
        if isinstance(one, Level) and one.values
    }
