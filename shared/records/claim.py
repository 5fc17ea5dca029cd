"""Claims what is due: running, a lease, a fence number, a transition, and the payload, in one statement for all lanes.

A lane is one interface at one stage. The claim asks for nothing but `due_at`: who is owed work is written there. The
literal 5000 bounds the planner's estimate (never the rows), without it a generic plan reads whole tables. The `+ 0`
keeps the planner from looking each row up in the index once more: the array has found them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg import Cursor

from shared.db.connect import Connection
from shared.events.envelope import Event
from shared.records.states import State, Verb, sources

ALONE_AFTER = 2  # lost leases after which a record is claimed alone
LOST_AFTER = 5  # lost leases after which it fails


class Kind(StrEnum):
    """Which rows of the lanes: the normal ones, those forced by hand, those that lost leases (one, alone)."""

    NORMAL = "lost < 2"
    FORCED = "forced AND lost < 2"
    SUSPECT = "lost >= 2 AND lost < 5"
    FORCED_SUSPECT = "forced AND lost >= 2 AND lost < 5"


@dataclass(frozen=True, slots=True)
class Quota:
    """How many rows of one interface to claim. hold: seconds until another worker may claim them, see `runtime.timing`.

    floor: no due row is older, as far as is known; dead index entries before it need not be walked.
    """

    interface: str
    slots: int
    hold: float
    floor: datetime | None = None


class Claim(NamedTuple):
    """A record in a worker's hands. was: its state before; intended: an earlier claim may have made the call (it said
    so, or its lease was lost).

    body is the wanted copy; sent_body the copy last sent, if that is another one (a look-up tells whether it arrived).
    staged_seconds: age of the wanted copy; trying_seconds: since the first failed try. snapshot: what the claim could
    see, for the keys.
    called_seconds: since the last call that is not idempotent, None if there was none or its worker died over it.
    event: the body as intake has read it, if it comes straight from there.
    """

    id: int
    interface: str
    key: str
    was: State
    claim_no: int
    tries: int
    intended: bool
    blocked: bool
    forced: bool
    test: bool
    payload_no: int
    sent_no: int | None
    remote: str | None
    revision: int
    due_at: datetime
    staged_seconds: float
    trying_seconds: float | None
    snapshot: str
    traceparent: str | None
    body: bytes
    sent_body: bytes | None
    called_seconds: float | None = None
    event: Event[Any] | None = None


def _claim_sql(kind: Kind) -> str:
    return f"""
WITH c AS MATERIALIZED (
  SELECT r.id, r.state, r.intended OR r.state = 'running' AS intended, r.sent_no, r.due_at, l.hold
  FROM unnest(%(lanes)s::text[], %(slots)s::int[], %(holds)s::float8[], %(floors)s::timestamptz[]) AS l(i, n, hold, f),
    LATERAL (SELECT id, state, intended, sent_no, due_at FROM records
             WHERE stage = %(stage)s AND interface = l.i AND due_at <= now() AND due_at >= l.f AND {kind}
             ORDER BY due_at LIMIT l.n FOR UPDATE SKIP LOCKED) r
  LIMIT 5000),
u AS (
  UPDATE records r SET state = 'running', due_at = now() + make_interval(secs => c.hold), claim_no = r.claim_no + 1,
         seq = r.seq + 1, lost = r.lost + 1, intended = c.intended OR %(intends)s, updated_at = now(),
         sent_no = CASE WHEN %(intends)s THEN coalesce(r.sent_no, r.payload_no) ELSE r.sent_no END
  FROM c WHERE r.id + 0 = c.id AND r.id = ANY(ARRAY(SELECT id FROM c))
  RETURNING r.id, r.interface, r.key, c.state AS was, r.claim_no, r.tries, c.intended, r.blocked, r.forced, r.test,
            r.payload_no, c.sent_no, r.remote, r.seq, r.stage, c.due_at, r.trying_since),
t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, claim_no)
      SELECT id, seq, stage, was, 'running', claim_no FROM u)
SELECT u.id, u.interface, u.key, u.was, u.claim_no, u.tries, u.intended, u.blocked, u.forced, u.test, u.payload_no,
       u.sent_no, u.remote, i.revision, u.due_at, date_part('epoch', now() - p.received_at),
       date_part('epoch', now() - u.trying_since), (SELECT pg_current_snapshot()::text), p.traceparent, p.body, s.body,
       CASE WHEN u.intended THEN (SELECT date_part('epoch', now() - max(a.ended_at)) FROM attempts a
                                  WHERE a.record_id = u.id AND a.called) END
FROM u LEFT JOIN payloads p ON p.record_id = u.id AND p.no = u.payload_no
     LEFT JOIN interfaces i ON i.slug = u.interface
     LEFT JOIN payloads s ON s.record_id = u.id AND s.no = u.sent_no AND u.sent_no <> u.payload_no
"""  # noqa: S608  # the kind is one of our constants


_CLAIM = {kind: _claim_sql(kind) for kind in Kind}
_COPIES = """
SELECT c.id, date_part('epoch', now() - p.received_at), p.traceparent, p.body, s.body
FROM unnest(%s::int8[], %s::int4[], %s::int4[]) AS c(id, no, sent_no)
     JOIN payloads p ON p.record_id = c.id AND p.no = c.no
     LEFT JOIN payloads s ON s.record_id = c.id AND s.no = c.sent_no AND c.sent_no <> c.no
"""
_BEGINNING = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def claim(conn: Connection, stage: str, quotas: Sequence[Quota], kind: Kind, *, intends: bool) -> list[Claim]:
    """Claim due rows of these lanes, oldest first in each, skipping what others hold.

    intends: the stage's call is not idempotent, so the claim itself is the committed intent to make it, and of which
    copy; a settle that sent nothing takes both back.
    """
    if not quotas:
        return []
    with conn.cursor(binary=True) as cursor:
        cursor.execute(
            _CLAIM[kind],
            {
                "stage": stage,
                "lanes": [q.interface for q in quotas],
                "slots": [q.slots for q in quotas],
                "holds": [q.hold for q in quotas],
                "floors": [q.floor or _BEGINNING for q in quotas],
                "intends": intends,
            },
        )
        found = [Claim(row[0], row[1], row[2], State(row[3]), *row[4:]) for row in cursor.fetchall()]
        return _with_copies(cursor, found)


def _with_copies(cursor: Cursor[tuple[Any, ...]], claims: Sequence[Claim]) -> list[Claim]:
    """A statement sees what was there when it began, and locks what is there now: the copy of an event that was taken
    in meanwhile is the record's, and not yet seen. So it is read once more; without it the claim would be nobody's.

    A record that has lost its copies, by whatever hand, is nobody's and fails as `worker-lost`; its neighbours go on.
    """
    unseen = [one for one in claims if not one.body]
    if not unseen:
        return list(claims)
    cursor.execute(_COPIES, tuple(map(list, zip(*((c.id, c.payload_no, c.sent_no) for c in unseen), strict=True))))
    copies = {row[0]: row[1:] for row in cursor.fetchall()}
    names = ("staged_seconds", "traceparent", "body", "sent_body")
    return [
        one if one.body else one._replace(**dict(zip(names, copies[one.id], strict=True)))
        for one in claims
        if one.body or one.id in copies
    ]


def lanes_with_work(conn: Connection, stage: str, interfaces: Sequence[str]) -> list[str]:
    """Which of these interfaces have something due at the stage: the poll behind the wake-ups."""
    rows = conn.execute(
        "SELECT i FROM unnest(%s::text[]) i"
        " WHERE EXISTS (SELECT FROM records WHERE stage = %s AND interface = i AND due_at <= now())",
        (list(interfaces), stage),
    )
    return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class Special:
    """What an interface has due that is not claimed as usual."""

    interface: str
    forced: bool
    suspect: bool


def special_work(conn: Connection, stage: str, interfaces: Sequence[str]) -> list[Special]:
    """Which of these have something due that was forced by hand or has lost leases."""
    rows = conn.execute(
        "SELECT i, s.forced, s.suspect FROM unnest(%s::text[]) i, LATERAL (SELECT bool_or(forced) AS forced,"
        "   bool_or(lost >= 2) AS suspect FROM records"
        "   WHERE stage = %s AND interface = i AND due_at <= now() AND (forced OR lost >= 2)) s"
        " WHERE s.forced IS NOT NULL",
        (list(interfaces), stage),
    )
    return [Special(*row) for row in rows]


def place_of(claim: Claim) -> tuple[str, str]:
    """Where its record stands in `lock_order`: a worker's are of one flow."""
    return claim.interface, claim.key


def renew(conn: Connection, claims: Sequence[tuple[Claim, float]]) -> set[int]:
    """Renew the leases of these, for so many seconds each; returns the ids that are still ours."""
    ordered = sorted(claims, key=lambda one: place_of(one[0]))
    rows = conn.execute(
        "UPDATE records r SET due_at = now() + make_interval(secs => c.hold)"
        " FROM unnest(%s::int8[], %s::int4[], %s::float8[]) AS c(id, claim_no, hold)"
        " WHERE r.id = c.id AND r.claim_no = c.claim_no AND r.state || '' = 'running' RETURNING r.id",  # see settle
        (
            [one.id for one, _ in ordered],
            [one.claim_no for one, _ in ordered],
            [hold for _, hold in ordered],
        ),
    )
    return {row[0] for row in rows}


def release(conn: Connection, claims: Sequence[Claim]) -> None:
    """Give back claims that were never begun (shutdown): pending, due now, no try and no lease counted."""
    ordered = sorted(claims, key=place_of)
    conn.execute(
        "WITH c AS (SELECT * FROM unnest(%s::int8[], %s::int4[], %s::bool[], %s::int4[])"
        "   AS c(id, claim_no, intended, sent_no)),"
        " u AS (UPDATE records r SET state = 'pending', due_at = now(), seq = r.seq + 1, lost = 0,"
        "   intended = c.intended OR r.recheck, sent_no = CASE WHEN r.recheck THEN r.sent_no ELSE c.sent_no END,"
        "   updated_at = now() FROM c WHERE r.id = c.id AND r.claim_no = c.claim_no"
        "   AND r.state || '' = ANY(%s) RETURNING r.id, r.seq, r.stage, r.claim_no)"
        " INSERT INTO transitions(record_id, seq, stage, from_state, to_state, claim_no, code)"
        " SELECT id, seq, stage, 'running', 'pending', claim_no, 'worker-stopped' FROM u",
        (
            [c.id for c in ordered],
            [c.claim_no for c in ordered],
            [c.intended for c in ordered],
            [c.sent_no for c in ordered],
            sources(Verb.RELEASE),
        ),
    )


def fail_lost(conn: Connection, stage: str, interfaces: Sequence[str]) -> int:
    """Records whose workers died five times fail with `worker-lost`; returns how many."""
    rows = conn.execute(
        "WITH u AS (UPDATE records r SET state = 'failed', due_at = NULL, seq = seq + 1, lost = 0, forced = false,"
        '   code = \'worker-lost\', reason = \'[{"code": "worker-lost", "field": "", "values": {}}]\','
        "   updated_at = now() WHERE stage = %s AND interface = ANY(%s) AND due_at <= now() AND lost >= %s"
        "   AND (forced OR lost >= 2) AND state = ANY(%s) RETURNING id, seq, r.stage, claim_no, reason)"
        " INSERT INTO transitions(record_id, seq, stage, from_state, to_state, claim_no, code, reason)"
        " SELECT id, seq, stage, 'running', 'failed', claim_no, 'worker-lost', reason FROM u RETURNING 1",
        (stage, list(interfaces), LOST_AFTER, sources(Verb.LOSE)),
    ).fetchall()
    return len(rows)
