"""What pages and API do to users and to oneself: one transaction each, written into the audit."""

from __future__ import annotations

from typing import Any

from services.journal.wiring import Journal
from shared.people import sessions, users
from shared.people.actor import Actor
from shared.people.audit import audit
from shared.people.users import Unset


def change(journal: Journal, actor: Actor, name: str, asked: dict[str, Any]) -> list[str] | None:
    """Change a user as an admin; returns the names of what is different, None where there is no such user.

    asked: `password`, `role`, `language`, `time_zone` ("" for nobody's choice), `active`, `may_reveal`; only those
    given. Another password ends all sessions of the user. Raises UserError.
    """
    asked = {key: value for key, value in asked.items() if value is not None}
    password = asked.pop("password", None)
    words = {key: asked.pop(key) or None for key in ("language", "time_zone") if key in asked}
    with journal.database() as conn, journal.hashing, conn.transaction():
        changed = users.change_user(conn, name, **asked, **words)
        if changed is None:
            return None
        told = users.for_audit(name, changed)
        if password is not None:
            users.set_password(conn, name, password)
            told["changed"] = sorted([*changed, "password"])
        audit(conn, actor.name, "users.change", told)
    return list(told["changed"])


def change_oneself(journal: Journal, actor: Actor, language: str | None, time_zone: str | None) -> None:
    """One's own language and time zone; "" is what browser and installation say, None stays. Raises UserError."""
    with journal.database() as conn, conn.transaction():
        changed = users.change_user(
            conn,
            actor.name,
            language=Unset.STAYS if language is None else language or None,
            time_zone=Unset.STAYS if time_zone is None else time_zone or None,
        )
        audit(conn, actor.name, "me.change", {"changed": list(changed or ())})


def change_password(journal: Journal, actor: Actor, current: str, new: str, address: str) -> bool:
    """One's own password; the other sessions end. False when `current` is wrong. Raises UserError, Throttled."""
    with journal.database() as conn, journal.hashing:
        if users.check_password(conn, actor.name, current, address) is None:
            return False
        with conn.transaction():
            users.set_password(conn, actor.name, new, keep=actor.session)
            audit(conn, actor.name, "me.password")
    return True


def end_sessions(journal: Journal, actor: Actor, session: int | None) -> bool:
    """End one of one's own sessions, or (None) all but this one; False where there is none of this id."""
    if actor.user is None:
        return False
    with journal.database() as conn, conn.transaction():
        if session is None:
            sessions.close_others(conn, actor.user, actor.session)
        elif not sessions.close_one(conn, actor.user, session):
            return False
        audit(conn, actor.name, "me.sessions", {"ended": session or "others"})
    return True
