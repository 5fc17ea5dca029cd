"""One look at what has changed: transitions since the last one → `troubles` → facts. Called by `round`.

A look goes back over the last seconds again, so that a transaction that took a moment to commit is seen; what it finds
is compared with what is known, so seeing something twice changes nothing. A record that is tried again stands as it
stood until that has an end: an outage of an hour is no hour of ends and beginnings. A check of everything, now and then, finds
what even that missed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.alarms.incidents import Cause, Fact
from shared.alarms.plan import DUE_SOON
from shared.db.connect import Connection
from shared.errors.cause import cause_of

BACK = "10 seconds"
SEVERITY = {"failed": "error", "waiting": "warning", "warning": "remark"}

_TOUCHED = """
SELECT DISTINCT t.record_id FROM transitions t WHERE t.at > %(seen)s - %(back)s::interval AND t.at <= %(now)s
"""
_ALL = """
SELECT coalesce(r.id, k.record_id) FROM (SELECT * FROM records WHERE state IN ('failed', 'waiting')) r
FULL JOIN (SELECT * FROM troubles WHERE severity <> 'remark') k ON k.record_id = r.id
WHERE k.record_id IS NULL OR r.id IS NULL OR k.code IS DISTINCT FROM r.code
   OR k.severity <> CASE r.state WHEN 'failed' THEN 'error' ELSE 'warning' END
"""
_COMPARED = """
SELECT r.id, r.interface, r.flow, r.state, r.code, r.reason, r.test,
       k.interface AS was_interface, k.flow AS was_flow, k.code AS was_code, k.key AS was_key, k.severity AS was
FROM ({which}) AS touched(id) JOIN records r USING (id) LEFT JOIN troubles k ON k.record_id = r.id
WHERE r.state IN ('failed', 'waiting', 'warning') OR k.record_id IS NOT NULL AND r.state NOT IN ('pending', 'running')
"""
_DUE = """
SELECT r.interface, count(*)::int FROM records r
WHERE r.flow = 'order-import' AND NOT r.test AND r.ship_by < %s + interval '24 hours'
  AND r.state IN ('pending', 'running', 'waiting', 'failed') GROUP BY 1
"""


def look(conn: Connection, seen: datetime, now: datetime, *, everything: bool = False) -> tuple[list[Fact], Problems]:
    """Facts at `now`, and the problem of each cause for its sentence. Changes `troubles` in the caller's transaction."""
    which = _ALL if everything else _TOUCHED
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            _COMPARED.format(which=which).encode(), {"seen": seen, "now": now, "back": BACK}
        ).fetchall()
    came: dict[Cause, Counter[str]] = defaultdict(Counter)
    problems: Problems = {}
    store: list[tuple[int, Cause, str]] = []
    gone: list[int] = []
    for row in rows:
        is_now = _now(row)
        was = row["was"] and (Cause(row["was_interface"], row["was_flow"], row["was_code"], row["was_key"]), row["was"])
        if is_now == was:
            continue
        if was and was[1] != "remark":
            came[was[0]]["ended"] += 1
        if is_now is None:
            gone += [row["id"]] if was and was[1] != "remark" else []
            continue
        cause, severity = is_now
        came[cause][severity] += 1
        problems[cause] = row["reason"]
        store.append((row["id"], cause, severity))
    _store(conn, store, gone, now)
    facts = [
        Fact(now, cause, errors=n["error"], warnings=n["warning"], remarks=n["remark"], ended=n["ended"])
        for cause, n in came.items()
    ]
    return facts, problems


def due_soon(conn: Connection, now: datetime) -> dict[Cause, int]:
    """How many orders of each interface are to be shipped within a day and are not in the ERP."""
    rows = conn.execute(_DUE.encode(), (now,)).fetchall()
    return {Cause(interface, "order-import", DUE_SOON, ""): count for interface, count in rows}


def level(now: datetime, code: str, found: Mapping[Cause, int], standing: Mapping[Cause, int]) -> list[Fact]:
    """Facts about causes of this code that are counted anew at each look: the difference to what stood so before."""
    before = {cause: count for cause, count in standing.items() if cause.code == code}
    return [
        Fact(now, cause, errors=max(0, count - was), ended=max(0, was - count))
        for cause, count in {**dict.fromkeys(before, 0), **found}.items()
        if count != (was := before.get(cause, 0))
    ]


Problems = dict[Cause, list[dict[str, Any]] | None]


def _now(row: Mapping[str, Any]) -> tuple[Cause, str] | None:
    """The cause and severity with which the record stands; a test stands for nothing."""
    severity = SEVERITY.get(row["state"])
    if severity is None or row["test"]:
        return None
    code, key = cause_of(row["code"], row["reason"] or [])
    return Cause(row["interface"], row["flow"], code, key), severity


def _store(conn: Connection, store: list[tuple[int, Cause, str]], gone: Iterable[int], now: datetime) -> None:
    if store:
        conn.execute(
            "INSERT INTO troubles(record_id, interface, flow, code, key, severity, since)"
            " SELECT n.*, %s::timestamptz FROM unnest(%s::int8[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) n"
            " ON CONFLICT (record_id) DO UPDATE SET interface = excluded.interface, flow = excluded.flow,"
            "  code = excluded.code, key = excluded.key, severity = excluded.severity, since = excluded.since",
            (
                now,
                [record_id for record_id, _, _ in store],
                [cause.interface for _, cause, _ in store],
                [cause.flow for _, cause, _ in store],
                [cause.code for _, cause, _ in store],
                [cause.key for _, cause, _ in store],
                [severity for _, _, severity in store],
            ),
        )
    conn.execute("DELETE FROM troubles WHERE record_id = ANY(%s)", (list(gone),))
