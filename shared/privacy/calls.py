"""Calls that were kept with other records: one call may have been about many orders, and its answer names all of them.

They go after some weeks anyway (`records.exchanges`), so there are never many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.db.connect import Connection
from shared.privacy.orders import erase_in_calls, repack
from shared.privacy.texts import names
from shared.records.exchanges import unpack

_PAGE = """
SELECT record_id, claim_no, at, body FROM exchanges
WHERE (record_id, claim_no, at) > (%s, %s, %s::timestamptz) ORDER BY record_id, claim_no, at LIMIT %s
"""
_BEGIN = (0, 0, "-infinity")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def find_calls(
    conn: Connection, texts: Sequence[str], after: Sequence[Any], limit: int
) -> tuple[list[list[Any]], list[Any] | None]:
    """Keys of those among the next `limit` that name the person, and where to go on; None at the end."""
    named = names(texts)
    page = conn.execute(_PAGE, (*(after or _BEGIN), limit)).fetchall()
    found = [_key(row) for row in page if named(_said(unpack(bytes(row[3]))["calls"]))]
    return found, _key(page[-1]) if len(page) == limit else None


def erase_calls(conn: Connection, ref: Sequence[Any], texts: Sequence[str]) -> bool:
    """Take out what was said in the calls that name the person; whether there was one. In the caller's transaction."""
    where = "record_id = %s AND claim_no = %s AND at = %s::timestamptz"
    row = conn.execute(f"SELECT body FROM exchanges WHERE {where} FOR UPDATE".encode(), list(ref)).fetchone()  # noqa: S608
    if row is None:
        return False
    kept, named = unpack(bytes(row[0])), names(texts)
    calls = [call if not named(_said([call])) else erase_in_calls([call])[0] for call in kept["calls"]]
    if calls == kept["calls"]:
        return False
    conn.execute(
        f"UPDATE exchanges SET body = %s WHERE {where}".encode(),  # noqa: S608
        [repack(calls, kept["left_out"]), *ref],
    )
    return True


def _said(calls: Sequence[Any]) -> str:
    """All of it, and bodies once more as their JSON reads: an ä may be written as an escape there."""
    parts = [json.dumps(calls, ensure_ascii=False)]
    for call in calls:
        for body in (call["request"], call["response"]):
            if body:
                parts.append(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), body["text"]))
    return "\n".join(parts)


def _key(row: Sequence[Any]) -> list[Any]:
    at: datetime = row[2]
    return [row[0], row[1], at.isoformat()]


def calls_of(conn: Connection, ref: Sequence[Any]) -> dict[str, Any] | None:
    """What was said in one attempt of another order, which names the person among others: `{"at", "calls"}`."""
    row = conn.execute(
        "SELECT at, body FROM exchanges WHERE record_id = %s AND claim_no = %s AND at = %s::timestamptz", list(ref)
    ).fetchone()
    return None if row is None else {"at": row[0], "calls": unpack(bytes(row[1]))["calls"]}
