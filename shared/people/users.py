"""Users: added by the command line, the demo and admins; logged in by the Journal.

Passwords are kept as argon2 hashes. A wrong name takes as long as a wrong password, so names cannot be guessed.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from shared.db.connect import Connection
from shared.people import throttle
from shared.people.actor import USER_ROLES, Actor

LEAST_PASSWORD = 10
LONGEST_PASSWORD = 256  # hashing a megabyte would be a way to keep us busy
# Of no password at all: verified for a name that nobody has, so that it takes the same time.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$NEiRCGohOa5d6t1cZdw40A$i3BvKBd2lLr/WdocYn/ngotFgbSHLFxqef09r8v8Dpw"


class UserError(ValueError):
    """The user cannot be made like this; the message says what to change."""


def add_user(
    conn: Connection,
    name: str,
    password: str,
    role: str,
    *,
    language: str | None = None,
    time_zone: str | None = None,
) -> int:
    """Add a user and return its id. Raises UserError for a taken name, an unknown role or a short password."""
    _check(name, password, role, language, time_zone)
    try:
        row = conn.execute(
            "INSERT INTO users(name, password_hash, role, language, time_zone) VALUES (%s, %s, %s, %s, %s)"
            " RETURNING id",
            (name.strip(), PasswordHasher().hash(password), role, language, time_zone),
        ).fetchone()
    except psycopg.errors.UniqueViolation:
        raise UserError(f"There is a user “{name.strip()}” already: choose another name.") from None
    assert row is not None
    return int(row[0])


def ensure_user(conn: Connection, name: str, password: str, role: str) -> None:
    """Make sure that this user exists with this password and role. Sessions end when the password changes."""
    _check(name, password, role, None, None)
    row = conn.execute(
        "SELECT id, password_hash, role, active FROM users WHERE lower(name) = lower(%s)", (name.strip(),)
    ).fetchone()
    if row is None:
        add_user(conn, name, password, role)
    elif not _matches(row[1], password):
        set_password(conn, name, password)
        conn.execute("UPDATE users SET role = %s, active = true WHERE id = %s", (role, row[0]))
    elif (row[2], row[3]) != (role, True):
        conn.execute("UPDATE users SET role = %s, active = true WHERE id = %s", (role, row[0]))


def set_password(conn: Connection, name: str, password: str) -> bool:
    """Change a password and end the user's sessions; False when there is no such user."""
    _check_password(password)
    with conn.transaction():
        row = conn.execute(
            "UPDATE users SET password_hash = %s WHERE lower(name) = lower(%s) RETURNING id",
            (PasswordHasher().hash(password), name.strip()),
        ).fetchone()
        if row is not None:
            conn.execute("UPDATE sessions SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL", row)
    return row is not None


def set_active(conn: Connection, name: str, active: bool) -> bool:
    """Lock a user out or let it in again; False when there is no such user."""
    row = conn.execute(
        "UPDATE users SET active = %s WHERE lower(name) = lower(%s) RETURNING id", (active, name.strip())
    ).fetchone()
    return row is not None


def check_password(conn: Connection, name: str, password: str, address: str) -> int | None:
    """The user's id when name and password fit, else None. `address` is where the request comes from.

    Raises throttle.Throttled when this account or address has failed too often lately: nothing was checked then.
    """
    throttle.admit(conn, name, address)
    row = conn.execute(
        "SELECT id, password_hash, active FROM users WHERE lower(name) = lower(%s)", (name.strip(),)
    ).fetchone()
    fits = len(password) <= LONGEST_PASSWORD and _matches(row[1] if row else NOBODY, password)
    if row is None or not fits or not row[2]:
        return None
    throttle.forget(conn, name, address)
    if PasswordHasher().check_needs_rehash(row[1]):
        conn.execute("UPDATE users SET password_hash = %s WHERE id = %s", (PasswordHasher().hash(password), row[0]))
    return int(row[0])


def list_users(conn: Connection) -> list[dict[str, Any]]:
    """Every user by name, without anything of the password."""
    rows = conn.execute(
        "SELECT u.id, u.name, u.role, u.language, u.time_zone, u.active, u.created_at, max(s.seen_at)"
        " FROM users u LEFT JOIN sessions s ON s.user_id = u.id GROUP BY u.id ORDER BY lower(u.name)"
    ).fetchall()
    names = ("id", "name", "role", "language", "time_zone", "active", "created_at", "seen_at")
    return [dict(zip(names, row, strict=True)) for row in rows]


def as_actor(conn: Connection, user_id: int) -> Actor | None:
    """The user as somebody who asks; None when it is gone or locked."""
    row = conn.execute(
        "SELECT name, role, language, time_zone FROM users WHERE id = %s AND active", (user_id,)
    ).fetchone()
    return None if row is None else Actor(row[0], row[1], None, row[2], row[3])


def _matches(stored: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return False


def _check(name: str, password: str, role: str, language: str | None, time_zone: str | None) -> None:
    if not 1 <= len(name.strip()) <= 100 or not name.strip().isprintable() or name.strip().startswith("token:"):
        raise UserError("A user's name has 1 to 100 printable characters and does not start with “token:”.")
    if role not in USER_ROLES:
        raise UserError(f"The role “{role}” is not one of {', '.join(USER_ROLES)}.")
    if language not in (None, "de", "en"):
        raise UserError(f"The language “{language}” is not one of de, en.")
    if time_zone is not None:
        try:
            ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError):
            raise UserError(f"“{time_zone}” is not the name of a time zone, e.g. Europe/Berlin.") from None
    _check_password(password)


def _check_password(password: str) -> None:
    if not LEAST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UserError(f"A password has {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters.")
