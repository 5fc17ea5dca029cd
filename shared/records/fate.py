"""What became of one event: the answer to `GET /events?source=&id=` and `connect events show`."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.hashes import event_hash
from shared.records.wording import explained


def fate(conn: Connection, source: str, event_id: str, language: Language = "en") -> dict[str, Any] | None:
    """The fate of the event (`source`, `id`), None when it never came.

    outcome: applied, duplicate, superseded or no-target; rejected where only rejections are known. record: where it
    went; rejections and duplicates: every further time it came.
    """
    hash = event_hash(source, event_id)
    with conn.cursor(row_factory=dict_row) as cursor:
        event = cursor.execute(
            "SELECT e.event, e.interface, e.key, e.outcome, e.received_at, e.record_id,"
            " r.flow, r.stage, r.state, r.code"
            " FROM events e LEFT JOIN records r ON r.id = e.record_id WHERE e.hash = %s",
            (hash,),
        ).fetchone()
        rejections = cursor.execute(
            "SELECT id, event, interface, state, origin, problems, received_at, resolved_at FROM rejections"
            " WHERE hash = %s ORDER BY id",
            (hash,),
        ).fetchall()
        duplicates = cursor.execute(
            "SELECT received_at, rejection FROM duplicates WHERE hash = %s OR rejection = ANY(%s)"
            " ORDER BY no LIMIT 1000",
            (hash, [rejection["id"] for rejection in rejections]),
        ).fetchall()
    if event is None and not rejections:
        return None
    first: dict[str, Any] = event or rejections[0]
    return {
        "source": source,
        "id": event_id,
        "event": first["event"],
        "interface": first["interface"],
        "outcome": event["outcome"] if event else "rejected",
        "received_at": first["received_at"],
        "record": _record(event) if event and event["record_id"] is not None else None,
        "rejections": [{**row, "problems": explained(row["problems"], language)} for row in rejections],
        "duplicates": duplicates,
    }


def _record(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": event["record_id"],
        "interface": event["interface"],
        "key": event["key"],
        "flow": event["flow"],
        "stage": event["stage"],
        "state": event["state"],
        "code": event["code"],
    }
