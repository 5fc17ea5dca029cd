"""What has been tried for too long needs a person, also while nobody claims it because the remote system is away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.records.parts import PartState, store_parts
from shared.records.states import State, Verb, sources

_GIVE_UP = """
WITH u AS (
  UPDATE records r SET state = 'failed', due_at = NULL, seq = seq + 1, forced = false, blocked = false,
         code = 'gave-up', updated_at = now(),
         reason = jsonb_build_array(jsonb_build_object('code', 'gave-up', 'field', '',
                    'values', jsonb_build_object('code', r.code))) || coalesce(r.reason, '[]')
  FROM unnest(%(codes)s::text[], %(seconds)s::float8[]) AS l(code, seconds)
  WHERE r.stage = %(stage)s AND r.interface = %(interface)s AND r.due_at <= now() AND r.state = ANY(%(from)s)
        AND r.code = l.code AND r.trying_since <= now() - make_interval(secs => l.seconds)
  RETURNING r.id, r.seq, r.stage, r.reason, r.claim_no),
b AS (DELETE FROM blocks WHERE record_id IN (SELECT id FROM u)),
t AS (
  INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, reason)
  SELECT id, seq, stage, 'waiting', 'failed', 'gave-up', reason FROM u)
SELECT id, claim_no FROM u
"""
_PARTS = "SELECT record_id, part, code, reason FROM parts WHERE record_id = ANY(%s) AND state = 'waiting'"


def give_up(conn: Connection, stage: str, interface: str, limits: Mapping[str, float]) -> int:
    """Due records that wait for another try fail with `gave-up` once their time is over; returns how many.

    limits: by code, the seconds after the first failed try.
    """
    with conn.transaction():
        found: dict[int, int] = dict(
            conn.execute(
                _GIVE_UP,
                {
                    "stage": stage,
                    "interface": interface,
                    "codes": list(limits),
                    "seconds": list(limits.values()),
                    "from": sources(Verb.GIVE_UP),
                },
            ).fetchall()
        )
        parts = conn.execute(_PARTS, (list(found),)).fetchall() if found else []
        store_parts(conn, [(id_, found[id_], _given_up(name, code, reason)) for id_, name, code, reason in parts])
        return len(found)


def _given_up(name: str, code: str | None, reason: Any) -> PartState:
    before = tuple(Problem(one["code"], one["field"], one["values"]) for one in reason or ())
    return PartState(name, State.FAILED, (Problem("gave-up", values={"code": code or "–"}), *before))
