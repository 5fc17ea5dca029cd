"""Writes logins into the audit, good ones and refused ones.

Never the password that was tried, and a name only where there is such an account: who mistypes writes a password into
the field of the name. Of the address only the network around it.
"""

from __future__ import annotations

from services.journal.came_from import network_of
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.people.users import find_user

UNKNOWN = "?"


def note_login(conn: Connection, name: str, done: bool, address: str, through: str = "password") -> None:
    """One line. Runs inside the caller's transaction. The brake bounds how many refused ones there can be."""
    user = find_user(conn, name)
    who = UNKNOWN if user is None else str(user["name"])
    audit(conn, who, "login.done" if done else "login.refused", {"through": through, "network": network_of(address)})
