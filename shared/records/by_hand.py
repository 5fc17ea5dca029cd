"""Done by hand: a person has created the order in the ERP, and Connect is to know its number there.

From then on Connect creates it no more, whatever changes on the marketplace, and its exports go on.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import Problem, storable
from shared.records.keys import raise_key
from shared.records.states import State, Verb, sources

CODE = "done-by-hand"
BY_HAND_NO = 0
"""`sent_no` of such a record: there is a copy in the remote system, and it is none that was staged here."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What became of the wish. done: it is marked; state: what it was before; released: how many exports go on."""

    done: bool
    state: State
    released: int = 0


def mark_done_by_hand(conn: Connection, record_id: int, erp_number: str, actor: str) -> ByHand | None:
    """Mark an order of order-import done with its number in the ERP. None when there is no such order.

    One that a worker holds at the moment, or that is done already, is left alone: the worker may be creating it.
    """
    remote = storable(erp_number.strip())
    problem = Problem(CODE, values={"remote": remote, "actor": actor})
    with conn.transaction():
        row = conn.execute(
            "SELECT state, interface, key FROM records WHERE id = %s AND flow = 'order-import' FOR UPDATE", (record_id,)
        ).fetchone()
        if row is None:
            return None
        state, interface, number = State(row[0]), row[1], row[2]
        if str(state) not in sources(Verb.BY_HAND):
            return ByHand(False, state)
        conn.execute("DELETE FROM blocks WHERE record_id = %s", (record_id,))
        conn.execute(
            "WITH u AS (UPDATE records SET state = 'done', due_at = NULL, seq = seq + 1, remote = %(remote)s,"
            "   sent_no = %(copy)s, intended = false, recheck = false, blocked = false, forced = false, lost = 0,"
            "   tries = 0, trying_since = NULL, code = %(code)s, reason = %(reason)s, updated_at = now()"
            "   WHERE id = %(id)s RETURNING id, seq, stage)"
            " INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, reason, actor)"
            " SELECT id, seq, stage, %(was)s, 'done', %(code)s, %(reason)s, %(actor)s FROM u",
            {
                "id": record_id,
                "remote": remote,
                "copy": BY_HAND_NO,
                "was": str(state),
                "code": CODE,
                "reason": Jsonb([problem.as_json()]),
                "actor": actor,
            },
        )
        return ByHand(True, state, raise_key(conn, interface, f"order:{number}"))
