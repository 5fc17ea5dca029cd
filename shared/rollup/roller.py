"""Folds what has happened into totals and minutes, a piece of time after the other, each in one transaction.

    how far? → what is settled → read the stretch → add it, mark its chunks, note how far

The row of `rollup_watch` is locked meanwhile, so that nothing is added twice, whoever takes himself for the only one. A
crash anywhere leaves the piece for the next. Called by `rollup`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.rollup.horizon import LAG_SECONDS, settled_until
from shared.rollup.stretch import Stretch, read_stretch
from shared.rollup.thin import MINUTES_DAYS

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=31)
AIM_SECONDS = 0.5
"""A piece of an old history is as long as it takes so long to read."""

_LOCK = "SELECT rolled FROM rollup_watch FOR UPDATE"
# The months of transitions say from when on there may be some.
_BEGINNING = """
SELECT least((SELECT min(to_date(right(c.relname, 7), 'YYYY_MM')::timestamp AT TIME ZONE 'UTC') FROM pg_inherits i
              JOIN pg_class c ON c.oid = i.inhrelid
              WHERE i.inhparent = 'transitions'::regclass AND pg_relation_size(c.oid) > 0),
             (SELECT received_at FROM arrivals ORDER BY no LIMIT 1),
             (SELECT received_at FROM rejections ORDER BY id LIMIT 1))
"""
_MINUTES = """
INSERT INTO rollup_minutes AS m (minute, flow, interface, stage, state, entered)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[])
ON CONFLICT (minute, flow, interface, stage, state) DO UPDATE SET entered = m.entered + excluded.entered
"""
_INPUTS = """
INSERT INTO rollup_inputs AS m (minute, event, interface, inputs)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::int[])
ON CONFLICT (minute, event, interface) DO UPDATE SET inputs = m.inputs + excluded.inputs
"""
# An array of arrays has to be rectangular, and the labels of each name are as many.
_TOTALS = """
INSERT INTO rollup_totals AS m (name, labels, count)
SELECT %(name)s, ARRAY(SELECT jsonb_array_elements_text(x -> 0)), (x ->> 1)::bigint
FROM jsonb_array_elements(%(rows)s::jsonb) x
ON CONFLICT (name, labels) DO UPDATE SET count = m.count + excluded.count
"""


@dataclass(slots=True)
class Roller:
    """Of one process. failpoint: passed at each place where a crash would matter; lag: see `horizon`."""

    failpoint: Callable[[str], None]
    lag: float = LAG_SECONDS
    step: timedelta = timedelta(hours=1)

    def piece(self, conn: Connection) -> bool:
        """Fold one more piece; False: everything that is settled has been folded."""
        began = time.monotonic()
        with conn.transaction():
            row = conn.execute(_LOCK).fetchone()
            horizon = settled_until(conn, self.lag)
            since = row[0] if row and row[0] else _beginning(conn, horizon)
            until = min(horizon, since + self.step)
            if until <= since:
                conn.execute("UPDATE rollup_watch SET rolled = %s WHERE rolled IS NULL", (since,))
                return False
            by_minute = (horizon - timedelta(days=MINUTES_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
            if old := since < by_minute:
                until = min(until, by_minute)
            stretch = read_stretch(conn, since, until, "hour" if old else "minute")
            self.failpoint("rollup.read")
            add(conn, stretch)
            conn.execute(
                "INSERT INTO rollup_chunks(chunk, counts, dirty) SELECT c, '[]', true FROM unnest(%s::bigint[]) c"
                " ON CONFLICT (chunk) DO UPDATE SET dirty = true",
                (sorted(stretch.chunks),),
            )
            conn.execute("UPDATE rollup_watch SET rolled = %s", (until,))
            self.failpoint("rollup.added")
        self.failpoint("rollup.moved")
        if until < horizon:
            quick = time.monotonic() - began < AIM_SECONDS
            self.step = min(LONGEST, self.step * 2) if quick else max(SHORTEST, self.step / 2)
        return until < horizon

    def slower(self) -> None:
        """The last piece was too long."""
        self.step = max(SHORTEST, self.step / 4)


def rolled_until(conn: Connection) -> datetime | None:
    """Before when everything is in totals and minutes; None: nothing yet."""
    row = conn.execute("SELECT rolled FROM rollup_watch").fetchone()
    return row[0] if row else None


def add(conn: Connection, stretch: Stretch) -> None:
    """Add what happened to totals and minutes. Runs in the caller's transaction."""
    if stretch.entered:
        rows = [(*place, count) for place, count in sorted(stretch.entered.items())]
        conn.execute(_MINUTES, tuple(map(list, zip(*rows, strict=True))))
    if stretch.inputs:
        inputs = [(*place, count) for place, count in sorted(stretch.inputs.items())]
        conn.execute(_INPUTS, tuple(map(list, zip(*inputs, strict=True))))
    for name, counts in stretch.totals().items():
        add_totals(conn, name, counts)


def add_totals(conn: Connection, name: str, counts: Mapping[tuple[str, ...], int]) -> None:
    """Add to one total. Runs in the caller's transaction."""
    if counts:
        rows = [[list(labels), count] for labels, count in sorted(counts.items())]
        conn.execute(_TOTALS, {"name": name, "rows": Jsonb(rows)})


def read_totals(conn: Connection) -> dict[str, dict[tuple[str, ...], int]]:
    """Name → labels → count, up to `rolled_until`."""
    found: dict[str, dict[tuple[str, ...], int]] = {}
    for name, labels, count in conn.execute("SELECT name, labels, count FROM rollup_totals"):
        found.setdefault(name, {})[tuple(labels)] = count
    return found


def _beginning(conn: Connection, horizon: datetime) -> datetime:
    """From when on something may have happened; the horizon where nothing has."""
    row = conn.execute(_BEGINNING).fetchone()
    if row and row[0]:
        beginning: datetime = row[0]
        return min(beginning - timedelta(hours=1), horizon)
    return horizon
