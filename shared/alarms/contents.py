"""What a mail tells of an incident, as it is when the mail is sent: how many, how much, due when, which ten first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row, dict_row

from shared.alarms.incidents import Cause
from shared.db.connect import Connection

FIRST = 10
MANY = 10
"""A mail about more incidents than these lists no records: its links do, and a mail that is too long is cut off."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record. problem: the first one, as stored; amount, currency: of an order."""

    id: int
    key: str
    ordered_at: datetime | None
    ship_by: datetime | None
    problem: dict[str, Any] | None
    amount: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """An incident. standing: records that stand so now; records: all that ever did; sums: by currency; due:
    to be shipped within a day; problem: for its sentence."""

    id: int
    cause: Cause
    title: str
    erp: str
    marketplace: str
    severity: str
    since: datetime
    ended: datetime | None
    records: int
    standing: int
    due: int
    sums: dict[str, Decimal]
    rows: tuple[Row, ...]
    problem: dict[str, Any] | None


def contents(conn: Connection, incidents: Sequence[int]) -> list[Contents]:
    """Those of these incidents, by interface, the most harmful first: errors, then due, then many; over ones last.

    An interface stands where its worst incident would. The records of more than `MANY` are only counted.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "SELECT i.*, coalesce(f.title, i.interface) AS title, coalesce(f.erp, '') AS erp,"
            " coalesce(f.marketplace, '') AS marketplace FROM incidents i"
            " LEFT JOIN interfaces f ON f.slug = i.interface WHERE i.id = ANY(%s)",
            (list(incidents),),
        ).fetchall()
    first = FIRST if len(found) <= MANY else 0
    return in_order([_of(conn, one, first) for one in found])


def in_order(every: Sequence[Contents]) -> list[Contents]:
    """The most harmful first, those of one interface together."""
    worst: dict[str, tuple[Any, ...]] = {}
    for one in every:
        place = one.cause.interface
        worst[place] = min(worst.get(place, _harm(one)), _harm(one))
    return sorted(every, key=lambda one: (worst[one.cause.interface], _harm(one)))


def _harm(one: Contents) -> tuple[bool, bool, int, int, int]:
    return one.ended is not None, one.severity != "error", -one.due, -one.standing, one.id


def _of(conn: Connection, row: dict[str, Any], first: int) -> Contents:
    cause = Cause(row["interface"], row["flow"], row["code"], row["key"])
    weighed = conn.execute(
        "SELECT coalesce(currency, ''), count(*), coalesce(sum(amount), 0),"
        " count(*) FILTER (WHERE ship_by < now() + interval '24 hours') FROM troubles"
        " WHERE cause = %s AND left_at IS NULL GROUP BY 1",
        (cause.key,),
    ).fetchall()
    with conn.cursor(row_factory=class_row(Row)) as cursor:
        rows = cursor.execute(
            "SELECT r.id, r.key, r.ordered_at, r.ship_by, k.problem, k.amount, k.currency FROM troubles k"
            " JOIN records r ON r.id = k.record_id WHERE k.cause = %s AND k.left_at IS NULL"
            " ORDER BY k.ship_by NULLS LAST, k.entered_at, r.id LIMIT %s",
            (cause.key, first),
        ).fetchall()
    return Contents(
        row["id"],
        cause,
        row["title"],
        row["erp"],
        row["marketplace"],
        row["severity"],
        row["since"],
        row["ended"],
        row["records"],
        sum(count for _, count, _, _ in weighed),
        sum(due for _, _, _, due in weighed),
        {currency: amount for currency, _, amount, _ in weighed if amount},
        tuple(rows),
        row["problem"],
    )
