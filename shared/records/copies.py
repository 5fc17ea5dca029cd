"""The copies of a record's event, as they came one after the other; none is written over.

What a person edited is a copy like the others. Called by the record's page.
"""

from __future__ import annotations

import json
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.records.compared import fields
from shared.records.personal import masked

_LIST = "SELECT no, received_at FROM payloads WHERE record_id = %s ORDER BY no DESC LIMIT %s"
_BODY = "SELECT body FROM payloads WHERE record_id = %s AND no = %s"
SHOWN = 50


def read_copies(conn: Connection, record_id: int, most: int = SHOWN) -> list[dict[str, Any]]:
    """Numbers and times of the newest copies, newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_LIST, (record_id, most)).fetchall()


def read_copy(conn: Connection, record_id: int, no: int, reveal: bool = True) -> dict[str, Any] | None:
    """One copy of the event; None where there is none. reveal False shows initials instead of the buyer's data."""
    row = conn.execute(_BODY, (record_id, no)).fetchone()
    event = payload(row[0]) if row else None
    return event if event is None or reveal else masked(event)


def changed_since(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What of the data two copies of an event say differently, see `compared.fields`."""
    return fields((before or {}).get("data") or {}, (after or {}).get("data") or {})


def payload(body: bytes | None) -> dict[str, Any]:
    """A stored event; empty where it is none."""
    if body is None:
        return {}
    try:
        event = json.loads(bytes(body))
    except ValueError:
        return {}
    return event if isinstance(event, dict) and isinstance(event.get("data"), dict) else {}
