"""How long the past is kept: by the minute for some weeks, then by the hour, then not at all. Called by the sweep."""

from __future__ import annotations

from shared.db.connect import Connection

MINUTES_DAYS = 60
HOURS_DAYS = 400
DAYS_AT_ONCE = 7
"""So many days of minutes become hours in one sweep: a day is one statement."""

# What is thin already is not read again: its minutes are the beginnings of hours.
_THIN = """
WITH d AS (SELECT date_trunc('day', min(minute)) AS day FROM {table}
           WHERE minute < now() - make_interval(days => %(days)s) AND minute <> date_trunc('hour', minute)),
g AS (DELETE FROM {table} m USING d WHERE m.minute >= d.day AND m.minute < d.day + interval '1 day'
        AND m.minute < date_trunc('hour', now() - make_interval(days => %(days)s))
        AND m.minute <> date_trunc('hour', m.minute) RETURNING m.*)
INSERT INTO {table} AS h (minute, {labels}, {count})
SELECT date_trunc('hour', minute), {labels}, sum({count}) FROM g GROUP BY 1, {numbers}
ON CONFLICT (minute, {labels}) DO UPDATE SET {count} = h.{count} + excluded.{count}
"""
_TABLES = {
    "rollup_minutes": ("flow, interface, stage, state", "entered"),
    "rollup_inputs": ("event, interface", "inputs"),
}


def thin(conn: Connection) -> int:
    """Fold old minutes into hours and forget old hours; returns how many rows of hours were written or forgotten."""
    done = 0
    for table, (labels, count) in _TABLES.items():
        numbers = ", ".join(str(n + 2) for n in range(labels.count(",") + 1))
        statement = _THIN.format(table=table, labels=labels, count=count, numbers=numbers)
        for _ in range(DAYS_AT_ONCE):
            written = conn.execute(statement.encode(), {"days": MINUTES_DAYS}).rowcount
            done += written
            if not written:
                break
        done += conn.execute(
            f"DELETE FROM {table} WHERE minute < now() - make_interval(days => %s)".encode(),  # noqa: S608
            (HOURS_DAYS,),
        ).rowcount
    return done
