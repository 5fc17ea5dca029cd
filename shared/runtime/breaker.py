"""The breaker of one side of an interface: after five connection errors in a row nobody calls it any more.

Its state is a row, shared by all workers and visible in the Journal. One process at a time looks whether the system is
back; when it is, the key `erp:<interface>` is raised and whatever had been tried goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.db.connect import Connection
from shared.records.keys import raise_key

OPEN_AFTER = 5
LOOK_LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Looks:
    """Seconds until the first look whether a system is back, and between two looks at most."""

    first: float = 5.0
    last: float = 60.0


def open_breaker(conn: Connection, interface: str, side: str, code: str, looks: Looks) -> bool:
    """Open it; False if it was not closed (another worker was faster)."""
    row = conn.execute(
        "UPDATE side_states SET breaker = 'open', failures = 1, opened_at = now(), code = %s,"
        " retry_at = now() + make_interval(secs => %s) WHERE interface = %s AND side = %s AND breaker = 'closed'"
        " RETURNING 1",
        (code, looks.first, interface, side),
    ).fetchone()
    return row is not None


def take_look(conn: Connection, interface: str, side: str) -> bool:
    """Whether this process shall look now. It has a minute to say what it saw, then another may."""
    row = conn.execute(
        "UPDATE side_states SET breaker = 'half-open', retry_at = now() + make_interval(secs => %s)"
        " WHERE interface = %s AND side = %s AND breaker <> 'closed' AND retry_at <= now() RETURNING 1",
        (LOOK_LEASE_SECONDS, interface, side),
    ).fetchone()
    return row is not None


def close_breaker(conn: Connection, interface: str, side: str) -> int:
    """The system is back: close, and set what waited for it due. Returns how many records."""
    with conn.transaction():
        row = conn.execute(
            "UPDATE side_states SET breaker = 'closed', failures = 0, opened_at = NULL, retry_at = NULL, code = NULL"
            " WHERE interface = %s AND side = %s AND breaker <> 'closed' RETURNING 1",
            (interface, side),
        ).fetchone()
        return 0 if row is None else raise_key(conn, interface, f"{side}:{interface}")


def keep_open(conn: Connection, interface: str, side: str, code: str, looks: Looks) -> None:
    """Still away: look again later, each time twice as late, but not later than the last look says."""
    conn.execute(
        "UPDATE side_states SET breaker = 'open', failures = failures + 1, code = %s,"
        " retry_at = now() + make_interval(secs => least(%s, %s * 2 ^ least(failures, 10)))"
        " WHERE interface = %s AND side = %s AND breaker = 'half-open'",
        (code, looks.last, looks.first, interface, side),
    )
