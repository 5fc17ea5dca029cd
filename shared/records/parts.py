"""The two parts of an export, *status* and *tracking*: each has a state of its own, stored with the record's settle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.records.states import WORST_FIRST, State

NAMES = ("status", "tracking")
DUE_FIRST = (State.WAITING, State.RUNNING, State.PENDING)
STAGE = f"""CASE WHEN r.flow <> 'order-export' THEN r.stage ELSE coalesce((SELECT p.part FROM parts p
 WHERE p.record_id = r.id
 ORDER BY array_position('{{{",".join((*DUE_FIRST, *WORST_FIRST))}}}'::text[], p.state), p.part LIMIT 1), 'status') END
"""  # noqa: S608 - our own text
"""The stage of `records r` as people see it: of an export the decisive part, one that is due first, else the worst."""
LANE = "marketplace"
"""The stage of the records that have parts."""


def stages_shown(stage: str) -> tuple[str, ...]:
    """The stages that people and metrics see: of an export its parts."""
    return NAMES if stage == LANE else (stage,)


@dataclass(frozen=True, slots=True)
class PartState:
    """What became of one part. keyed: it waits for something that may have come true meanwhile."""

    name: str
    state: State
    problems: tuple[Problem, ...] = ()
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it is stored. seconds: since it became so."""

    state: State
    code: str | None
    seconds: float


def read_parts(conn: Connection, records: Sequence[int]) -> dict[int, dict[str, Part]]:
    """The parts of these records by name; one that is not there is `never`."""
    found: dict[int, dict[str, Part]] = {}
    for record_id, name, state, code, seconds in conn.execute(
        "SELECT record_id, part, state, code, extract(epoch FROM clock_timestamp() - updated_at)::float8 FROM parts"
        " WHERE record_id = ANY(%s)",
        (list(records),),
    ):
        found.setdefault(record_id, {})[name] = Part(State(state), code, seconds)
    return found


_STORE = """
WITH s AS (SELECT * FROM unnest(%s::int8[], %s::int4[], %s::text[], %s::text[], %s::text[], %s::jsonb[])
           AS s(id, claim_no, part, state, code, reason)),
n AS (SELECT s.*, coalesce(p.state, 'never') AS was, row_number() OVER (PARTITION BY s.id ORDER BY s.part) AS n
      FROM s LEFT JOIN parts p ON p.record_id = s.id AND p.part = s.part
      WHERE (p.state, p.code, p.reason) IS DISTINCT FROM (s.state, s.code, s.reason)),
u AS (UPDATE records r SET seq = r.seq + c.more FROM (SELECT id, count(*)::int AS more FROM n GROUP BY id) c
      WHERE r.id = c.id RETURNING r.id, r.seq - c.more AS before),
t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, claim_no, code, reason)
      SELECT n.id, u.before + n.n, n.part, n.was, n.state, n.claim_no, n.code, n.reason FROM n JOIN u ON u.id = n.id)
INSERT INTO parts(record_id, part, state, code, reason)
SELECT id, part, state, code, reason FROM n
ON CONFLICT (record_id, part) DO UPDATE
SET state = excluded.state, code = excluded.code, reason = excluded.reason, updated_at = now()
"""


def store_parts(conn: Connection, parts: Sequence[tuple[int, int, PartState]]) -> None:
    """Store parts of (record, claim); one that changed gets a transition. Runs inside the transaction of the settle."""
    if parts:
        conn.execute(
            _STORE,
            (
                [id_ for id_, _, _ in parts],
                [claim_no for _, claim_no, _ in parts],
                [part.name for _, _, part in parts],
                [str(part.state) for _, _, part in parts],
                [part.problems[0].code if part.problems else None for _, _, part in parts],
                [Jsonb([p.as_json() for p in part.problems]) if part.problems else None for _, _, part in parts],
            ),
        )
