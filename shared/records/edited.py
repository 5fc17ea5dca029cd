"""A staged copy that a person corrected: stored beside the one that was received, and due. One transaction.

It is no input: nothing came in, so the books count nothing, and the order of changes does not know of it. The record
keeps the place and the hash of what was received: the same data again is a duplicate and leaves the correction alone, a
newer version replaces it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.records.states import Verb, sources

CODE = "edited"
NAMED_FIELDS = 8


@dataclass(frozen=True, slots=True)
class Staged:
    """The copy that would run next. now: the database's clock."""

    interface: str
    key: str
    marketplace_id: str | None
    state: str
    payload_no: int
    body: bytes
    now: datetime

    @property
    def editable(self) -> bool:
        """Whether a correction can still have an effect, and nobody is at it."""
        return self.state in sources(Verb.EDIT)


def lock_staged(conn: Connection, record_id: int) -> Staged | None:
    """The staged copy of an order, locked until the caller's transaction ends; None where there is none."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT r.interface, r.key, r.marketplace_id, r.state, r.payload_no, p.body, now() AS now FROM records r"
            " JOIN payloads p ON p.record_id = r.id AND p.no = r.payload_no"
            " WHERE r.id = %s AND r.flow = 'order-import' FOR UPDATE OF r",
            (record_id,),
        ).fetchone()
    return None if row is None else Staged(**{**row, "body": bytes(row["body"])})


def store_edited(
    conn: Connection,
    record_id: int,
    body: bytes,
    fields: Sequence[str],
    ordered_at: datetime | None,
    ship_by: datetime | None,
    actor: str,
) -> int:
    """Stage the corrected copy and set the record due; returns the copy's number. In `lock_staged`'s transaction."""
    named = ", ".join(fields[:NAMED_FIELDS]) + (" …" if len(fields) > NAMED_FIELDS else "")
    reason = Jsonb([Problem("edited", values={"actor": actor, "fields": named}).as_json()])
    values: dict[str, Any] = {
        "id": record_id, "body": body, "ordered_at": ordered_at, "ship_by": ship_by, "actor": actor, "code": CODE,
        "reason": reason, "from": sources(Verb.EDIT),
    }  # fmt: skip
    row = conn.execute(
        "WITH o AS (SELECT r.id, r.state, m.mode <> 'live' OR i.from_date IS NOT NULL AS wish FROM records r"
        "   JOIN interfaces i ON i.slug = r.interface"
        "   JOIN flow_modes m ON m.interface = r.interface AND m.flow = r.flow WHERE r.id = %(id)s),"
        " u AS (UPDATE records r SET payload_no = r.payload_no + 1, state = 'pending', due_at = now(), seq = r.seq + 1,"
        "   tries = 0, trying_since = NULL, forced = o.wish, code = %(code)s, reason = %(reason)s,"
        "   ordered_at = coalesce(%(ordered_at)s, r.ordered_at), ship_by = %(ship_by)s, updated_at = now()"
        "   FROM o WHERE r.id = o.id AND r.state = ANY(%(from)s)"
        "   RETURNING r.id, r.payload_no, r.seq, r.stage, o.state AS was),"
        " p AS (INSERT INTO payloads(record_id, no, body) SELECT id, payload_no, %(body)s FROM u),"
        " t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, reason, actor)"
        "   SELECT id, seq, stage, was, 'pending', %(code)s, %(reason)s, %(actor)s FROM u)"
        " SELECT payload_no FROM u",
        values,
    ).fetchone()
    assert row is not None, "the caller holds the row and has looked at its state"
    return int(row[0])
