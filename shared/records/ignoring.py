"""Ignore with a reason, and take it back: the record is `skipped`, and what it was before is kept.

A newer version of what is ignored (the shop changed the order) brings it back by itself: it is not what was ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import Problem, storable
from shared.records.actions import Acted, Seen, acted
from shared.records.left_alone import IGNORED
from shared.records.lock_order import LOCK_ORDER
from shared.records.states import Verb, sources

LONGEST_WHY = 500

_IGNORE = f"""
WITH w AS (SELECT * FROM unnest(%(ids)s::int8[], %(seqs)s::int4[], %(copies)s::int4[]) AS w(id, seen, copy)),
o AS (SELECT r.id, r.state, r.code, r.reason, r.due_at, r.seq, r.payload_no, w.seen, w.copy
      FROM w JOIN records r USING (id) WHERE r.id = ANY(%(ids)s) {LOCK_ORDER} FOR UPDATE OF r),
v AS (SELECT o.*, CASE
        WHEN o.state = 'running' THEN 'on-its-way'
        WHEN o.state = 'skipped' AND o.code = 'ignored' THEN 'ignored'
        WHEN o.state = 'never' OR o.payload_no = 0 THEN 'nothing-to-send'
        WHEN NOT o.state = ANY(%(from)s) THEN 'finished'
        WHEN o.payload_no <> o.copy THEN 'newer-version'
        WHEN o.seq <> o.seen THEN 'changed' END AS why FROM o),
k AS (INSERT INTO ignored(record_id, state, code, reason, due_at, actor, why)
      SELECT id, state, code, reason, due_at, %(actor)s, %(why)s FROM v WHERE v.why IS NULL
      ON CONFLICT (record_id) DO UPDATE SET state = excluded.state, code = excluded.code, reason = excluded.reason,
        due_at = excluded.due_at, actor = excluded.actor, why = excluded.why, at = now()),
u AS (UPDATE records r SET state = 'skipped', due_at = NULL, seq = r.seq + 1, code = %(code)s, reason = %(reason)s,
        forced = false, lost = 0, updated_at = now() FROM v WHERE r.id = v.id AND v.why IS NULL
      RETURNING r.id, r.seq, r.stage, v.state AS was),
t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, reason, actor)
      SELECT id, seq, stage, was, 'skipped', %(code)s, %(reason)s, %(actor)s FROM u)
SELECT v.id, v.why, u.seq FROM v LEFT JOIN u USING (id)
"""  # noqa: S608 - our own text

# What it waited for may have come true meanwhile: then it is its turn.
_UNIGNORE = f"""
WITH w AS (SELECT * FROM unnest(%(ids)s::int8[], %(seqs)s::int4[]) AS w(id, seen)),
o AS (SELECT r.id, r.state, r.code, r.seq, r.blocked, w.seen, k.record_id IS NOT NULL AS known,
        k.state AS was, k.code AS was_code, k.reason AS was_reason, k.due_at AS was_due
      FROM w JOIN records r USING (id) LEFT JOIN ignored k ON k.record_id = r.id
      WHERE r.id = ANY(%(ids)s) {LOCK_ORDER} FOR UPDATE OF r),
v AS (SELECT o.*, CASE
        WHEN o.state <> 'skipped' OR o.code IS DISTINCT FROM 'ignored' OR NOT o.known THEN 'not-ignored'
        WHEN o.seq <> o.seen THEN 'changed' END AS why,
        CASE WHEN o.was IN ('failed', 'waiting') AND o.blocked
                  AND NOT EXISTS (SELECT FROM blocks b WHERE b.record_id = o.id) THEN 'pending' ELSE o.was END AS again
      FROM o),
u AS (UPDATE records r SET state = v.again, seq = r.seq + 1, updated_at = now(),
        due_at = CASE WHEN v.again = 'failed' THEN NULL ELSE greatest(now(), v.was_due) END,
        code = v.was_code, reason = v.was_reason FROM v WHERE r.id = v.id AND v.why IS NULL
      RETURNING r.id, r.seq, r.stage, r.state),
k AS (DELETE FROM ignored WHERE record_id IN (SELECT id FROM u)),
t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, actor)
      SELECT id, seq, stage, 'skipped', state, 'ignored-no-more', %(actor)s FROM u)
SELECT v.id, v.why, u.seq FROM v LEFT JOIN u USING (id)
"""  # noqa: S608 - our own text


def ignore(conn: Connection, ids: Sequence[int], actor: str, why: str, seen: Mapping[int, Seen] | None = None) -> Acted:
    """Leave these alone from now on, because of `why`. What a worker holds or what is finished is not ignored."""
    said = storable(why.strip()[:LONGEST_WHY])
    rows = conn.execute(
        _IGNORE,
        {
            "ids": list(ids),
            "seqs": [None if seen is None else seen[id_].seq for id_ in ids],
            "copies": [None if seen is None else seen[id_].payload_no for id_ in ids],
            "from": sources(Verb.IGNORE),
            "actor": actor,
            "why": said,
            "code": IGNORED,
            "reason": Jsonb([Problem("ignored", values={"actor": actor, "why": said}).as_json()]),
        },
    ).fetchall()
    return acted(ids, rows)


def unignore(conn: Connection, ids: Sequence[int], actor: str, seen: Mapping[int, Seen] | None = None) -> Acted:
    """Bring back what these were before they were ignored."""
    rows = conn.execute(
        _UNIGNORE,
        {
            "ids": list(ids),
            "seqs": [None if seen is None else seen[id_].seq for id_ in ids],
            "actor": actor,
        },
    ).fetchall()
    return acted(ids, rows)
