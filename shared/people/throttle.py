"""The brake on guessing passwords: tries per account and per address, counted in the database for all processes.

A try is counted before the password is looked at; a right one takes its count back. So many tries at once do not slip
through together. Called by `users.check_password`.
"""

from __future__ import annotations

import hashlib
import math

from shared.db.connect import Connection

WINDOW = 300
"""Seconds after the first failed try until the count starts anew."""

PER_ACCOUNT = 8
PER_ADDRESS = 40


class Throttled(Exception):
    """Too many failed logins. after: seconds until the next try is looked at."""

    def __init__(self, after: int) -> None:
        super().__init__(f"too many failed logins; try again in {after} s")
        self.after = after


def admit(conn: Connection, account: str, address: str) -> None:
    """Count a try. Raises Throttled when the account or the address is over its limit."""
    limits = {_subject("account", account): PER_ACCOUNT, _subject("address", address): PER_ADDRESS}
    wait = 0.0
    for subject in sorted(limits):
        row = conn.execute(
            "INSERT INTO login_failures AS f (subject, failures) VALUES (%(subject)s, 1)"
            " ON CONFLICT (subject) DO UPDATE SET"
            " failures = CASE WHEN f.started_at < now() - make_interval(secs => %(window)s) THEN 1"
            "   ELSE f.failures + 1 END,"
            " started_at = CASE WHEN f.started_at < now() - make_interval(secs => %(window)s) THEN now()"
            "   ELSE f.started_at END"
            " RETURNING failures, extract(epoch FROM started_at - now())::float8 + %(window)s",
            {"subject": subject, "window": WINDOW},
        ).fetchone()
        assert row is not None
        if row[0] > limits[subject]:
            wait = max(wait, row[1])
    if wait > 0:
        raise Throttled(max(1, math.ceil(wait)))


def forget(conn: Connection, account: str, address: str) -> None:
    """After a right password: the account starts anew, the address gets this try back."""
    with conn.transaction():
        conn.execute("DELETE FROM login_failures WHERE subject = %s", (_subject("account", account),))
        conn.execute(
            "UPDATE login_failures SET failures = greatest(failures - 1, 0) WHERE subject = %s",
            (_subject("address", address),),
        )


def sweep(conn: Connection) -> int:
    """Drop counts that have run out; returns how many."""
    return conn.execute(
        "DELETE FROM login_failures WHERE started_at < now() - make_interval(secs => %s)", (WINDOW,)
    ).rowcount


def _subject(kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{kind}:{name.strip().lower()}".encode("utf-8", "replace")).digest()
