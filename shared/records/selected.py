"""Which records somebody means: by id, or all that match a filter except some. Called by `actions` and `bulk`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from shared.db.connect import Connection
from shared.records.filter import Filter
from shared.records.filter_sql import to_sql

MOST = 10_000
"""How many a request by number may be; a bulk run may be more, see `bulk.MOST`."""


class TooMany(ValueError):
    """More records match than one run may touch; the message says what to do."""


def meant(
    flow: str, ids: Sequence[int] | None, filter: Filter | None, excepted: Sequence[int] = ()
) -> tuple[str, list[Any]]:
    """A condition over `records r` with %s placeholders, and their values; ids of other flows do not meet it."""
    if filter is None:
        return "r.flow = %s AND r.id = ANY(%s::int8[])", [flow, list(ids or ())]
    condition, values = to_sql(filter)
    return f"r.flow = %s AND {condition} AND r.id <> ALL(%s::int8[])", [flow, *values, list(excepted)]


def selected(
    conn: Connection, flow: str, ids: Sequence[int] | None, filter: Filter | None, excepted: Sequence[int] = ()
) -> list[int]:
    """Ids of the flow's records that are meant, in order; ids of others are left out. Raises TooMany."""
    chosen, values = meant(flow, ids, filter, excepted)
    rows = conn.execute(
        sql.SQL(f"SELECT r.id FROM records r WHERE {chosen} ORDER BY r.id LIMIT %s"),  # noqa: S608
        [*values, MOST + 1],
    ).fetchall()
    if len(rows) > MOST:
        raise TooMany(f"More than {MOST} records match: narrow the filter and run it again for the rest.")
    return [row[0] for row in rows]
