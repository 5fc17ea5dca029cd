"""People whom an identity provider knows: their way there and back, and the user that they are here.

A user is known by issuer and subject, never by name or e-mail: who can choose a name at the provider must not become
somebody else here. Called by the Journal's login.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import psycopg

from shared.db.connect import Connection
from shared.people.audit import audit
from shared.people.users import LastAdmin, UserError, change_user, for_audit

MINUTES = 10
"""How long somebody may take at the provider."""

NAMES_TRIED = 50


@dataclass(frozen=True, slots=True)
class Journey:
    """A login on its way: what the answer has to fit to, and where the reader wanted to go."""

    nonce: str
    verifier: str
    target: str


def set_out(conn: Connection, state: str, journey: Journey) -> None:
    """Note that somebody is on the way to the provider."""
    conn.execute(
        "INSERT INTO login_journeys(hash, nonce, verifier, target) VALUES (%s, %s, %s, %s)",
        (_hash(state), journey.nonce, journey.verifier, journey.target),
    )


def come_back(conn: Connection, state: str) -> Journey | None:
    """The journey of this state, once; None when it is unknown, was used before or took too long."""
    row = conn.execute(
        "DELETE FROM login_journeys WHERE hash = %s RETURNING nonce, verifier, target,"
        " started_at > now() - make_interval(mins => %s)",
        (_hash(state), MINUTES),
    ).fetchone()
    return Journey(*row[:3]) if row is not None and row[3] else None


def sweep(conn: Connection) -> int:
    """Drop journeys that nobody came back from; returns how many."""
    return conn.execute(
        "DELETE FROM login_journeys WHERE started_at < now() - make_interval(mins => %s)", (MINUTES,)
    ).rowcount


def provided_user(conn: Connection, issuer: str, subject: str, name: str, role: str) -> int | None:
    """The id of the user that the provider names, made at the first login; None when an admin locked it out.

    The provider's role counts at each login. It never takes the last admin away: then the role stays, and the audit
    says so.
    """
    try:
        return _provided_user(conn, issuer, subject, name, role)
    except psycopg.errors.UniqueViolation:
        return _provided_user(conn, issuer, subject, name, role)  # logged in twice at once: now the user is there


def _provided_user(conn: Connection, issuer: str, subject: str, name: str, role: str) -> int | None:
    with conn.transaction():
        row = conn.execute(
            "SELECT id, name, role, active FROM users WHERE issuer = %s AND subject = %s FOR UPDATE", (issuer, subject)
        ).fetchone()
        if row is None:
            user, chosen = _made(conn, issuer, subject, name, role)
            audit(conn, chosen, "users.add", {"user": chosen, "role": role, "provider": issuer})
            return user
        if not row[3]:
            return None
    if row[2] != role:
        try:
            with conn.transaction():
                changed = change_user(conn, row[1], role=role) or {}
                audit(conn, row[1], "users.change", for_audit(row[1], changed) | {"provider": issuer})
        except LastAdmin:
            audit(conn, row[1], "users.change", {"user": row[1], "kept": row[2], "provider": issuer}, "last admin")
    return int(row[0])


def _made(conn: Connection, issuer: str, subject: str, name: str, role: str) -> tuple[int, str]:
    """A new user; one of the same name that is here already stays somebody else."""
    plain = "".join(letter for letter in name if letter.isprintable()).strip()[:90] or "user"
    plain = plain.removeprefix("token:").strip() or "user"
    for attempt in range(1, NAMES_TRIED):
        chosen = plain if attempt == 1 else f"{plain} ({attempt})"
        try:
            with conn.transaction():
                row = conn.execute(
                    "INSERT INTO users(name, role, issuer, subject) VALUES (%s, %s, %s, %s) RETURNING id",
                    (chosen, role, issuer, subject),
                ).fetchone()
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == "users_subject":
                raise
            continue
        assert row is not None
        return int(row[0]), chosen
    raise UserError("Too many users have this name: choose another one at the identity provider.")


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode("utf-8", "replace")).digest()
