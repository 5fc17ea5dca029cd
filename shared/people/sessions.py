"""Sessions of people in the Journal: a random token in the cookie, its hash in the database.

A session ends 12 hours after it was last used, 7 days after it was opened, at logout, or when its user is locked.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from shared.db.connect import Connection
from shared.errors.problem import storable
from shared.people.actor import Actor

IDLE_HOURS = 12
LONGEST_DAYS = 7
AGENT_LETTERS = 200


def open_session(conn: Connection, user_id: int, agent: str | None = None) -> str:
    """Open a session; the token goes into the cookie and is stored nowhere. agent: what the browser calls itself."""
    token = secrets.token_urlsafe(32)
    conn.execute(
        "INSERT INTO sessions(hash, user_id, agent) VALUES (%s, %s, %s)",
        (_hash(token), user_id, None if agent is None else storable(agent)[:AGENT_LETTERS]),
    )
    return token


def session_user(conn: Connection, token: str) -> Actor | None:
    """Whose session this is; None when it is unknown, ended, too old, or its user is locked.

    Notes the use, at most once a minute: a page that refreshes itself does not write each time.
    """
    row = conn.execute(
        "SELECT u.name, u.role, u.language, u.time_zone, u.may_reveal, u.id, s.id,"
        " s.seen_at < now() - interval '1 minute'"
        " FROM sessions s JOIN users u ON u.id = s.user_id AND u.active"
        " WHERE s.hash = %s AND s.revoked_at IS NULL AND s.seen_at > now() - make_interval(hours => %s)"
        " AND s.created_at > now() - make_interval(days => %s)",
        (_hash(token), IDLE_HOURS, LONGEST_DAYS),
    ).fetchone()
    if row is None:
        return None
    if row[7]:
        conn.execute("UPDATE sessions SET seen_at = now() WHERE hash = %s", (_hash(token),))
    return Actor(row[0], row[1], None, *row[2:7])


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


def list_sessions(conn: Connection, user: int) -> list[dict[str, Any]]:
    """The sessions of a user that are open, the one used last first: id, created_at, seen_at, agent."""
    rows = conn.execute(
        "SELECT id, created_at, seen_at, agent FROM sessions WHERE user_id = %s AND revoked_at IS NULL"
        " AND seen_at > now() - make_interval(hours => %s) AND created_at > now() - make_interval(days => %s)"
        " ORDER BY seen_at DESC, id DESC",
        (user, IDLE_HOURS, LONGEST_DAYS),
    ).fetchall()
    return [dict(zip(("id", "created_at", "seen_at", "agent"), row, strict=True)) for row in rows]


def close_one(conn: Connection, user: int, session: int) -> bool:
    """End one session of a user; False when it has none of this id that is open."""
    return (
        conn.execute(
            "UPDATE sessions SET revoked_at = now() WHERE id = %s AND user_id = %s AND revoked_at IS NULL",
            (session, user),
        ).rowcount
        > 0
    )


def close_others(conn: Connection, user: int, keep: int | None) -> int:
    """End every session of a user but `keep`; returns how many."""
    return conn.execute(
        "UPDATE sessions SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL AND id IS DISTINCT FROM %s",
        (user, keep),
    ).rowcount


def sweep(conn: Connection) -> int:
    """Drop sessions that are past their longest life; returns how many."""
    return conn.execute(
        "DELETE FROM sessions WHERE created_at < now() - make_interval(days => %s)", (LONGEST_DAYS + 1,)
    ).rowcount


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
