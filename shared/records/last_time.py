"""What ended a trouble the last time: when, who, how long it had lasted, how many of its records succeeded then.

Read out of what really happened: the troubles that are over, the mapping that was saved meanwhile, the history of the
records, the audit. Nothing is asked of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection

LOOKED_AT = 1000  # troubles of a cause, the latest: more would say the same
ASKED = 20  # records whose history is asked for who moved them

# Troubles that overlap belong together; the stretch ends where one was over before any of the later ones began.
_STRETCH = """
SELECT c.cause, s.* FROM unnest(%(causes)s::text[]) AS c(cause) CROSS JOIN LATERAL (
  WITH l AS (SELECT record_id, interface, code, problem, entered_at, left_at, outcome FROM troubles
             WHERE cause = c.cause AND left_at IS NOT NULL AND outcome <> 'other'
             ORDER BY left_at DESC LIMIT %(most)s),
  m AS (SELECT *, min(entered_at) OVER (ORDER BY left_at DESC, record_id
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later FROM l),
  e AS (SELECT coalesce(max(left_at) FILTER (WHERE left_at < later), '-infinity') AS before FROM m)
  SELECT min(interface) AS interface, min(code) AS code, min(cause_value(code, problem)) AS value,
         min(entered_at) AS began, max(left_at) AS ended, count(*) AS of,
         count(*) FILTER (WHERE outcome = 'done') AS succeeded,
         (array_agg(record_id ORDER BY left_at DESC))[1:%(asked)s] AS ids
  FROM m, e WHERE left_at > e.before) s
WHERE s.of > 0
"""
_MAPPING = """
SELECT updated_by, updated_at, 'mapping', target FROM mappings
WHERE interface = %(interface)s AND kind || ':' || source = %(key)s AND updated_at BETWEEN %(began)s AND %(ended)s
"""
_MOVED = """
SELECT actor, at, coalesce(code, 'person'), NULL FROM transitions
WHERE record_id = ANY(%(ids)s) AND actor IS NOT NULL AND at BETWEEN %(began)s AND %(ended)s ORDER BY at DESC LIMIT 1
"""
_AT_THE_INTERFACE = """
SELECT actor, at, 'setting', NULL FROM audit
WHERE at BETWEEN %(began)s AND %(ended)s AND target ->> 'interface' = %(interface)s AND verb LIKE 'interfaces.%%'
  AND verb NOT IN ('interfaces.test-connection', 'interfaces.map', 'interfaces.unmap', 'interfaces.rehearse')
ORDER BY at DESC LIMIT 1
"""
KINDS = {
    "payment-unmapped": "payment",
    "shipping-unmapped": "shipping",
    "tax-unmapped": "tax",
    "carrier-unknown": "carrier",
    "setting-missing": "setting",
}


def last_times(conn: Connection, causes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By cause: {at, began, seconds, by, how, target, succeeded, of}; by None: it went on by itself.

    how: `mapping`, `setting`, `itself`, or the code of what a person did to a record, e.g. `retried`. A cause whose
    records never left it is left out.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_STRETCH.encode(), {"causes": list(causes), "most": LOOKED_AT, "asked": ASKED}).fetchall()
    return {row["cause"]: _told(conn, row) for row in rows}


def _told(conn: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    by, at, how, target = _who(conn, row)
    ended: datetime = row["ended"]
    return {
        "at": ended,
        "began": row["began"],
        "seconds": ((at or ended) - row["began"]).total_seconds(),
        "by": by,
        "how": how,
        "target": target,
        "succeeded": row["succeeded"],
        "of": row["of"],
    }


def _who(conn: Connection, row: Mapping[str, Any]) -> tuple[str | None, datetime | None, str, str | None]:
    values = {name: row[name] for name in ("interface", "ids", "began", "ended")}
    statements = []
    if row["code"] in KINDS:
        values["key"] = f"{KINDS[row['code']]}:{row['value']}"
        statements.append(_MAPPING)
    statements += [_MOVED, _AT_THE_INTERFACE]
    for statement in statements:
        found = conn.execute(statement.encode(), values).fetchone()
        if found is not None:
            return found[0], found[1], found[2], found[3]
    return None, None, "itself", None
