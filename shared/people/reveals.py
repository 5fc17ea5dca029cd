"""Showing a buyer's data to somebody who otherwise sees initials: for a reason, for this session, in the audit.

Called by pages and API. Operators and admins need the data for their work and see it without asking.
"""

from __future__ import annotations

from shared.db.connect import Connection
from shared.people.actor import Actor
from shared.people.audit import audit

LEAST_LETTERS = 3
LONGEST_REASON = 500


class RevealRefused(ValueError):
    """The data stays hidden; the message says why. code: for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def sees_buyers(conn: Connection, actor: Actor, record: int) -> bool:
    """Whether this person sees the record's buyer: by role, or because it was revealed in this session."""
    if actor.at_least("operator"):
        return True
    if actor.session is None or not actor.may_reveal:
        return False
    row = conn.execute(
        "SELECT 1 FROM reveals WHERE session = %s AND record_id = %s", (actor.session, record)
    ).fetchone()
    return row is not None


def reveal(conn: Connection, actor: Actor, record: int, reason: str) -> None:
    """Let them see it from now on, and write down that they do: once per record and session.

    Raises RevealRefused where no admin allowed it, or without a reason. A program that may see the data needs no
    session, so each of its calls is written down.
    """
    reason = reason.strip()[:LONGEST_REASON]
    if not (actor.at_least("operator") or actor.may_reveal):
        raise RevealRefused("reveal-not-allowed", "You may not look at buyers' data: an admin can allow it.")
    if len(reason) < LEAST_LETTERS:
        raise RevealRefused("reason-missing", "Say in a few words why you need to see the buyer's data.")
    with conn.transaction():
        if actor.session is not None:
            new = conn.execute(
                "INSERT INTO reveals(session, record_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (actor.session, record),
            ).rowcount
            if not new:
                return
        audit(conn, actor.name, "records.reveal", {"record": record}, reason)
