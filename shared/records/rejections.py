"""Rejections: input that was refused, kept with its raw bytes and every problem, until somebody submits it again
or sets it aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import Problem, storable
from shared.people.audit import audit
from shared.records.hashes import body_hash, event_hash
from shared.records.receive import count_arrivals


@dataclass(frozen=True, slots=True)
class Refusal:
    """Input to be refused. interface is `?` where it did not name a known one; event is the queue's word for it."""

    queue: str
    origin: str
    event: str
    interface: str
    source: str | None
    event_id: str | None
    raw: bytes
    content_type: str | None
    routing_key: str | None
    problems: tuple[Problem, ...]


def refuse(conn: Connection, refusal: Refusal) -> tuple[int, bool]:
    """Keep it; returns (rejection id, whether it is new). The same body again is a duplicate of the one that is open or
    was set aside.

    Runs inside the caller's transaction. The arrival is counted by the caller.
    """
    digest = body_hash(refusal.raw)
    new = _insert(conn, refusal, digest)
    if new is not None:
        return new, True
    known = conn.execute(
        "SELECT id FROM rejections WHERE body_hash = %s AND state <> 'resubmitted'", (digest,)
    ).fetchone()
    rejection = int(known[0]) if known else 0
    conn.execute(
        "INSERT INTO duplicates(event, interface, hash, rejection) VALUES (%s, %s, NULL, %s)",
        (refusal.event, refusal.interface, rejection),
    )
    return rejection, False


def _insert(conn: Connection, refusal: Refusal, digest: UUID) -> int | None:
    named = refusal.source is not None and refusal.event_id is not None
    row = conn.execute(
        "INSERT INTO rejections(queue, origin, event, interface, source, event_id, hash, body_hash, raw, content_type,"
        " routing_key, problems) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (body_hash) WHERE state <> 'resubmitted' DO NOTHING RETURNING id",
        (
            refusal.queue,
            storable(refusal.origin),
            refusal.event,
            refusal.interface,
            refusal.source if named else None,
            refusal.event_id if named else None,
            event_hash(refusal.source or "", refusal.event_id or "") if named else None,
            digest,
            refusal.raw,
            None if refusal.content_type is None else storable(refusal.content_type),
            None if refusal.routing_key is None else storable(refusal.routing_key),
            Jsonb([problem.as_json() for problem in refusal.problems]),
        ),
    ).fetchone()
    return None if row is None else int(row[0])


def refuse_once(conn: Connection, refusal: Refusal) -> bool:
    """Keep and count it unless one with the same way in, interface and code is open; whether it is new.

    For what a stranger may send as often as he likes: further ones leave no trace in the database.
    """
    what = f"{refusal.queue}\0{refusal.interface}\0{refusal.problems[0].code}".encode()
    digest = body_hash(what)
    known = conn.execute("SELECT FROM rejections WHERE body_hash = %s AND state <> 'resubmitted'", (digest,)).fetchone()
    if known is not None:
        return False
    with conn.transaction():
        new = _insert(conn, refusal, digest) is not None
        if new:
            count_arrivals(conn, [(refusal.event, refusal.interface)])
    return new


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejection as people see it."""

    id: int
    queue: str
    origin: str
    event: str
    interface: str
    source: str | None
    event_id: str | None
    body_hash: UUID
    raw: bytes
    content_type: str | None
    routing_key: str | None
    problems: list[dict[str, Any]]
    state: str
    received_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    result: dict[str, Any] | None
    reason: str | None


STATES = ("open", "resubmitted", "set-aside")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rejections; what is None does not limit them. code: of any of its problems; since, until: when received."""

    state: str | None = None
    interface: str | None = None
    queue: str | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def values(self) -> dict[str, Any]:
        """For `_WANTED`."""
        state, interface, queue, code = (
            None if said is None else storable(said) for said in (self.state, self.interface, self.queue, self.code)
        )
        return {
            "state": state,
            "interface": interface,
            "queue": queue,
            "code": None if code is None else Jsonb([{"code": code}]),
            "since": self.since,
            "until": self.until,
        }


_WANTED = (
    "(%(state)s::text IS NULL OR state = %(state)s) AND (%(interface)s::text IS NULL OR interface = %(interface)s)"
    " AND (%(queue)s::text IS NULL OR queue = %(queue)s) AND (%(code)s::jsonb IS NULL OR problems @> %(code)s)"
    " AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)"
    " AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)"
)
_COLUMNS = (
    "id, queue, origin, event, interface, source, event_id, body_hash, {raw}, content_type, routing_key, problems,"
    " state, received_at, resolved_at, resolved_by, result, reason"
)


def read_rejection(conn: Connection, rejection: int) -> Rejection | None:
    """One rejection with its raw bytes, or None."""
    row = conn.execute(
        f"SELECT {_COLUMNS.format(raw='raw')} FROM rejections WHERE id = %s",  # noqa: S608
        (rejection,),
    ).fetchone()
    return None if row is None else Rejection(*row)


def list_rejections(
    conn: Connection, wanted: Wanted | None = None, *, before: int | None = None, limit: int = 50
) -> Sequence[Rejection]:
    """The newest first, without their raw bytes; `before` is the id to go on from."""
    rows = conn.execute(
        f"SELECT {_COLUMNS.format(raw=chr(39) * 2 + '::bytea')} FROM rejections WHERE {_WANTED}"  # noqa: S608
        " AND (%(before)s::int8 IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s",
        {**(wanted or Wanted()).values(), "before": before, "limit": limit},
    ).fetchall()
    return [Rejection(*row) for row in rows]


def open_ids(conn: Connection, wanted: Wanted, limit: int) -> list[int]:
    """Ids of open ones, the oldest first: in the order in which they came."""
    rows = conn.execute(
        f"SELECT id FROM rejections WHERE {_WANTED} AND state = 'open' ORDER BY id LIMIT %(limit)s",  # noqa: S608
        {**wanted.values(), "limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def count_by(conn: Connection, column: str, wanted: Wanted) -> dict[str, int]:
    """How many there are by `state`, `queue`, `interface`, or `code` (the first problem's), the most first."""
    value = {"state": "state", "queue": "queue", "interface": "interface", "code": "problems -> 0 ->> 'code'"}[column]
    rows = conn.execute(
        f"SELECT {value}, count(*) FROM rejections WHERE {_WANTED} GROUP BY 1 ORDER BY 2 DESC, 1",  # noqa: S608
        wanted.values(),
    ).fetchall()
    return {name: count for name, count in rows if name is not None}


def became(conn: Connection, one: Rejection) -> dict[str, Any] | None:
    """The record that a resubmission went into: id, flow, key, state; None where there is none (any more)."""
    record = (one.result or {}).get("record_id")
    if record is None:
        return None
    row = conn.execute("SELECT id, flow, key, state FROM records WHERE id = %s", (record,)).fetchone()
    return None if row is None else dict(zip(("id", "flow", "key", "state"), row, strict=True))


def set_aside(conn: Connection, rejection: int, actor: str, reason: str) -> bool:
    """Nobody needs it, because …; False when it is not open. It is kept, and `reopen` takes this back."""
    with conn.transaction():
        row = conn.execute(
            "UPDATE rejections SET state = 'set-aside', resolved_at = now(), resolved_by = %s, reason = %s"
            " WHERE id = %s AND state = 'open' RETURNING id",
            (actor, storable(reason), rejection),
        ).fetchone()
        if row is not None:
            audit(conn, actor, "rejections.set-aside", {"rejection": rejection}, storable(reason))
    return row is not None


def reopen(conn: Connection, rejection: int, actor: str) -> bool:
    """Open one that was set aside; False when it was not."""
    with conn.transaction():
        row = conn.execute(
            "UPDATE rejections SET state = 'open', resolved_at = NULL, resolved_by = NULL, reason = NULL"
            " WHERE id = %s AND state = 'set-aside' RETURNING id",
            (rejection,),
        ).fetchone()
        if row is not None:
            audit(conn, actor, "rejections.reopen", {"rejection": rejection})
    return row is not None


def mark_resubmitted(conn: Connection, rejection: int, actor: str, result: dict[str, Any]) -> bool:
    """It was submitted again with this result; False when somebody else had done so before."""
    row = conn.execute(
        "UPDATE rejections SET state = 'resubmitted', resolved_at = now(), resolved_by = %s, result = %s"
        " WHERE id = %s AND state = 'open' RETURNING id",
        (actor, Jsonb(result), rejection),
    ).fetchone()
    return row is not None
