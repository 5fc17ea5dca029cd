"""What a mail tells of an incident, as it is when the mail is sent: how many, how much, due when, which ten first."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from psycopg.rows import dict_row

from shared.alarms.incidents import Cause
from shared.db.connect import Connection

FIRST = 10
WEIGHED = 2000
"""Sums are made of at most so many orders; a mail says so where there are more."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record. reason: its problems as stored; total, currency: of an order."""

    id: int
    key: str
    ordered_at: datetime | None
    ship_by: datetime | None
    reason: list[dict[str, Any]] | None
    total: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """An incident. standing: records that stand so now; records: all that ever did; sums: by currency, of the `weighed`
    first; due: to be shipped within a day; problem: for its sentence."""

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
    weighed: int
    rows: tuple[Row, ...]
    problem: list[dict[str, Any]] | None


def contents(conn: Connection, incidents: Sequence[int]) -> list[Contents]:
    """Those of these incidents, the most harmful first: errors, then due, then many."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "SELECT i.*, coalesce(f.title, i.interface) AS title, coalesce(f.erp, '') AS erp,"
            " coalesce(f.marketplace, '') AS marketplace FROM incidents i LEFT JOIN interfaces f ON f.slug = i.interface"
            " WHERE i.id = ANY(%s)",
            (list(incidents),),
        ).fetchall()
    every = [_of(conn, one) for one in found]
    return sorted(every, key=lambda one: (one.severity != "error", -one.due, -one.standing, one.id))


def _of(conn: Connection, row: dict[str, Any]) -> Contents:
    cause = Cause(row["interface"], row["flow"], row["code"], row["key"])
    counted = conn.execute(
        "SELECT count(*), count(*) FILTER (WHERE r.ship_by < now() + interval '24 hours') FROM troubles k"
        " JOIN records r ON r.id = k.record_id WHERE (k.interface, k.flow, k.code, k.key) = (%s, %s, %s, %s)",
        cause,
    ).fetchone()
    assert counted is not None
    rows = [
        Row(one[0], one[1], one[2], one[3], one[4], *_total(one[5]))
        for one in conn.execute(
            "SELECT r.id, r.key, r.ordered_at, r.ship_by, r.reason, p.body FROM troubles k"
            " JOIN records r ON r.id = k.record_id"
            " LEFT JOIN payloads p ON (p.record_id, p.no) = (r.id, r.payload_no) AND r.flow = 'order-import'"
            " WHERE (k.interface, k.flow, k.code, k.key) = (%s, %s, %s, %s)"
            " ORDER BY r.ship_by NULLS LAST, k.since, r.id LIMIT %s",
            (*cause, WEIGHED),
        ).fetchall()
    ]
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
        counted[0],
        counted[1],
        _sums(rows),
        len(rows),
        tuple(rows[:FIRST]),
        row["problem"],
    )


def _total(body: bytes | None) -> tuple[str | None, str | None]:
    try:
        order = json.loads(bytes(body or b"{}")).get("data", {}).get("order", {})
        return order.get("total"), order.get("currency")
    except (ValueError, AttributeError):
        return None, None


def _sums(rows: Sequence[Row]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        try:
            sums[row.currency or ""] += Decimal(row.total or "0")
        except InvalidOperation:
            continue
    return {currency: amount for currency, amount in sums.items() if amount}
