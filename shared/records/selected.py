"""Which records somebody means: by id, or all that match a filter except some. Called by `actions` and `bulk`."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from shared.db.connect import Connection
from shared.records.filter import Filter
from shared.records.filter_sql import to_sql

MOST = 10_000


class TooMany(ValueError):
    """More records match than one run may touch; the message says what to do."""


def selected(
    conn: Connection, flow: str, ids: Sequence[int] | None, filter: Filter | None, excepted: Sequence[int] = ()
) -> list[int]:
    """Ids of the flow's records that are meant, in order; ids of others are left out. Raises TooMany."""
    if filter is None:
        rows = conn.execute(
            "SELECT id FROM records WHERE id = ANY(%s) AND flow = %s ORDER BY id", (list(ids or ()), flow)
        ).fetchall()
        return [row[0] for row in rows]
    condition, values = to_sql(filter)
    rows = conn.execute(
        sql.SQL(
            f"SELECT r.id FROM records r WHERE r.flow = %s AND {condition} AND r.id <> ALL(%s::int8[])"  # noqa: S608
            " ORDER BY r.id LIMIT %s"
        ),
        [flow, *values, list(excepted), MOST + 1],
    ).fetchall()
    if len(rows) > MOST:
        raise TooMany(f"More than {MOST} records match: narrow the filter and run it again for the rest.")
    return [row[0] for row in rows]
