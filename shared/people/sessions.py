"""Sessions of people in the Journal: a random token in the cookie, its hash in the database.

A session ends 12 hours after it was last used, 7 days after it was opened, at logout, or when its user is locked.
"""

from __future__ import annotations

import hashlib
import secrets

from shared.db.connect import Connection
from shared.people.actor import Actor

IDLE_HOURS = 12
LONGEST_DAYS = 7


def open_session(conn: Connection, user_id: int) -> str:
    """Open a session; the token goes into the cookie and is stored nowhere."""
    token = secrets.token_urlsafe(32)
    conn.execute("INSERT INTO sessions(hash, user_id) VALUES (%s, %s)", (_hash(token), user_id))
    return token


def session_user(conn: Connection, token: str) -> Actor | None:
    """Whose session this is; None when it is unknown, ended, too old, or its user is locked.

    Notes the use, at most once a minute: a page that refreshes itself does not write each time.
    """
    row = conn.execute(
        "SELECT u.name, u.role, u.language, u.time_zone, s.seen_at < now() - interval '1 minute'"
        " FROM sessions s JOIN users u ON u.id = s.user_id AND u.active"
        " WHERE s.hash = %s AND s.revoked_at IS NULL AND s.seen_at > now() - make_interval(hours => %s)"
        " AND s.created_at > now() - make_interval(days => %s)",
        (_hash(token), IDLE_HOURS, LONGEST_DAYS),
    ).fetchone()
    if row is None:
        return None
    if row[4]:
        conn.execute("UPDATE sessions SET seen_at = now() WHERE hash = %s", (_hash(token),))
    return Actor(row[0], row[1], None, row[2], row[3])


def close_session(conn: Connection, token: str) -> None:
    """End a session: its token opens nothing from now on."""
    conn.execute("UPDATE sessions SET revoked_at = now() WHERE hash = %s AND revoked_at IS NULL", (_hash(token),))


def close_sessions(conn: Connection, name: str) -> int:
    """End all sessions of a user; returns how many."""
    return conn.execute(
        "UPDATE sessions s SET revoked_at = now() FROM users u WHERE u.id = s.user_id AND s.revoked_at IS NULL"
        " AND lower(u.name) = lower(%s)",
        (name.strip(),),
    ).rowcount


def sweep(conn: Connection) -> int:
    """Drop sessions that are past their longest life; returns how many."""
    return conn.execute(
        "DELETE FROM sessions WHERE created_at < now() - make_interval(days => %s)", (LONGEST_DAYS + 1,)
    ).rowcount


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
