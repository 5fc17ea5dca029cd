"""The rows behind a term of the books: inputs of a UTC day by what became of them, or the records that hold them.

Called by the Journal's accounting pages, its API and `connect accounting --list`.
"""
# ruff: noqa: S608 - put together from texts of ours; what people wrote travels as parameters

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.errors.problem import storable
from shared.records.books import OUTCOMES, WHERE_NOW
from shared.records.wording import problems, sentence

LISTED = (*OUTCOMES, *WHERE_NOW, "test")
"""What can be listed: the outcomes of inputs, where the records of applied ones are now, and those of a test."""

STATES: Mapping[str, tuple[str, ...]] = {
    "done": ("done", "warning"),
    "failed": ("failed",),
    "waiting": ("waiting",),
    "in_flight": ("pending", "running"),
    "skipped": ("skipped",),
}
COLUMNS = (
    "at", "interface", "event", "key", "source", "id", "outcome", "rejection", "record_id", "flow", "state", "reason",
)  # fmt: skip

_EVENTS = """
SELECT e.received_at AS at, 'e' || e.hash AS ref, e.interface, e.event, e.key, e.source, e.id, e.outcome,
       NULL::int8 AS rejection, e.record_id, r.flow, r.state, NULL::jsonb AS reason
FROM events e LEFT JOIN records r ON r.id = e.record_id
WHERE e.received_at >= %(from)s AND e.received_at < %(to)s AND e.outcome = %(outcome)s
"""
_AGAIN = """
SELECT d.received_at, 'd' || lpad(d.no::text, 19, '0'), d.interface, d.event, e.key, e.source, e.id, 'duplicate',
       d.rejection, e.record_id, r.flow, r.state, NULL::jsonb
FROM duplicates d LEFT JOIN events e ON e.hash = d.hash LEFT JOIN records r ON r.id = e.record_id
WHERE d.received_at >= %(from)s AND d.received_at < %(to)s
"""
_REJECTED = """
SELECT j.received_at AS at, 'j' || lpad(j.id::text, 19, '0') AS ref, j.interface, j.event, NULL AS key, j.source,
       j.event_id AS id, 'rejected' AS outcome, j.id AS rejection, NULL::int8 AS record_id, NULL AS flow,
       j.state, j.problems AS reason
FROM rejections j WHERE j.received_at >= %(from)s AND j.received_at < %(to)s
"""
_RECORDS = """
SELECT r.input_at AS at, 'r' || lpad(r.id::text, 19, '0') AS ref, r.interface, NULL AS event, r.key, NULL AS source,
       NULL AS id, 'applied' AS outcome, NULL::int8 AS rejection, r.id AS record_id, r.flow, r.state, r.reason
FROM records r WHERE r.input_hash IS NOT NULL AND r.input_at >= %(from)s AND r.input_at < %(to)s
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the rows, the newest first. next: the cursor of what follows, None at the end."""

    items: list[dict[str, Any]]
    next: str | None


class CursorError(ValueError):
    """The cursor is none of ours."""


def list_inputs(
    conn: Connection,
    interface: str | None,
    day: date,
    term: str,
    *,
    cursor: str | None = None,
    limit: int = 50,
    language: Language = "en",
) -> Page:
    """The rows that `books.accounting` counts as `term` (one of LISTED) on a UTC day, of one interface or of all.

    An item: at, interface, event, key, source, id, outcome, rejection, record_id, flow, state, reason (a sentence, with
    its code first). Raises CursorError.
    """
    if term == "rejected":
        rows = _REJECTED
    elif term in STATES:
        rows = f"{_RECORDS} AND NOT r.test AND r.state = ANY(%(states)s)"
    elif term == "test":
        rows = f"{_RECORDS} AND r.test"
    else:
        rows = f"{_EVENTS} UNION ALL {_AGAIN}" if term == "duplicate" else _EVENTS
    begin = datetime.combine(day, time(), UTC)
    at, ref = _read(cursor)
    with conn.cursor(row_factory=dict_row) as opened:
        found = opened.execute(
            f"SELECT * FROM ({rows}) found WHERE (%(interface)s::text IS NULL OR interface = %(interface)s)"
            " AND (%(at)s::timestamptz IS NULL OR (at, ref) < (%(at)s, %(ref)s))"
            " ORDER BY at DESC, ref DESC LIMIT %(most)s",
            {
                "from": begin,
                "to": begin + timedelta(days=1),
                "outcome": term.replace("_", "-"),
                "states": list(STATES.get(term, ())),
                "interface": interface,
                "at": at,
                "ref": ref,
                "most": limit + 1,
            },
        ).fetchall()
    shown = found[:limit]
    following = f"{shown[-1]['at'].isoformat()}~{shown[-1]['ref']}" if len(found) > limit else None
    return Page([_item(row, language) for row in shown], following)


def _item(row: Mapping[str, Any], language: Language) -> dict[str, Any]:
    item = {name: row[name] for name in COLUMNS}
    known = problems(row["reason"])
    return item | {"code": known[0].code if known else None, "reason": sentence(row["reason"], language)}


def _read(cursor: str | None) -> tuple[datetime | None, str | None]:
    if cursor is None:
        return None, None
    text, mark, ref = cursor.partition("~")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CursorError("This cursor is none of ours: start again without it.") from None
    if not mark or at.tzinfo is None or storable(ref) != ref:
        raise CursorError("This cursor is none of ours: start again without it.")
    return at, ref
