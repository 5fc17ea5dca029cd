"""Which records wait for a remote system that is away, and since when. Called by `listing` and `history`.

Nothing of it is stored with the records: a breaker opens and closes for thousands of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared.db.connect import Connection
from shared.errors.catalogue import entry
from shared.errors.problem import Problem

_AWAY = """
SELECT interface, side, opened_at, code, now() FROM side_states
WHERE breaker <> 'closed' AND opened_at IS NOT NULL AND interface = ANY(%s)
"""
PASSING = ("connection", "rate limit", "auth", "remote bug")
"""Classes of errors whose record waits for the remote system itself."""
STAGES = {"erp": "erp", "marketplace": "marketplace", "status": "marketplace", "tracking": "marketplace",
          "stock": "marketplace"}  # fmt: skip
"""The side that a stage calls."""


class Away(NamedTuple):
    """A side that is away. code: of the error that opened the breaker."""

    side: str
    since: datetime
    code: str | None
    now: datetime


def with_away(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `away_since`: None, or since when the system is away that the record waits for.

    Then their reason begins with that. A row has interface, stage, state, code, reason and due_at.
    """
    waiting = {row["interface"] for row in rows if row["state"] in ("pending", "waiting")}
    found = {
        (interface, side): Away(side, *rest)
        for interface, side, *rest in (conn.execute(_AWAY, (sorted(waiting),)).fetchall() if waiting else [])
    }
    return [_told(row, found.get((row["interface"], STAGES.get(row["stage"], "")))) for row in rows]


def _told(row: Mapping[str, Any], away: Away | None) -> dict[str, Any]:
    if away is None or not _waits(row, away):
        return {**row, "away_since": None}
    reason = [
        _problem(row["interface"], away),
        *(Problem(code, values={"detail": "", "status": ""}) for code in _why(row, away)),
    ]
    return {
        **row,
        "away_since": away.since,
        "reason": [*(problem.as_json() for problem in reason), *(row["reason"] or [])],
    }


def _waits(row: Mapping[str, Any], away: Away) -> bool:
    """A pending record whose turn it is, or one whose last try met the remote system's trouble."""
    if row["state"] == "pending":
        return row["due_at"] is not None and row["due_at"] <= away.now
    return row["state"] == "waiting" and row["code"] is not None and entry(row["code"]).kind in PASSING


def _why(row: Mapping[str, Any], away: Away) -> list[str]:
    """What happened when it was called last; a record that met it itself says so with its details."""
    return [away.code] if away.code and row["state"] == "pending" else []


def _problem(interface: str, away: Away) -> Problem:
    since = f"{away.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if away.side == "erp":
        return Problem("waits-for-erp", values={"interface": interface, "since": since})
    return Problem("waits-for-marketplace", values={"interface": interface, "since": since})
