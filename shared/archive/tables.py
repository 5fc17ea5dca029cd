"""Which rows of an order go into a part, and how they are read: as the file has them, so that both can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from shared.db.connect import Connection


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the archive. owner: its column with the record's id; key: what tells a record's rows apart.

    taken_out: its rows are deleted here once the file is verified, except those that `stays` says, a condition on `t`
    (the row) and `r` (its record). over: of an article, which lives on, the rows that go: long ago, and not the newest.
    """

    name: str
    owner: str
    key: tuple[str, ...]
    taken_out: bool = False
    stays: sql.SQL | None = None
    over: sql.SQL | None = None


TABLES = (
    Table("records", "id", ()),
    Table("parts", "record_id", ("part",)),
    Table("shipments", "record_id", ("shipment",)),
    # The newest copy and the one the remote system has: what a later change is compared with, and what lists show.
    Table(
        "payloads",
        "record_id",
        ("no",),
        True,
        sql.SQL("t.no = r.payload_no OR t.no = r.sent_no"),
        sql.SQL("t.received_at < {} AND t.no < least(r.payload_no, r.sent_no)"),
    ),
    Table("transitions", "record_id", ("seq", "at"), True, None, sql.SQL("t.at < {} AND t.seq < r.seq")),
    Table("attempts", "record_id", ("claim_no",), True, None, sql.SQL("t.ended_at < {} AND t.claim_no < r.claim_no")),
)

AS_TEXT = ("jsonb", "uuid")
"""Types that are written as their text, and become the same value again."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """type: PostgreSQL's name for it, e.g. `int8`, `jsonb`, `_text`."""

    name: str
    type: str


def columns_of(conn: Connection, table: Table) -> list[Column]:
    """All columns, as the schema has them now: what a later migration adds goes along by itself."""
    rows = conn.execute(
        "SELECT column_name, udt_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
        (table.name,),
    ).fetchall()
    return [Column(name, kind) for name, kind in rows]


def read(
    conn: Connection, table: Table, columns: Sequence[Column], ids: Sequence[int], until: datetime | None = None
) -> list[Row]:
    """The rows of these records, in the order of their keys. until: of articles, what happened before."""
    shown = [
        sql.SQL("t.{}::text" if column.type in AS_TEXT else "t.{}").format(sql.Identifier(column.name))
        for column in columns
    ]
    order = [sql.SQL("t.{}").format(sql.Identifier(name)) for name in (table.owner, *table.key)]
    return conn.execute(
        sql.SQL("SELECT {} FROM {} t JOIN records r ON r.id = t.{} WHERE t.{} = ANY(%s) AND {} ORDER BY {}").format(
            sql.SQL(", ").join(shown), *map(sql.Identifier, (table.name, table.owner, table.owner)),
            _over(table, until), sql.SQL(", ").join(order),
        ),
        (list(ids),),
    ).fetchall()  # fmt: skip


def of_records(table: Table, columns: Sequence[Column], rows: Sequence[Row]) -> dict[int, list[Row]]:
    """The rows by their record."""
    at = [column.name for column in columns].index(table.owner)
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row[at], []).append(row)
    return found


def _over(table: Table, until: datetime | None) -> sql.Composable:
    if until is None or not table.taken_out:
        return sql.SQL("true")
    assert table.over is not None, f"what of {table.name} an article may lose is not said"
    return table.over.format(sql.Literal(until))


def delete(conn: Connection, table: Table, ids: Sequence[int], until: datetime | None = None) -> int:
    """Take the rows that `read` reads out, all but those that stay; how many went. In the caller's transaction."""
    return conn.execute(
        sql.SQL(
            "DELETE FROM {} t USING records r WHERE r.id = t.{} AND t.{} = ANY(%s) AND NOT coalesce({}, false) AND {}"
        ).format(
            *map(sql.Identifier, (table.name, table.owner, table.owner)),
            table.stays or sql.SQL("false"),
            _over(table, until),
        ),
        (list(ids),),
    ).rowcount


def insert(conn: Connection, table: Table, columns: Sequence[Column], rows: Sequence[Row], *, all_: bool) -> int:
    """Put rows back. all_ False: those that `delete` leaves are there already and are not touched."""
    there = sql.SQL("") if all_ else sql.SQL(" ON CONFLICT DO NOTHING")
    values = sql.SQL(", ").join(sql.SQL("%s::" + column.type) for column in columns)
    with conn.cursor() as cursor:
        cursor.executemany(
            sql.SQL("INSERT INTO {} ({}) VALUES ({}){}").format(
                sql.Identifier(table.name), sql.SQL(", ").join(sql.Identifier(c.name) for c in columns), values, there
            ),
            rows,
        )
        return cursor.rowcount
