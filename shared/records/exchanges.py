"""What was said to remote systems in a record's attempts, as it is stored: packed, bounded, kept for some weeks.

Written with the settle. What goes in has no secrets any more; who may not see personal data gets no bodies out.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.db.connect import Connection
from shared.records.compared import laid_out, lines

MOST_CALLS = 20
"""Calls of one attempt that are kept: the last ones, which led to its outcome."""

KEEP_DAYS = 30
WEEKS_AHEAD = 12

_READ = "SELECT claim_no, body FROM exchanges WHERE record_id = %s ORDER BY at DESC LIMIT %s"
_LEVEL = 1  # the settle waits for it


def pack(calls: Sequence[Mapping[str, Any]], left_out: int = 0) -> bytes | None:
    """Calls, see `Exchange.told`, as they are stored; None where there are none. left_out: earlier ones."""
    if not calls:
        return None
    kept = {"calls": list(calls[-MOST_CALLS:]), "left_out": left_out + max(0, len(calls) - MOST_CALLS)}
    return zlib.compress(orjson.dumps(kept), _LEVEL)


def unpack(body: bytes) -> dict[str, Any]:
    """`{"calls": […], "left_out": n}`."""
    found = orjson.loads(zlib.decompress(body))
    assert isinstance(found, dict)
    return found


def read_exchanges(
    conn: Connection, record_id: int, *, reveal: bool = True, limit: int = 200
) -> dict[int, dict[str, Any]]:
    """By claim: `{"calls", "left_out"}` of the newest attempts. reveal False leaves bodies and queries out."""
    found: dict[int, dict[str, Any]] = {}
    for claim_no, body in conn.execute(_READ, (record_id, limit)).fetchall():
        kept = unpack(bytes(body))
        found[claim_no] = kept if reveal else {**kept, "calls": [_hidden(call) for call in kept["calls"]]}
    return found


def compared(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What changed from one attempt's calls to the next one's: `{"operation", "part", "lines"}`, see `compared.lines`.

    Calls are matched by operation, the last of each. part: status, request or response; new or gone without lines.
    """
    was, now = ({call["operation"]: call for call in calls} for calls in (before, after))
    told: list[dict[str, Any]] = [{"operation": name, "part": "gone", "lines": []} for name in was if name not in now]
    for name, call in now.items():
        if name not in was:
            told.append({"operation": name, "part": "new", "lines": []})
            continue
        for part in ("status", "request", "response"):
            differs = lines(_text(was[name], part), _text(call, part))
            if differs:
                told.append({"operation": name, "part": part, "lines": differs})
    return told


def keep_weeks(conn: Connection) -> tuple[int, int]:
    """Make the coming weeks, drop those whose time is over; returns how many of each. Waits for no lock long.

    Raises psycopg.errors.LockNotAvailable when the table is in use just now: try again in a while.
    """
    with conn.transaction():
        conn.execute("SET LOCAL lock_timeout = '500ms'")
        row = conn.execute(
            "SELECT make_exchange_weeks(%s), drop_exchange_weeks(%s)", (WEEKS_AHEAD, KEEP_DAYS)
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _hidden(call: Mapping[str, Any]) -> dict[str, Any]:
    """Bodies and queries name buyers in a vendor's own words, which nobody can mask."""
    return {**call, "target": call["target"].partition("?")[0], "request": None, "response": None, "hidden": True}


def _text(call: Mapping[str, Any], part: str) -> str:
    if part == "status":
        return str(call["status"] or call["wrong"])
    body = call[part]
    return laid_out(body["text"]) if body else ""
