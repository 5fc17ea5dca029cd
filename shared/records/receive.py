"""Stores a batch of events: inbox, records, payloads, transitions, and the count of arrivals, together or not at all.

Most orders are new: `receive_new` stores all whose record is not there yet in one statement, with the grey records of
their exports. What is left over (an event or a record that exists) goes to `receive_known`. Both take records in
`lock_order`, so that two intakes never wait for each other in a ring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.db.rows import from_clause, parameters
from shared.records.change import Outcome
from shared.records.claim import Claim
from shared.records.states import State


class Incoming(NamedTuple):
    """A decoded event for one record, in the order of the statement's columns. hash names (`source`, `id`).

    after is when it is due, in seconds from now; code says why that is not at once (`announced`), None where it is, and
    reason is the code as the record's list of problems.
    """

    hash: UUID
    source: str
    event_id: str
    event: str
    interface: str
    flow: str
    stage: str
    key: str
    changed_at: datetime
    version: int
    data_hash: UUID
    body: bytes
    traceparent: str | None
    marketplace_id: str | None
    ordered_at: datetime | None
    ship_by: datetime | None
    after: float
    code: str | None
    reason: Jsonb | None
    forced: bool
    test: bool


class Received(NamedTuple):
    """What became of one event: reused says that its id was used before for other data (a rejection).

    claim: the new record was claimed as it was stored.
    """

    outcome: Outcome
    record_id: int | None
    reused: bool = False
    claim: Claim | None = None


class Hold(NamedTuple):
    """Which of a batch are claimed as they are stored, if they are new: seconds each, None for those that are not.

    See `claim.Quota.hold`; intends as in `claim.claim`.
    """

    seconds: Sequence[float | None]
    intends: bool


_TYPES = (
    "uuid", "text", "text", "text", "text", "text", "text", "text", "timestamptz", "int8", "uuid", "bytea", "text",
    "text", "timestamptz", "timestamptz", "float8", "text", "jsonb", "bool", "bool", "float8",
)  # fmt: skip


NO_DATA = UUID(int=0)
"""The data of a record that no event has reached yet."""


def _first_sql(*, one: bool) -> str:
    return f"""
WITH x AS MATERIALIZED (
  SELECT nextval('records_id_seq') AS rid, j.* FROM {from_clause(_TYPES, one=one)}
  AS j(hash, source, id, event, interface, flow, stage, key, changed_at, version, data_hash, body, traceparent,
       marketplace_id, ordered_at, ship_by, after, code, reason, forced, test, hold)),
known AS (SELECT x.hash FROM x JOIN events e ON e.hash = x.hash),
r AS (
  INSERT INTO records(id, interface, flow, key, stage, state, due_at, seq, claim_no, lost, intended, sent_no,
                      forced, test, changed_at, version, data_hash, input_hash, ordered_at, ship_by, marketplace_id,
                      code, reason)
  SELECT rid, interface, flow, key, stage, CASE WHEN hold IS NULL THEN 'pending' ELSE 'running' END,
         now() + make_interval(secs => coalesce(hold, after)), 2 + (hold IS NOT NULL)::int, (hold IS NOT NULL)::int,
         (hold IS NOT NULL)::int, hold IS NOT NULL AND %b, CASE WHEN hold IS NOT NULL AND %b THEN 1 END,
         forced, test, changed_at, version, data_hash, hash, ordered_at, ship_by, marketplace_id, code, reason
  FROM x WHERE NOT EXISTS (SELECT FROM known WHERE known.hash = x.hash)
  ORDER BY interface COLLATE "C", key COLLATE "C"  -- see lock_order: an anti join has its own order
  ON CONFLICT (interface, flow, key) DO NOTHING RETURNING id),
n AS MATERIALIZED (SELECT x.* FROM r JOIN x ON x.rid = r.id),
ev AS (
  INSERT INTO events(hash, source, id, event, interface, key, data_hash, outcome, record_id)
  SELECT hash, source, id, event, interface, key, data_hash, 'applied', rid FROM n RETURNING hash),
p AS (INSERT INTO payloads(record_id, no, body, traceparent) SELECT rid, 1, body, traceparent FROM n),
g AS (INSERT INTO records(interface, flow, key, stage, state, payload_no, changed_at, data_hash, ordered_at,
                          marketplace_id, test)
      SELECT interface, 'order-export', key, 'marketplace', 'never', 0, 'epoch', '{NO_DATA}', ordered_at,
             marketplace_id, test FROM n WHERE flow = 'order-import'
      ORDER BY interface COLLATE "C", key COLLATE "C"
      ON CONFLICT (interface, flow, key) DO UPDATE
      SET ordered_at = coalesce(records.ordered_at, excluded.ordered_at),
          marketplace_id = coalesce(records.marketplace_id, excluded.marketplace_id)),
a AS (INSERT INTO arrivals(event, interface, inputs)
      SELECT event, interface, count(*) FROM n GROUP BY event, interface),
t AS (
  INSERT INTO transitions(record_id, seq, stage, from_state, to_state, claim_no, code)
  SELECT rid, 1, 'connect', NULL, 'done', NULL::int4, NULL FROM n
  UNION ALL SELECT rid, 2, stage, NULL, 'pending', NULL, code FROM n
  UNION ALL SELECT rid, 3, stage, 'pending', 'running', 1, NULL FROM n WHERE hold IS NOT NULL)
SELECT hash, rid, revision, now(), (SELECT pg_current_snapshot()::text)
FROM n LEFT JOIN interfaces i ON hold IS NOT NULL AND i.slug = n.interface
"""  # noqa: S608  # types and columns are ours


_FIRST = {one: _first_sql(one=one) for one in (True, False)}
_ARRIVED = "INSERT INTO arrivals(event, interface, inputs) SELECT * FROM unnest(%s::text[], %s::text[], %s::int[])"


def receive_new(conn: Connection, batch: Sequence[Incoming], hold: Hold | None = None) -> dict[UUID, Received]:
    """Store and count those events of the batch that are new and make a record, in one statement. By hash.

    In the batch each (`source`, `id`) and each (interface, flow, key) occurs once; `runtime.rounds` sees to it.
    """
    if not batch:
        return {}
    hold = hold or Hold([None] * len(batch), False)
    rows = [(*one, seconds) for one, seconds in zip(batch, hold.seconds, strict=True)]
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_FIRST[len(rows) == 1], [*parameters(rows), hold.intends, hold.intends])
        new = cursor.fetchall()
    named = {one.hash: one for one in batch}
    return {row[0]: _received(named[row[0]], *row[1:]) for row in new}


def count_arrivals(conn: Connection, inputs: Sequence[tuple[str, str]]) -> None:
    """Count inputs as (event, interface) where they come in; `?` for an interface that nobody knows."""
    counts = Counter(inputs)
    conn.execute(_ARRIVED, ([e for e, _ in counts], [i for _, i in counts], list(counts.values())))


def _received(one: Incoming, id_: int, revision: int | None, at: datetime, snapshot: str) -> Received:
    """A new record, with its claim where it was stored with one."""
    if revision is None:
        return Received(Outcome.APPLIED, id_)
    claim = Claim(
        id=id_, interface=one.interface, key=one.key, was=State.PENDING, claim_no=1, tries=0, intended=False,
        blocked=False, forced=one.forced, test=one.test, payload_no=1, sent_no=None, remote=None, revision=revision,
        due_at=at, staged_seconds=0.0, trying_seconds=None, snapshot=snapshot, traceparent=one.traceparent,
        body=one.body, sent_body=None,
    )  # fmt: skip
    return Received(Outcome.APPLIED, id_, claim=claim)
