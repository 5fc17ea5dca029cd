"""What became of one event: the answer to `GET /events?source=&id=` and `connect events show`."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.hashes import event_hash, event_hash_of
from shared.records.wording import explained


def fate(conn: Connection, source: str, event_id: str, language: Language = "en") -> dict[str, Any] | None:
    """The fate of the event (`source`, `id`), None when it never came.

    outcome: applied, duplicate, superseded or no-target; rejected where only rejections are known. record: where it
    went; rejections and duplicates: every further time it came. targets: the same for each interface it concerned; an
    event that names none may concern several, and the first that it was applied to stands for it.
    """
    hash = event_hash(source, event_id)
    with conn.cursor(row_factory=dict_row) as cursor:
        slugs = [row["slug"] for row in cursor.execute("SELECT slug FROM interfaces ORDER BY slug").fetchall()]
        hashes = [hash, *(event_hash_of(source, event_id, slug) for slug in slugs)]
        events = cursor.execute(
            "SELECT e.event, e.interface, e.key, e.outcome, e.received_at, e.record_id,"
            " r.flow, r.stage, r.state, r.code"
            " FROM events e LEFT JOIN records r ON r.id = e.record_id WHERE e.hash = ANY(%s::uuid[])"
            " ORDER BY e.outcome <> 'applied', e.interface",
            (hashes,),
        ).fetchall()
        rejections = cursor.execute(
            "SELECT id, event, interface, state, origin, problems, received_at, resolved_at FROM rejections"
            " WHERE hash = %s ORDER BY id",
            (hash,),
        ).fetchall()
        duplicates = cursor.execute(
            "SELECT received_at, rejection FROM duplicates WHERE hash = ANY(%s::uuid[]) OR rejection = ANY(%s)"
            " ORDER BY no LIMIT 1000",
            (hashes, [rejection["id"] for rejection in rejections]),
        ).fetchall()
    if not events and not rejections:
        return None
    first: dict[str, Any] = events[0] if events else rejections[0]
    return {
        "source": source,
        "id": event_id,
        "event": first["event"],
        "interface": first["interface"],
        "outcome": first["outcome"] if events else "rejected",
        "received_at": first["received_at"],
        "record": _record(first) if events else None,
        "targets": [
            {"interface": event["interface"], "outcome": event["outcome"], "record": _record(event)} for event in events
        ],
        "rejections": [{**row, "problems": explained(row["problems"], language)} for row in rejections],
        "duplicates": duplicates,
    }


def _record(event: dict[str, Any]) -> dict[str, Any] | None:
    if event["record_id"] is None:
        return None
    return {
        "id": event["record_id"],
        "interface": event["interface"],
        "key": event["key"],
        "flow": event["flow"],
        "stage": event["stage"],
        "state": event["state"],
        "code": event["code"],
    }
