"""Compares what Postgres holds with the model: records, histories, blocks, the fate of every event, and the books."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.records.books import accounting
from shared.records.claim import Claim, Kind, Quota, claim, fail_lost
from shared.records.settle import settle
from shared.records.states import FINAL, State
from tests.support.model import Model, Order
from tests.support.spine import SLUG, STAGE, settlement

NEAR = 60.0  # seconds: the model's clock stands still while a slow machine thinks

_RECORDS = """
SELECT r.id, r.key, r.state, r.claim_no, r.tries, r.lost, r.payload_no, r.sent_no, r.intended, r.recheck, r.blocked,
       r.forced, r.test, r.seq, extract(epoch FROM r.due_at - now())::float8 AS due, r.due_at <= now() AS is_due,
       (SELECT p.body FROM payloads p WHERE p.record_id = r.id AND p.no = r.payload_no) AS body,
       (SELECT count(*) FROM payloads p WHERE p.record_id = r.id) AS copies,
       ARRAY(SELECT key FROM blocks b WHERE b.record_id = r.id ORDER BY key) AS keys,
       (SELECT jsonb_agg(jsonb_build_array(t.seq, t.from_state, t.to_state, t.code) ORDER BY t.seq)
        FROM transitions t WHERE t.record_id = r.id) AS history
FROM records r WHERE r.flow = 'order-import'
"""
_INPUTS = """
SELECT (SELECT jsonb_object_agg(source || ' ' || id, outcome) FROM events), (SELECT count(*) FROM duplicates),
       (SELECT count(*) FROM rejections), (SELECT coalesce(sum(inputs), 0) FROM arrivals)
"""


def assert_agrees(conn: Connection, model: Model) -> None:
    """Every record, every event and the books say what the model says."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = {row["key"]: row for row in cursor.execute(_RECORDS).fetchall()}
    assert set(rows) == set(model.orders)
    for number, order in model.orders.items():
        _assert_same(order, rows[number], model.now)
    outcomes, doubles, refused, arrived = conn.execute(_INPUTS).fetchone() or ()
    wanted = {f"{source} {id_}": outcome for (source, id_), (_, outcome) in model.events.items()}
    assert (outcomes or {}) == wanted, "each event has its one outcome"
    assert (doubles, refused, arrived) == (model.doubles, len(model.refused), model.arrived)
    assert arrived == len(wanted) + doubles + refused
    books = accounting(conn, None, datetime.now(UTC).date())
    assert books["balanced"], json.dumps(books, default=str, indent=1)


def _assert_same(order: Order, row: dict[str, Any], now: float) -> None:
    found = {
        "id": row["id"],
        "state": State(row["state"]),
        "claim_no": row["claim_no"],
        "tries": row["tries"],
        "lost": row["lost"],
        "sent": row["sent_no"],
        "intended": row["intended"],
        "recheck": row["recheck"],
        "forced": row["forced"],
        "test": row["test"],
        "keys": set(row["keys"]),
    }
    assert found == {name: getattr(order, name) for name in found}, order.number
    assert row["blocked"] == bool(row["keys"]), "blocked says whether there are blocks"
    assert (row["body"], row["payload_no"], row["copies"]) == (order.wanted.body, len(order.copies), len(order.copies))
    history = [(1, None, "done", None), *((no, *one) for no, one in enumerate(order.history, 2))]
    assert [tuple(one) for one in row["history"]] == history, "no gap, and only known ways"
    assert row["seq"] == len(history)
    assert (row["due"] is None) == (order.due is None) == (order.state in FINAL)
    if order.due is not None:
        assert row["is_due"] == (order.due <= now), (order.number, row["due"], order.due - now)
        assert abs(min(order.due - now, 0.0) - min(row["due"], 0.0)) < NEAR
        assert abs(max(order.due - now, 0.0) - max(row["due"], 0.0)) < NEAR, (order.number, row["due"], order.due - now)


class _Undo(Exception):
    """Takes back what was tried."""


def assert_fenced(conn: Connection, model: Model, outstanding: Sequence[Claim]) -> None:
    """Of all claims that somebody believes to hold, those are accepted that the model says count: one per record."""
    batch = [settlement(one, State.DONE) for one in outstanding]
    counting = {one.id for one in outstanding if model.holds(one)}
    accepted: list[int] = []
    try:
        with conn.transaction():
            for one in batch:
                if (one.claim.id, one.claim.claim_no) not in model.attempted:
                    accepted += settle(conn, [one]).states
            raise _Undo
    except _Undo:
        assert sorted(accepted) == sorted(counting)


def assert_nothing_forgotten(conn: Connection, model: Model) -> None:
    """Once its time has come, all that is not final is claimed, alone where it lost leases, or given up on by name."""
    owed = {order.id for order in model.orders.values() if order.state not in FINAL}
    found: list[int] = []
    try:
        with conn.transaction():
            conn.execute("UPDATE records SET due_at = now() WHERE due_at IS NOT NULL")
            for kind in (Kind.NORMAL, Kind.SUSPECT):
                found += [one.id for one in claim(conn, STAGE, [Quota(SLUG, 100, 600.0)], kind, intends=True)]
            hopeless = fail_lost(conn, STAGE, [SLUG])
            raise _Undo
    except _Undo:
        assert len(found) == len(set(found))
        assert len(found) + hopeless == len(owed)
        assert set(found) <= owed
