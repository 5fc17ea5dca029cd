"""The spine without processes: events in, claims out, settles, against a database of the test's own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.records.books import accounting
from shared.records.claim import Claim, Kind, Quota, claim
from shared.records.settle import Settlement
from shared.records.states import State
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival
from tests.support.system import order_event

SLUG = "otto-de"
STAGE = "erp"


def nothing(*_: object) -> None:
    """A failpoint, a beat: passed."""


def store_lane(
    conn: Connection, slug: str = SLUG, mode: str = "live", *, rate: float = 1000.0, at_once: int = 4
) -> None:
    """An interface with both sides, without settings: whoever opens it in a test needs none."""
    conn.execute(
        "INSERT INTO interfaces(slug, title, marketplace, erp, mode) VALUES (%s, 'OTTO', 'otto', 'xentral', %s)",
        (slug, mode),
    )
    for side in ("marketplace", "erp"):
        conn.execute(
            "INSERT INTO sides(interface, side, calls_per_second, calls_at_once) VALUES (%s, %s, %s, %s)",
            (slug, side, rate, at_once),
        )
        conn.execute("INSERT INTO side_states(interface, side) VALUES (%s, %s)", (slug, side))


def event(
    number: str, *, interface: str = SLUG, name: str | None = None, time: datetime | None = None, **order: Any
) -> bytes:
    """The bytes of a good event; `name` is its id, otherwise a new one."""
    whole = order_event(number, **order)
    whole["id"] = name or uuid.uuid4().hex
    whole["data"]["interface"] = interface
    if time is not None:
        whole["time"] = time.isoformat()
    return json.dumps(whole).encode()


def take_in(conn: Connection, *bodies: bytes, **arrival: Any) -> list[Taken]:
    """Take these in as one batch."""
    arrivals = [Arrival(body, "order-imported", "tests", "order-imported", **arrival) for body in bodies]
    return Intake(nothing).take_in(conn, arrivals)


def claims(
    conn: Connection, slots: int = 100, kind: Kind = Kind.NORMAL, *, slug: str = SLUG, hold: float = 55.0
) -> list[Claim]:
    """Claim what is due."""
    return claim(conn, STAGE, [Quota(slug, slots, hold)], kind, intends=True)


def settlement(held: Claim, state: State, *keys: str, **more: Any) -> Settlement:
    """What became of a claim; `after` is 0 where the state needs one."""
    if state in (State.PENDING, State.WAITING):
        more.setdefault("after", 0.0)
    if keys:
        more.setdefault("problems", tuple(Problem("sku-unknown", values={"sku": key}, key=key) for key in keys))
    return Settlement(held, str(state), state, datetime.now(UTC), keys=keys, **more)


def record(conn: Connection, key: str, slug: str = SLUG, flow: str = "order-import") -> dict[str, Any]:
    """One record, by column; `due` says in how many seconds."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "SELECT *, extract(epoch FROM due_at - now())::float8 AS due FROM records"
            " WHERE interface = %s AND flow = %s AND key = %s",
            (slug, flow, key),
        ).fetchone()
    assert found is not None, f"there is no record {key}"
    return found


def states(conn: Connection, flow: str = "order-import") -> dict[str, str]:
    """Every record's state, by key."""
    return dict(conn.execute("SELECT key, state FROM records WHERE flow = %s ORDER BY key", (flow,)).fetchall())


def codes(conn: Connection, key: str, flow: str = "order-import") -> list[str | None]:
    """The codes of a record's history, oldest first."""
    rows = conn.execute(
        "SELECT t.code FROM transitions t JOIN records r ON r.id = record_id WHERE r.key = %s AND r.flow = %s"
        " ORDER BY t.seq",
        (key, flow),
    )
    return [row[0] for row in rows]


def make_due(conn: Connection, *keys: str) -> None:
    """Time passes."""
    conn.execute("UPDATE records SET due_at = now() WHERE key = ANY(%s) AND state <> 'never'", (list(keys),))


def assert_sound(conn: Connection) -> None:
    """The books balance, histories have no gaps, and what a record says of itself fits together."""
    for (day,) in conn.execute("SELECT DISTINCT received_at::date FROM arrivals").fetchall():
        books = accounting(conn, None, day)
        assert books["balanced"], json.dumps(books, default=str, indent=1)
    wrong: Sequence[tuple[Any, ...]] = conn.execute(
        "SELECT 'gap', record_id FROM transitions GROUP BY record_id HAVING max(seq) <> count(*) OR min(seq) <> 1"
        " UNION ALL SELECT 'chain', record_id FROM (SELECT record_id, seq, from_state, lag(to_state) OVER"
        "   (PARTITION BY record_id ORDER BY seq) AS before FROM transitions"
        "   WHERE stage NOT IN ('status', 'tracking')) t WHERE seq > 2 AND from_state IS DISTINCT FROM before"
        " UNION ALL SELECT 'due', id FROM records"
        "   WHERE (due_at IS NULL) <> (state IN ('never', 'done', 'warning', 'failed', 'skipped'))"
        " UNION ALL SELECT 'seq', id FROM records r"
        "   WHERE seq <> (SELECT coalesce(max(seq), 0) FROM transitions WHERE record_id = id)"
        " UNION ALL SELECT 'last', id FROM records r, LATERAL (SELECT to_state FROM transitions WHERE record_id = id"
        "   AND stage NOT IN ('status', 'tracking') ORDER BY seq DESC LIMIT 1) t WHERE to_state <> state"
        " UNION ALL SELECT 'blocked', id FROM records r"
        "   WHERE NOT blocked AND EXISTS (SELECT FROM blocks WHERE record_id = id)"
        " UNION ALL SELECT 'payload', id FROM records r"
        "   WHERE payload_no <> (SELECT count(*) FROM payloads WHERE record_id = id)"
        " UNION ALL SELECT 'trouble', id FROM records r,"
        "   LATERAL (SELECT array_agg(state) AS open FROM troubles WHERE record_id = id AND left_at IS NULL) t"
        "   WHERE CASE WHEN state IN ('failed', 'waiting', 'warning') AND code IS NOT NULL THEN open <> ARRAY[state]"
        "     OR open IS NULL WHEN state IN ('pending', 'running') THEN open <> ARRAY[NULL::text]"
        "     ELSE open IS NOT NULL END"
    ).fetchall()
    assert not wrong, wrong
