"""The pool of return numbers of an interface: each is given to one shipment, in the order in which they were added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.records.keys import raise_key

SETTING = "setting:return-numbers"
"""The key of records that found the pool empty."""


@dataclass(frozen=True, slots=True)
class ReturnNumber:
    """A number of the pool, locked until the end of the transaction."""

    no: int
    carrier: str
    number: str


_FREE = (
    "SELECT no, carrier, number FROM return_numbers WHERE interface = %s AND record_id IS NULL"
    " ORDER BY no LIMIT 1 FOR UPDATE"
)
_FREE_NOW = (
    "SELECT no, carrier, number FROM return_numbers WHERE interface = %s AND record_id IS NULL"
    " ORDER BY no LIMIT 1 FOR UPDATE SKIP LOCKED"
)


def next_for(conn: Connection, interface: str, record_id: int, shipment: str) -> ReturnNumber | None:
    """The number that this shipment was given before, else the next free one; None when there is none left.

    Locks what it returns. What others are about to give is passed over, and waited for only when nothing else is free:
    they may not need it after all.
    """
    row = conn.execute(
        "SELECT no, carrier, number FROM return_numbers WHERE record_id = %s AND shipment = %s", (record_id, shipment)
    ).fetchone()
    for statement in (_FREE_NOW, _FREE, _FREE_NOW):
        row = row or conn.execute(statement, (interface,)).fetchone()
    return None if row is None else ReturnNumber(*row)


def peek(
    conn: Connection, interface: str, record_id: int, shipment: str, without: Sequence[int]
) -> ReturnNumber | None:
    """The number that `next_for` would return, for a dry run: nothing is locked. without: numbers shown already."""
    row = conn.execute(
        "SELECT no, carrier, number FROM return_numbers WHERE (record_id, shipment) = (%s, %s)"
        " OR interface = %s AND record_id IS NULL AND no <> ALL(%s::bigint[]) ORDER BY record_id IS NULL, no LIMIT 1",
        (record_id, shipment, interface, list(without)),
    ).fetchone()
    return None if row is None else ReturnNumber(*row)


def give(conn: Connection, no: int, record_id: int, shipment: str) -> None:
    """It is the shipment's from now on, also if the sending fails: a retry takes the same one."""
    conn.execute(
        "UPDATE return_numbers SET record_id = %s, shipment = %s, given_at = now() WHERE no = %s AND record_id IS NULL",
        (record_id, shipment, no),
    )


def add(conn: Connection, interface: str, carrier: str, numbers: Sequence[str], actor: str) -> int:
    """Fill up the pool; what waits for a number goes on. What it has already is left alone. How many are new."""
    wanted = list(dict.fromkeys(number.strip() for number in numbers if number.strip()))
    with conn.transaction():
        rows = conn.execute(
            "INSERT INTO return_numbers(interface, carrier, number, added_by)"
            " SELECT %s, %s, n, %s FROM unnest(%s::text[]) WITH ORDINALITY AS w(n, place) ORDER BY place"
            " ON CONFLICT DO NOTHING RETURNING 1",
            (interface, carrier.strip(), actor, wanted),
        ).fetchall()
        if rows:
            raise_key(conn, interface, SETTING)
    return len(rows)


def count_free(conn: Connection, interface: str) -> int:
    """How many are left to give."""
    row = conn.execute(
        "SELECT count(*) FROM return_numbers WHERE interface = %s AND record_id IS NULL", (interface,)
    ).fetchone()
    return int(row[0]) if row else 0


def pool(conn: Connection, interface: str) -> list[dict[str, Any]]:
    """By carrier: how many are left (`free`), how many were given, and which one is the next."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT carrier, count(*) FILTER (WHERE record_id IS NULL) AS free,"
            " count(*) FILTER (WHERE record_id IS NOT NULL) AS given,"
            " (array_agg(number ORDER BY no) FILTER (WHERE record_id IS NULL))[1] AS next"
            " FROM return_numbers WHERE interface = %s GROUP BY carrier ORDER BY carrier",
            (interface,),
        ).fetchall()
