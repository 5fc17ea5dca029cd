"""Decides what events mean for records that exist: the newest wins, all of a batch in a handful of statements.

Rows are locked in the order of their keys, then the events of each are weighed one after the other by `change.decide`,
and only what comes out in the end is written: of ten changes of one article the newest copy is staged, and nine events
are superseded. What is superseded may still add to the staged copy where a flow merges (shipments).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from shared.db.connect import Connection
from shared.db.rows import from_clause, parameters
from shared.records.change import Outcome, Standing, decide
from shared.records.receive import Incoming, Received, count_arrivals
from shared.records.states import State, Verb, allowed

Merge = Callable[[bytes, bytes, bool], bytes | None]
"""(the staged copy, another one, whether that is the newer one) → the copy to stage, None for the staged one."""

UNTARGETED = "?"
"""The interface of an input that concerns none."""


@dataclass(slots=True)
class _Row:
    """A locked record, and what the batch makes of it."""

    id: int
    was: State
    state: State
    staged: Standing
    body: bytes | None
    newest: Incoming | None = None  # the event of the batch that is applied in the end
    forced: bool = False
    copied: bool = False  # the copy to stage is another one now
    confirmed: bool = False  # the same data as of a later time


class NotThere(Exception):
    """These events are of records that do not exist: `receive_new` makes them, in their turn. hashes: of the events."""

    def __init__(self, hashes: Collection[UUID]) -> None:
        super().__init__(f"{len(hashes)} records are not there")
        self.hashes = frozenset(hashes)


def receive_known(conn: Connection, batch: Sequence[Incoming], merges: Mapping[str, Merge]) -> dict[UUID, Received]:
    """Decide and count these events; each (`source`, `id`) occurs once, keys are sorted. In the caller's transaction.

    merges: by flow, how another copy adds to the staged one. Raises NotThere, with which the transaction must end, and
    psycopg.errors.SerializationFailure when another intake took one of the events in at the same moment: try again.
    """
    if not batch:
        return {}
    count_arrivals(conn, [(one.event, one.interface) for one in batch])
    rows = _lock(conn, [one for one in batch if one.interface != UNTARGETED])
    seen = _seen(conn, batch)
    missing = [
        one.hash for one in batch if one.interface != UNTARGETED and one.hash not in seen and _place(one) not in rows
    ]
    if missing:
        raise NotThere(missing)
    _read_staged(conn, rows, merges)
    results: dict[UUID, Received] = {}
    outcomes: dict[UUID, tuple[Outcome, int | None]] = {}
    for one in batch:
        if one.hash in seen:
            data_hash, record_id = seen[one.hash]
            same = data_hash == one.data_hash
            results[one.hash] = Received(
                Outcome.DUPLICATE if same else Outcome.REJECTED, record_id if same else None, reused=not same
            )
        elif one.interface == UNTARGETED:
            outcomes[one.hash] = Outcome.NO_TARGET, None
            results[one.hash] = Received(Outcome.NO_TARGET, None)
        else:
            row = rows[_place(one)]
            previous = row.newest
            outcome = _weigh(row, one, merges.get(one.flow))
            if outcome is Outcome.APPLIED and previous is not None:
                outcomes[previous.hash] = Outcome.SUPERSEDED, row.id
            outcomes[one.hash] = outcome, row.id
            results[one.hash] = Received(outcome, row.id)
    _store_duplicates(conn, [one for one in batch if one.hash in seen and not results[one.hash].reused])
    _store_events(conn, [(one, *outcomes[one.hash]) for one in batch if one.hash in outcomes])
    _store_rows(conn, [row for row in rows.values() if row.copied or row.confirmed])
    return results


def _place(one: Incoming) -> tuple[str, str, str]:
    return one.interface, one.flow, one.key


_LOCK = """
SELECT w.i, w.f, w.k, r.id, r.state, r.changed_at, r.version, r.data_hash
FROM unnest(%s::text[], %s::text[], %s::text[]) AS w(i, f, k),
  LATERAL (SELECT id, state, changed_at, version, data_hash FROM records
           WHERE interface = w.i AND flow = w.f AND key = w.k FOR UPDATE) r
"""


def _lock(conn: Connection, batch: Sequence[Incoming]) -> dict[tuple[str, str, str], _Row]:
    places = list(dict.fromkeys(map(_place, batch)))
    found = conn.execute(_LOCK, tuple(map(list, zip(*places, strict=True)))).fetchall() if places else []
    return {
        (interface, flow, key): _Row(id_, State(state), State(state), Standing(*staged), None)
        for interface, flow, key, id_, state, *staged in found
    }


def _seen(conn: Connection, batch: Sequence[Incoming]) -> dict[UUID, tuple[UUID, int | None]]:
    """The events that were taken in before; asked under the locks, so that nobody takes one in meanwhile."""
    found = conn.execute(
        "SELECT hash, data_hash, record_id FROM events WHERE hash = ANY(%s::uuid[])", ([one.hash for one in batch],)
    )
    return {hash_: (data_hash, record_id) for hash_, data_hash, record_id in found}


def _read_staged(conn: Connection, rows: Mapping[tuple[str, str, str], _Row], merges: Mapping[str, Merge]) -> None:
    merging = {row.id: row for (_, flow, _), row in rows.items() if flow in merges}
    if not merging:
        return
    for id_, body in conn.execute(
        "SELECT r.id, p.body FROM records r JOIN payloads p ON p.record_id = r.id AND p.no = r.payload_no"
        " WHERE r.id = ANY(%s)",
        (list(merging),),
        binary=True,
    ):
        merging[id_].body = bytes(body)


def _weigh(row: _Row, one: Incoming, merge: Merge | None) -> Outcome:
    """What one more event means for the record, given all that came before it."""
    decision = decide(row.staged, row.state, Standing(one.changed_at, one.version, one.data_hash))
    newer = decision.outcome is Outcome.APPLIED
    if newer or decision.confirms:
        row.staged = Standing(one.changed_at, one.version, one.data_hash)
        row.confirmed = True
    if newer:
        row.newest, row.forced = one, row.forced or one.forced
    copy = one.body if newer else None
    if merge is not None and row.body is not None and decision.outcome is not Outcome.DUPLICATE:
        copy = merge(row.body, one.body, newer)
    if copy is not None:
        row.body, row.copied = copy, True
        if row.state is not State.RUNNING:
            row.state = State.PENDING
    return decision.outcome


def _store_duplicates(conn: Connection, doubles: Sequence[Incoming]) -> None:
    if doubles:
        conn.execute(
            "INSERT INTO duplicates(event, interface, hash) SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[])",
            ([o.event for o in doubles], [o.interface for o in doubles], [o.hash for o in doubles]),
        )


_EVENT_TYPES = ("uuid", "text", "text", "text", "text", "text", "uuid", "text", "int8")
_EVENTS = {
    one: (
        "INSERT INTO events(hash, source, id, event, interface, key, data_hash, outcome, record_id)"  # noqa: S608
        f" SELECT * FROM {from_clause(_EVENT_TYPES, one=one)} AS e(hash, source, id, event, interface, key, data_hash,"
        " outcome, record_id) ON CONFLICT DO NOTHING RETURNING 1"
    )
    for one in (True, False)
}


def _store_events(conn: Connection, events: Sequence[tuple[Incoming, Outcome, int | None]]) -> None:
    rows = [
        (o.hash, o.source, o.event_id, o.event, o.interface, o.key, o.data_hash, str(outcome), record_id)
        for o, outcome, record_id in events
    ]
    if rows and len(conn.execute(_EVENTS[len(rows) == 1], parameters(rows)).fetchall()) < len(rows):
        raise psycopg.errors.SerializationFailure("another intake took one of the events in at the same moment")


_ROW_TYPES = (
    "int8", "text", "bool", "bool", "timestamptz", "int8", "uuid", "uuid", "timestamptz", "timestamptz", "text", "bool",
    "bool", "float8", "text", "jsonb", "bytea", "text",
)  # fmt: skip


def _rows_sql(*, one: bool) -> str:
    return f"""
WITH c AS MATERIALIZED (
  SELECT * FROM {from_clause(_ROW_TYPES, one=one)} AS c(id, was, moves, applied, changed_at, version, data_hash,
    input_hash, ordered_at, ship_by, marketplace_id, forced, test, after, code, reason, body, traceparent)),
s AS (UPDATE events e SET outcome = 'superseded' FROM c JOIN records r ON r.id = c.id
      WHERE c.applied AND e.hash = r.input_hash AND e.outcome = 'applied'),
u AS (
  UPDATE records r SET payload_no = r.payload_no + (c.body IS NOT NULL)::int, changed_at = c.changed_at,
    version = c.version, data_hash = c.data_hash, input_hash = coalesce(c.input_hash, r.input_hash),
    input_at = CASE WHEN c.applied THEN now() ELSE r.input_at END,
    received_at = CASE WHEN c.applied AND r.payload_no = 0 THEN now() ELSE r.received_at END,
    test = CASE WHEN c.applied AND r.payload_no = 0 THEN c.test ELSE r.test END,
    ordered_at = CASE WHEN c.applied THEN coalesce(c.ordered_at, r.ordered_at) ELSE r.ordered_at END,
    ship_by = CASE WHEN c.applied THEN c.ship_by ELSE r.ship_by END,
    marketplace_id = CASE WHEN c.applied THEN coalesce(c.marketplace_id, r.marketplace_id) ELSE r.marketplace_id END,
    forced = r.forced OR c.forced, updated_at = now(), seq = r.seq + c.moves::int,
    state = CASE WHEN c.moves THEN 'pending' ELSE r.state END,
    due_at = CASE WHEN c.moves THEN now() + make_interval(secs => c.after) ELSE r.due_at END,
    tries = CASE WHEN c.moves THEN 0 ELSE r.tries END,
    trying_since = CASE WHEN c.moves THEN NULL ELSE r.trying_since END,
    code = CASE WHEN c.moves THEN c.code ELSE r.code END, reason = CASE WHEN c.moves THEN c.reason ELSE r.reason END
  FROM c WHERE r.id = c.id RETURNING r.id, r.payload_no, r.seq, r.stage),
t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code)
      SELECT u.id, u.seq, u.stage, c.was, 'pending', CASE WHEN c.was = 'never' THEN c.code ELSE 'newer-version' END
      FROM u JOIN c ON c.id = u.id WHERE c.moves)
INSERT INTO payloads(record_id, no, body, traceparent)
SELECT u.id, u.payload_no, c.body, c.traceparent FROM u JOIN c ON c.id = u.id WHERE c.body IS NOT NULL
"""  # noqa: S608  # types and columns are ours


_ROWS = {one: _rows_sql(one=one) for one in (True, False)}
_CONFIRM = (
    "UPDATE records r SET changed_at = c.at, version = c.version"
    " FROM unnest(%s::int8[], %s::timestamptz[], %s::int8[]) AS c(id, at, version) WHERE r.id = c.id"
)


def _store_rows(conn: Connection, rows: Sequence[_Row]) -> None:
    copied = [_columns(row) for row in rows if row.copied]
    if copied:
        conn.execute(_ROWS[len(copied) == 1], parameters(copied))
    confirmed = [row for row in rows if not row.copied]
    if confirmed:
        conn.execute(
            _CONFIRM,
            (
                [row.id for row in confirmed],
                [row.staged.changed_at for row in confirmed],
                [row.staged.version for row in confirmed],
            ),
        )


def _columns(row: _Row) -> tuple[object, ...]:
    moves, new = row.was is not State.RUNNING, row.newest
    assert not moves or allowed(Verb.CHANGE, row.was, State.PENDING)
    return (
        row.id, str(row.was), moves, new is not None, row.staged.changed_at, row.staged.version, row.staged.data_hash,
        new and new.hash, new and new.ordered_at, new and new.ship_by, new and new.marketplace_id, row.forced,
        new is not None and new.test, new.after if new else 0.0, new and new.code, new and new.reason, row.body,
        new and new.traceparent,
    )  # fmt: skip
