"""Signs of life that must come again and again, and what it means when they stop."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.db.connect import Connection

WATCHDOG = "watchdog"


def seen(conn: Connection, name: str) -> None:
    """It was seen just now."""
    conn.execute(
        "INSERT INTO signs_of_life(name) VALUES (%s) ON CONFLICT (name) DO UPDATE SET seen_at = now()", (name,)
    )


def last(conn: Connection, name: str) -> datetime | None:
    """When it was last seen; None for never."""
    row = conn.execute("SELECT seen_at FROM signs_of_life WHERE name = %s", (name,)).fetchone()
    return row[0] if row else None


def silent_for(conn: Connection, name: str, since: datetime, *, expected: bool) -> timedelta:
    """How long it has been missing: since it was seen, or since this process could have heard it (`since`), whichever
    is later; zero where it was never seen and is not expected."""
    row = conn.execute(
        "SELECT clock_timestamp() - greatest(max(seen_at), %s), max(seen_at) IS NOT NULL FROM signs_of_life"
        " WHERE name = %s",
        (since, name),
    ).fetchone()
    assert row is not None
    return row[0] if row[1] or expected else timedelta(0)
