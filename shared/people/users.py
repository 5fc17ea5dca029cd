"""Users: added by the command line, the demo and admins; logged in by the Journal.

Passwords are kept as argon2 hashes. A wrong name takes as long as a wrong password, so names cannot be guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from shared.db.connect import Connection
from shared.people import throttle
from shared.people.actor import USER_ROLES, Actor
from shared.people.sessions import close_others

LEAST_PASSWORD = 10
LONGEST_PASSWORD = 256  # hashing a megabyte would be a way to keep us busy
_COLUMNS = (
    "id", "name", "role", "language", "time_zone", "active", "may_reveal", "provider", "created_at", "seen_at",
)  # fmt: skip
_USERS = (
    "SELECT u.id, u.name, u.role, u.language, u.time_zone, u.active, u.may_reveal, u.subject IS NOT NULL, u.created_at,"
    " max(s.seen_at) FROM users u LEFT JOIN sessions s ON s.user_id = u.id"
)
# Of no password at all: verified for a name that nobody has, so that it takes the same time.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$NEiRCGohOa5d6t1cZdw40A$i3BvKBd2lLr/WdocYn/ngotFgbSHLFxqef09r8v8Dpw"


class UserError(ValueError):
    """The user cannot be made or changed like this; the message says what to do instead. code: for programs."""

    code = "user-not-possible"


class LastAdmin(UserError):
    """Nobody could change users any more."""

    code = "last-admin"

    def __init__(self) -> None:
        super().__init__("This is the last admin: make somebody else an admin first.")


class Unset(Enum):
    """For what is to stay as it is, where None means something."""

    STAYS = auto()


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


def set_password(conn: Connection, name: str, password: str, keep: int | None = None) -> bool:
    """Change a password and end the user's sessions, but for the session `keep`; False when there is no such user."""
    _check_password(password)
    with conn.transaction():
        row = conn.execute(
            "UPDATE users SET password_hash = %s WHERE lower(name) = lower(%s) RETURNING id",
            (PasswordHasher().hash(password), name.strip()),
        ).fetchone()
        if row is not None:
            close_others(conn, row[0], keep)
    return row is not None


def set_active(conn: Connection, name: str, active: bool) -> bool:
    """Lock a user out, which ends its sessions, or let it in again; False when there is no such user."""
    return change_user(conn, name, active=active) is not None


class Change(NamedTuple):
    """Of one thing about a user."""

    before: str | bool | None
    now: str | bool | None


def for_audit(name: str, changes: Mapping[str, Change]) -> dict[str, Any]:
    """What the audit says about a change of a user."""
    return {"user": name, "changed": list(changes)} | {key: change._asdict() for key, change in changes.items()}


def change_user(
    conn: Connection,
    name: str,
    *,
    role: str | None = None,
    active: bool | None = None,
    may_reveal: bool | None = None,
    language: str | Literal[Unset.STAYS] | None = Unset.STAYS,
    time_zone: str | Literal[Unset.STAYS] | None = Unset.STAYS,
) -> dict[str, Change] | None:
    """Change what is given; what is different now, by its name, in their order; None when there is no such user.

    A role or a flag that is None stays; a language or a time zone that is None is what the browser and the installation
    say. Raises UserError, and LastAdmin when nobody could change users any more.
    """
    _check_words(role, _chosen(language), _chosen(time_zone))
    with conn.transaction():
        # Two admins who lock each other out at the same moment have to queue: the second one is the last.
        admins = conn.execute("SELECT id FROM users WHERE role = 'admin' AND active ORDER BY id FOR UPDATE").fetchall()
        row = conn.execute(
            "SELECT id, role, active, may_reveal, language, time_zone FROM users WHERE lower(name) = lower(%s)"
            " FOR UPDATE",
            (name.strip(),),
        ).fetchone()
        if row is None:
            return None
        names = ("role", "active", "may_reveal", "language", "time_zone")
        before = dict(zip(names, row[1:], strict=True))
        asked = {"role": role, "active": active, "may_reveal": may_reveal}
        after = before | {key: value for key, value in asked.items() if value is not None}
        after |= {
            key: value
            for key, value in (("language", language), ("time_zone", time_zone))
            if not isinstance(value, Unset)
        }
        if [admin[0] for admin in admins] == [row[0]] and (after["role"], after["active"]) != ("admin", True):
            raise LastAdmin
        conn.execute(
            "UPDATE users SET role = %(role)s, active = %(active)s, may_reveal = %(may_reveal)s,"
            " language = %(language)s, time_zone = %(time_zone)s WHERE id = %(id)s",
            {**after, "id": row[0]},
        )
        if not after["active"]:
            close_others(conn, row[0], None)
    return {key: Change(before[key], after[key]) for key in names if before[key] != after[key]}


def check_password(conn: Connection, name: str, password: str, address: str) -> int | None:
    """The user's id when name and password fit, else None. `address` is where the request comes from.

    Raises throttle.Throttled when this account or address has failed too often lately: nothing was checked then.
    """
    throttle.admit(conn, name, address)
    row = conn.execute(
        "SELECT id, password_hash, active FROM users WHERE lower(name) = lower(%s)", (name.strip(),)
    ).fetchone()
    # Who logs in by the identity provider has no password here: nothing fits.
    stored = row[1] if row is not None and row[1] is not None else NOBODY
    fits = len(password) <= LONGEST_PASSWORD and _matches(stored, password) and stored != NOBODY
    if row is None or not fits or not row[2]:
        return None
    throttle.forget(conn, name, address)
    if PasswordHasher().check_needs_rehash(row[1]):
        conn.execute("UPDATE users SET password_hash = %s WHERE id = %s", (PasswordHasher().hash(password), row[0]))
    return int(row[0])


def list_users(conn: Connection) -> list[dict[str, Any]]:
    """Every user by name, without anything of the password. `provider`: logs in by the identity provider."""
    return [_row(row) for row in conn.execute(f"{_USERS} GROUP BY u.id ORDER BY lower(u.name)").fetchall()]


def read_user(conn: Connection, user: int) -> dict[str, Any] | None:
    """One user, as in the list; None when there is none."""
    row = conn.execute(f"{_USERS} WHERE u.id = %s GROUP BY u.id", (user,)).fetchone()
    return None if row is None else _row(row)


def find_user(conn: Connection, name: str) -> dict[str, Any] | None:
    """One user by name, whatever its case; None when there is none."""
    row = conn.execute(f"{_USERS} WHERE lower(u.name) = lower(%s) GROUP BY u.id", (name.strip(),)).fetchone()
    return None if row is None else _row(row)


def _row(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(_COLUMNS, row, strict=True))


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
    _check_words(role, language, time_zone)
    _check_password(password)


def _chosen(value: str | Literal[Unset.STAYS] | None) -> str | None:
    return None if isinstance(value, Unset) else value


def _check_words(role: str | None, language: str | None, time_zone: str | None) -> None:
    if role is not None and role not in USER_ROLES:
        raise UserError(f"The role “{role}” is not one of {', '.join(USER_ROLES)}.")
    if language not in (None, "de", "en"):
        raise UserError(f"The language “{language}” is not one of de, en.")
    if time_zone is not None:
        try:
            ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError):
            raise UserError(f"“{time_zone}” is not the name of a time zone, e.g. Europe/Berlin.") from None


def _check_password(password: str) -> None:
    if not LEAST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UserError(f"A password has {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters.")
