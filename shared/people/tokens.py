"""Tokens of programs: shown once when created, kept as a hash, revoked by name.

A token is 256 random bits, so its plain SHA-256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

import psycopg

from shared.db.connect import Connection
from shared.people.actor import TOKEN_ROLES, Actor

LONGEST_DAYS = 3650
USUAL_DAYS = 365
"""How long a new token lasts where nobody says otherwise."""
SOON_DAYS = 14
"""So long before its end it is pointed at."""
PREFIX = "connect_"  # lets secret scanners and people recognise one


class TokenError(ValueError):
    """The token cannot be made like this; the message says what to change."""


def create_token(
    conn: Connection, name: str, role: str, interfaces: Iterable[str] | None = None, days: int | None = None
) -> str:
    """Create a token and return it, the only time it can be seen.

    `interfaces` say where a publisher may post; without them it may post everywhere. days: how long it opens anything;
    None: until it is revoked. Raises TokenError.
    """
    name, chosen = name.strip(), None if interfaces is None else sorted(set(interfaces))
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise TokenError("A token's name has 1 to 100 printable characters.")
    if role not in TOKEN_ROLES:
        raise TokenError(f"The role “{role}” is not one of {', '.join(TOKEN_ROLES)}.")
    if chosen is not None and role != "publisher":
        raise TokenError("Only a publisher's token can be limited to interfaces.")
    if chosen:
        known = {row[0] for row in conn.execute("SELECT slug FROM interfaces WHERE slug = ANY(%s)", (chosen,))}
        if missing := [slug for slug in chosen if slug not in known]:
            raise TokenError(f"There is no interface “{missing[0]}”.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise TokenError(f"A token lasts 1 to {LONGEST_DAYS} days, or has no end.")
    token = PREFIX + secrets.token_urlsafe(32)
    try:
        conn.execute(
            "INSERT INTO tokens(name, hash, role, interfaces, expires_at)"
            " VALUES (%s, %s, %s, %s, now() + make_interval(days => %s))",
            (name, _hash(token), role, chosen, days),
        )
    except psycopg.errors.UniqueViolation:
        raise TokenError(f"There is a token “{name}” already: revoke it or choose another name.") from None
    return token


def token_holder(conn: Connection, token: str) -> Actor | None:
    """Who holds this token; None when it is unknown, revoked or past its end. Notes the use, at most once a minute."""
    row = conn.execute(
        "SELECT name, role, interfaces, used_at IS NULL OR used_at < now() - interval '1 minute' FROM tokens"
        " WHERE hash = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        (_hash(token),),
    ).fetchone()
    if row is None:
        return None
    name, role, interfaces, stale = row
    if stale:
        conn.execute("UPDATE tokens SET used_at = now() WHERE hash = %s", (_hash(token),))
    return Actor(f"token:{name}", role, None if interfaces is None else frozenset(interfaces))


def revoke_token(conn: Connection, name: str) -> bool:
    """Take a token back; False when there is none of this name."""
    row = conn.execute(
        "UPDATE tokens SET revoked_at = now() WHERE lower(name) = lower(%s) AND revoked_at IS NULL RETURNING id",
        (name.strip(),),
    ).fetchone()
    return row is not None


def list_tokens(conn: Connection) -> list[dict[str, Any]]:
    """Every token, newest first, without anything that opens a door."""
    rows = conn.execute(
        "SELECT id, name, role, interfaces, created_at, used_at, revoked_at, expires_at,"
        " revoked_at IS NULL AND expires_at <= now() FROM tokens ORDER BY id DESC"
    ).fetchall()
    names = ("id", "name", "role", "interfaces", "created_at", "used_at", "revoked_at", "expires_at", "expired")
    return [dict(zip(names, row, strict=True)) for row in rows]


def ending_tokens(conn: Connection) -> list[tuple[str, int]]:
    """Tokens in use that end soon, or ended lately: (name, days that are left, below 0 after its end)."""
    return conn.execute(
        "SELECT name, floor(extract(epoch FROM expires_at - now()) / 86400)::int FROM tokens WHERE revoked_at IS NULL"
        " AND used_at > now() - interval '30 days' AND expires_at < now() + make_interval(days => %s)"
        " ORDER BY expires_at",
        (SOON_DAYS,),
    ).fetchall()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
