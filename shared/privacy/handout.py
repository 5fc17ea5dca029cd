"""Everything that is kept of a person whom a deed has found, for an access request: as it lies there, place by place.

Read piece by piece, so that it may be long. Nothing in it is masked: it is for the person it is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.privacy.calls import calls_of
from shared.privacy.deed import Deed
from shared.privacy.texts import OF_TABLE
from shared.records.exchanges import unpack

_OF_RECORD: tuple[tuple[str, str], ...] = (
    ("history", "SELECT at, stage, from_state, to_state, reason FROM transitions WHERE record_id = %s ORDER BY seq"),
    ("attempts", "SELECT stage, started_at, ended_at, outcome, detail FROM attempts WHERE record_id = %s"
                 " ORDER BY claim_no"),
    ("shipments", "SELECT shipment, state, carrier, tracking_number, document, intended_at, accepted_at FROM shipments"
                  " WHERE record_id = %s ORDER BY intended_at"),
    ("return_numbers", "SELECT carrier, number, given_at FROM return_numbers WHERE record_id = %s ORDER BY no"),
)  # fmt: skip


def hand_out(conn: Connection, deed: Deed) -> Iterator[dict[str, Any]]:
    """One piece after the other: `{"place": "orders" | "rejections" | "exchanges" | a table, …}`.

    An order has its copies as they came, its history, attempts, calls, parcels and return numbers.
    """
    found = conn.execute(
        "SELECT place, ref FROM privacy_found WHERE deed = %s ORDER BY place <> 'orders', place, ref", (deed.id,)
    ).fetchall()
    for place, ref in found:
        piece = _piece(conn, place, ref)
        if piece is not None:
            yield {"place": place, **piece}


def as_document(conn: Connection, deed: Deed) -> Iterator[str]:
    """The same as the parts of one JSON document."""
    head = json.dumps({"deed": str(deed.id), "asked_for": deed.reason, "asked_at": deed.created_at}, default=str)
    yield f'{head[:-1]}, "found": ['
    between = "\n"
    for piece in hand_out(conn, deed):
        yield between + json.dumps(piece, default=str, ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def _piece(conn: Connection, place: str, ref: Any) -> dict[str, Any] | None:
    if place == "orders":
        return _order(conn, int(ref))
    with conn.cursor(row_factory=dict_row) as cursor:
        if place == "rejections":
            row = cursor.execute(
                "SELECT id, origin, received_at, raw, problems FROM rejections WHERE id = %s", (ref,)
            ).fetchone()
            return row and {**row, "raw": bytes(row["raw"]).decode("utf-8", "backslashreplace")}
    if place == "exchanges":
        return calls_of(conn, ref)
    of = OF_TABLE[place]
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM {} WHERE {}").format(
                sql.SQL(", ").join(map(sql.Identifier, of.columns)),
                sql.Identifier(of.table),
                sql.SQL(" AND ").join(
                    sql.SQL("{} = %s::" + kind).format(sql.Identifier(name)) for name, kind in of.key
                ),
            ),
            ref,
        ).fetchone()


def _order(conn: Connection, record_id: int) -> dict[str, Any] | None:
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT interface, flow, key AS number, state, received_at, updated_at, marketplace_id, remote, reason"
            " FROM records WHERE id = %s",
            (record_id,),
        ).fetchone()
        if row is None:
            return None
        copies = cursor.execute(
            "SELECT no, received_at, body FROM payloads WHERE record_id = %s ORDER BY no", (record_id,)
        ).fetchall()
        row["copies"] = [{**one, "body": json.loads(bytes(one["body"]))} for one in copies]
        for name, statement in _OF_RECORD:
            row[name] = cursor.execute(statement.encode(), (record_id,)).fetchall()
        calls = cursor.execute(
            "SELECT at, body FROM exchanges WHERE record_id = %s ORDER BY at", (record_id,)
        ).fetchall()
        row["calls"] = [{"at": one["at"], **unpack(bytes(one["body"]))} for one in calls]
    return row
