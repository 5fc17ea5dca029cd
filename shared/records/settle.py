"""Settles claims: state, history and attempt in one statement for many, fenced by the number of the claim.

A row that is not hit was taken over by another worker; if a call had been made for it, it is marked to be read back.

The fence asks for `state || ''`, so that the planner cannot take the Journal's index by state for it: few records run
at a time, so it expects one row there and compares each row with each of the batch, 62,500 times for 250.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.db.rows import from_clause, parameters
from shared.errors.problem import Problem, storable
from shared.records.claim import Claim, place_of
from shared.records.keys import block, lock_keys
from shared.records.lock_order import LOCK_ORDER
from shared.records.parts import PartState, store_parts
from shared.records.states import State, Verb, allowed, sources


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of a claim. after: seconds until it is due again, None in a final state.

    called: a call that is not idempotent was sent, so the remote system may have the claimed copy; sent: it surely has
    it; detail goes to the attempt. tries is the new count of the retry budget, trying says whether it is in use.
    repeatable: once a copy has surely been sent, nobody needs to know any more that a call's outcome was unknown.
    parts: of an export; they are stored with it. calls: what was said to remote systems, see `exchanges.pack`.
    """

    claim: Claim
    outcome: str
    state: State
    started_at: datetime
    after: float | None = None
    problems: tuple[Problem, ...] = ()
    keys: tuple[str, ...] = ()
    remote: str | None = None
    called: bool = False
    sent: bool = False
    tries: int = 0
    trying: bool = False
    detail: dict[str, object] | None = None
    repeatable: bool = False
    parts: tuple[PartState, ...] = ()
    calls: bytes | None = None

    def __post_init__(self) -> None:
        assert allowed(Verb.SETTLE, State.RUNNING, self.state), self.state
        assert (self.after is not None) == (self.state in (State.PENDING, State.WAITING)), self

    @property
    def code(self) -> str | None:
        """The first problem's code."""
        return self.problems[0].code if self.problems else None


_TYPES = (
    "int8", "int4", "int4", "text", "float8", "text", "jsonb", "text", "bool", "bool", "bool", "int4", "int2", "bool",
    "bool", "text", "timestamptz", "jsonb", "bytea",
)  # fmt: skip


def _settle_sql(*, one: bool) -> str:
    return f"""
WITH s AS MATERIALIZED (
  SELECT * FROM {from_clause(_TYPES, one=one)}
  AS s(id, claim_no, handled_no, state, after, code, reason, remote, sent, called, intended, had_no, tries, trying,
       blocked, outcome, started_at, detail, calls)),
f AS (
  UPDATE records r SET
    state = CASE WHEN r.payload_no > s.handled_no OR r.recheck THEN 'pending' ELSE s.state END,
    due_at = CASE WHEN r.payload_no > s.handled_no OR r.recheck
                  THEN now() + make_interval(secs => CASE WHEN s.state = 'waiting' OR s.called THEN coalesce(s.after, 0)
                                                          ELSE 0 END)
                  WHEN s.after IS NULL THEN NULL ELSE now() + make_interval(secs => s.after) END,
    code = s.code, reason = s.reason, remote = coalesce(s.remote, r.remote),
    sent_no = CASE WHEN s.sent OR s.called THEN s.handled_no WHEN r.recheck THEN r.sent_no ELSE s.had_no END,
    intended = s.intended OR s.called OR r.recheck,
    tries = s.tries, trying_since = CASE WHEN s.trying THEN coalesce(r.trying_since, now()) END,
    blocked = s.blocked, lost = 0, recheck = false,
    forced = r.forced AND (s.after IS NOT NULL OR r.payload_no > s.handled_no OR r.recheck),
    seq = r.seq + 1, updated_at = now()
  FROM s WHERE r.id = s.id AND r.claim_no = s.claim_no AND r.state || '' = 'running'
  RETURNING r.id, r.claim_no, r.seq, r.stage, r.state, s.code, s.reason, s.outcome, s.started_at, s.called, s.detail,
            s.calls),
t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, claim_no, code, reason)
      SELECT id, seq, stage, 'running', state, claim_no, code, reason FROM f),
a AS (INSERT INTO attempts(record_id, claim_no, stage, started_at, outcome, code, called, detail)
      SELECT id, claim_no, stage, started_at, outcome, code, called, detail FROM f),
e AS (INSERT INTO exchanges(record_id, claim_no, body) SELECT id, claim_no, calls FROM f WHERE calls IS NOT NULL)
SELECT id, state FROM f
"""  # noqa: S608  # types and columns are ours


_SETTLE = {one: _settle_sql(one=one) for one in (True, False)}


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a batch: the states the records have now, by id, and the claims that were no longer ours."""

    states: dict[int, State]
    refused: list[Settlement]


_SETTLED_BEFORE = """
SELECT r.id, r.state FROM unnest(%s::int8[], %s::int4[]) AS s(id, claim_no)
JOIN attempts a ON a.record_id = s.id AND a.claim_no = s.claim_no JOIN records r ON r.id = s.id
"""


def settle(conn: Connection, batch: Sequence[Settlement]) -> Settled:
    """Settle a batch. Rows without keys go in one autocommitted statement, the others with their keys locked first.

    Settling again what was settled (the connection ended before the answer came) finds it settled.
    """
    plain = [s for s in batch if not s.keys and not s.claim.blocked and not s.parts]
    keyed = [s for s in batch if s.keys or s.claim.blocked or s.parts]
    states: dict[int, State] = {}
    if plain:
        states.update(_settle(conn, plain))
    for snapshot in sorted({s.claim.snapshot for s in keyed}):
        states.update(_settle_keyed(conn, [s for s in keyed if s.claim.snapshot == snapshot], snapshot))
    missing = [s.claim for s in batch if s.claim.id not in states]
    if missing:
        before = conn.execute(_SETTLED_BEFORE, ([c.id for c in missing], [c.claim_no for c in missing])).fetchall()
        states.update((id_, State(state)) for id_, state in before)
    return Settled(states, [s for s in batch if s.claim.id not in states])


def _settle(conn: Connection, batch: Sequence[Settlement]) -> dict[int, State]:
    rows = [
        (
            s.claim.id, s.claim.claim_no, s.claim.payload_no, str(s.state), s.after, s.code,
            Jsonb([p.as_json() for p in s.problems]) if s.problems else None, s.remote and storable(s.remote),
            s.sent, s.called and not (s.repeatable and s.sent),
            s.claim.intended and not (s.repeatable and s.sent),
            s.claim.sent_no, s.tries, s.trying, bool(s.keys), s.outcome, s.started_at,
            Jsonb({k: storable(v) if isinstance(v, str) else v for k, v in s.detail.items()}) if s.detail else None,
            s.calls,
        )
        for s in sorted(batch, key=lambda s: place_of(s.claim))
    ]  # fmt: skip
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_SETTLE[len(rows) == 1], parameters(rows))
        return {id_: State(state) for id_, state in cursor.fetchall()}


def _settle_keyed(conn: Connection, batch: Sequence[Settlement], snapshot: str) -> dict[int, State]:
    with conn.transaction():
        wanted = {(s.claim.interface, key) for s in batch for key in s.keys}
        raised = lock_keys(conn, wanted, snapshot) if wanted else set()
        decided = [_overtaken(s) if any((s.claim.interface, key) in raised for key in s.keys) else s for s in batch]
        states = _settle(conn, decided)
        rows = [(s.claim.interface, key, s.claim.id) for s in decided for key in s.keys if s.claim.id in states]
        block(conn, rows, list(states))
        store_parts(
            conn, [(s.claim.id, s.claim.claim_no, part) for s in decided for part in s.parts if s.claim.id in states]
        )
        return states


def _overtaken(s: Settlement) -> Settlement:
    """A key came true while the handler was looking: look again now, whatever it said."""
    return Settlement(
        s.claim, s.outcome, State.PENDING, s.started_at, after=0.0 if not s.called else s.after or 0.0,
        problems=(Problem("key-came-true", values={"key": s.keys[0]}),), remote=s.remote, called=s.called,
        sent=s.sent, tries=s.claim.tries, detail=s.detail, repeatable=s.repeatable,
        parts=tuple(part for part in s.parts if not part.keyed), calls=s.calls,
    )  # fmt: skip


def mark_for_reading_back(conn: Connection, refused: Sequence[Settlement], after: float) -> int:
    """Records whose call was made by a worker that no longer held them are looked at once more, after the lag.

    One that another worker holds now is marked, and its settle sends it back. The call is noted as an attempt, so that
    the next look waits for the lag whoever takes it. Returns how many were found.
    """
    called = {s.claim.id: s for s in refused if s.called}
    ordered = [called[id_] for id_ in sorted(called)]
    rows = conn.execute(
        "WITH s AS (SELECT * FROM"  # noqa: S608 - our own text
        "   unnest(%(ids)s::int8[], %(claims)s::int4[], %(copies)s::int4[], %(began)s::timestamptz[])"
        "   AS s(id, claim_no, handled_no, started_at)),"
        f" o AS (SELECT id, state FROM records r WHERE id = ANY(%(ids)s) {LOCK_ORDER} FOR UPDATE),"
        " u AS (UPDATE records r SET recheck = (o.state = 'running'), intended = true,"
        "   sent_no = coalesce(r.sent_no, s.handled_no),"
        "   state = CASE WHEN o.state = ANY(%(from)s) THEN 'pending' ELSE r.state END,"
        "   due_at = CASE WHEN o.state = ANY(%(from)s) THEN now() + make_interval(secs => %(after)s) ELSE r.due_at END,"
        "   seq = r.seq + (o.state = ANY(%(from)s))::int, updated_at = now() FROM o JOIN s USING (id) WHERE r.id = o.id"
        "   RETURNING r.id, r.seq, r.stage, r.state, o.state AS was, s.claim_no, s.started_at),"
        " a AS (INSERT INTO attempts(record_id, claim_no, stage, started_at, outcome, called)"
        "   SELECT id, claim_no, stage, started_at, 'fenced', true FROM u ON CONFLICT DO NOTHING),"
        " t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code)"
        "   SELECT id, seq, stage, was, 'pending', 'read-back' FROM u WHERE was = ANY(%(from)s))"
        " SELECT id FROM u",
        {
            "ids": [s.claim.id for s in ordered],
            "claims": [s.claim.claim_no for s in ordered],
            "copies": [s.claim.payload_no for s in ordered],
            "began": [s.started_at for s in ordered],
            "from": sources(Verb.VERIFY),
            "after": after,
        },
    ).fetchall()
    return len(rows)
