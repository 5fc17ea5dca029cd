"""Refused input of a person: found by what its bytes say, overwritten so that it is still known when it comes again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.events.erased import MARK
from shared.privacy.subject import Subject, plain
from shared.privacy.texts import names

_PAGE = """
SELECT id, raw, concat_ws(E'\\n', origin, source, event_id, routing_key, problems::text, reason, result::text)
FROM rejections WHERE id > %s ORDER BY id LIMIT %s
"""
_ERASE = """
UPDATE rejections SET raw = %(mark)s, problems = %(problems)s, source = CASE WHEN source IS NOT NULL THEN %(text)s END,
    event_id = CASE WHEN event_id IS NOT NULL THEN %(text)s END, routing_key = NULL, content_type = NULL,
    result = CASE WHEN result IS NOT NULL THEN '{}'::jsonb END,
    state = CASE WHEN state = 'open' THEN 'set-aside' ELSE state END,
    resolved_at = coalesce(resolved_at, now()), resolved_by = coalesce(resolved_by, %(actor)s),
    reason = CASE WHEN state <> 'resubmitted' THEN %(text)s END
WHERE id = ANY(%(ids)s) RETURNING 1
"""


def find_rejections(
    conn: Connection, who: Subject, numbers: Sequence[str], after: int, limit: int
) -> tuple[list[int], int | None]:
    """The ids among the next `limit` rejections that are of this person, and where to go on; None at the end.

    numbers: of the orders that were found, for input that names no person but the order.
    """
    named = names(who.texts)
    page = conn.execute(_PAGE, (after, limit)).fetchall()
    found = [id_ for id_, raw, said in page if named(said) or _is_of(bytes(raw), who, numbers, named)]
    return found, page[-1][0] if len(page) == limit else None


def erase_rejections(conn: Connection, ids: Sequence[int], actor: str) -> int:
    """Overwrite them: hashes, times, way in and books stay. An open one is set aside: there is nothing left to submit.

    In the caller's transaction.
    """
    return len(
        conn.execute(
            _ERASE,
            {
                "ids": list(ids),
                "actor": actor,
                "mark": MARK.encode(),
                "text": MARK,
                "problems": Jsonb([Problem("personal-data-erased").as_json()]),
            },
        ).fetchall()
    )


def _is_of(raw: bytes, who: Subject, numbers: Sequence[str], named: Any) -> bool:
    text = raw.decode("utf-8", "replace")
    if named(text):
        return True
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return bool(who.number) and who.number in text
    said = json.dumps(event, ensure_ascii=False)  # without \\u00e4 for an ä
    if named(said):
        return True
    for one in event if isinstance(event, list) else [event]:
        data = one.get("data") if isinstance(one, dict) else None
        order = data.get("order") if isinstance(data, dict) else None
        if isinstance(order, dict) and (who.knows(order) or _number(order.get("number")) in numbers):
            return True
        if isinstance(data, dict) and _number(data.get("order_number")) in numbers:
            return True
    return False


def _number(value: Any) -> str:
    return value if isinstance(value, str) and plain(value) else "\0"
